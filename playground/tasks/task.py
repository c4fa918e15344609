"""What a task is: a record that describes itself to the page, the CLI, the trainer and the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from playground.types import Attention, Shape


@dataclass(frozen=True)
class Field:
    """One thing a person fills in.

    ``text`` is a large box that also takes a dropped file, ``line`` a single line, ``language`` a choice of
    ISO 639-1 codes.
    """

    name: str
    label: str
    kind: Literal["text", "line", "language"] = "text"
    placeholder: str = ""
    default: str = ""


@dataclass(frozen=True)
class Example:
    lang: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    name: str
    """Word used by the CLI, by rows and as folder under ``adapters/``."""
    shape: Shape
    title: str
    """Title of its tab."""
    summary: str
    """One sentence: what it does for the person."""
    action: str
    """Text of its button."""
    inputs: tuple[Field, ...]
    target: str
    """Row field to learn: label, entities, answers, summary, target_text or completion."""
    output: str
    """Row field that ``predict`` adds: label, entities, answer, summary, translation or completion."""
    endpoint: str
    """Name of its HTTP endpoint, without the slash."""
    metric: str
    """Key of its main metric in ``playground.evaluation.metrics``."""
    examples: tuple[Example, ...] = ()
    order: int = 100
    """Place among the tabs."""
    has_tab: bool = True
    also_adapters_of: tuple[str, ...] = ()
    """Other tasks of the same shape whose adapters its picker offers too."""
    attention: Attention = "causal"
    """How new adapters of this task are trained."""
    max_length: int = 256
    """Tokens in one window; longer inputs take several."""
    reads_at_once: int = 0
    """Tokens of a text that fit into one prompt even where the texts of the training were shorter."""
    labels: tuple[str, ...] = ()
    """Labels used when the base guesses without an adapter."""
    shots: tuple[tuple[str, str], ...] = ()
    """Texts with labels that the base reads before it guesses; none: those of sentiment."""
    prompt: str = ""
    """``str.format`` template over the row's fields; generate tasks only."""
    max_new_tokens: int = 128
    """Tokens written for texts of `max_length`; see `new_tokens`."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Free texts for the page, such as ``empty`` for the empty state."""

    def new_tokens(self, max_length: int) -> int:
        """Tokens that an adapter trained on texts of `max_length` tokens writes at most: more for longer ones."""
        return max(self.max_new_tokens, self.max_new_tokens * max_length // self.max_length)
