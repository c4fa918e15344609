"""Labels of one's own: topic, intent, anything with one label a text. Its adapters are offered in Sentiment's tab."""

from playground.tasks.task import Field, Task

TASK = Task(
    name="classify",
    shape="classify",
    title="Your own labels",
    summary="Gives a text one of your own labels.",
    action="Classify",
    inputs=(Field("text", "Text", placeholder="Paste a text in any language"),),
    target="label",
    output="label",
    endpoint="classify",
    metric="macro_f1",
    order=21,
    has_tab=False,
    max_length=256,
)
