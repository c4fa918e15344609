"""Any prompt with its completion: titles, relations, dialogue. Its adapters answer in the chat."""

from playground.tasks.task import Field, Task

TASK = Task(
    name="instruct",
    shape="generate",
    title="Prompt and completion",
    summary="Completes a prompt the way your examples do.",
    action="Complete",
    inputs=(Field("prompt", "Prompt", placeholder="Type or paste a prompt"),),
    target="completion",
    output="completion",
    endpoint="complete",
    metric="rougeL",
    order=70,
    has_tab=False,
    max_length=512,
    prompt="{prompt}\n",
    max_new_tokens=192,
)
