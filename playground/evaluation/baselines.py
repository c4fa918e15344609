"""What answers without reading: the least that a figure has to be compared with."""

from collections import Counter
from collections.abc import Sequence

from playground.tasks.shape_generate import sentences
from playground.tasks.task import Task
from playground.types import Row

LEAD_SENTENCES = 2


def trivial_predictions(task: Task, rows: Sequence[Row]) -> tuple[str, list[Row]] | None:
    """A name in words and one prediction for each of the gold `rows`; None where nothing trivial is worth naming.

    Labels: the commonest one of these very rows, which is the best that one constant label can do. Summaries: the
    first two sentences (a line of a script without sentence marks, such as Thai, counts as one). Translations: the
    source as it is.
    """
    if task.shape == "classify":
        label = _commonest([row[task.target] for row in rows])
        return "always the commonest label of the measured rows", [{**row, task.output: label} for row in rows]
    if task.target == "summary":
        return "the first two sentences", [{**row, task.output: lead(row["document"])} for row in rows]
    if task.target == "target_text":
        return "the source text itself", [{**row, task.output: row["source_text"]} for row in rows]
    return None


def lead(text: str, num_sentences: int = LEAD_SENTENCES) -> str:
    """The first sentences of `text`, with the blank space that stood between them."""
    pieces = sentences(text, lambda _: 0)
    return "".join(sentence + gap for sentence, gap in pieces[:num_sentences]).strip()


def _commonest(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))
