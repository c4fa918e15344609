"""What every metric returns, and the arithmetic they share."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Result of one set of predictions; all metrics run from 0 to 100."""

    metrics: dict[str, float]
    main: str
    """Key of the metric that decides."""
    n: int
    """Number of rows."""
    interval: tuple[float, float]
    """95 % bootstrap interval of the main metric; the two ends agree when there is one row."""
    per_class: dict[str, dict[str, float]] = field(default_factory=dict)
    """By label, entity type, target language, or ``has_answer`` and ``no_answer``; ``support`` is a count."""
    confusion: dict[str, Any] | None = None
    """``labels``, ``matrix`` (rows gold, columns predicted, counts) and ``unanswered`` (by gold label)."""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self) | {"interval": list(self.interval)}


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Elementwise ``part / whole``, with 0 where `whole` is 0."""
    quotient = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=quotient, where=np.asarray(whole) > 0)
    return quotient


def f1_percent(matches: np.ndarray, predicted: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """F1 from counts, 0 to 100; 0 where nothing is gold and nothing is predicted."""
    return 100 * ratio(2.0 * matches, predicted + gold)


def class_scores(matches: float, predicted: float, gold: float) -> dict[str, float]:
    """Precision, recall, F1 (0 to 100) and support of one class, from its counts."""
    counts = np.array([matches, matches]), np.array([predicted, gold])
    precision, recall = (100 * ratio(*counts)).tolist()
    f1 = float(f1_percent(np.array(matches), np.array(predicted), np.array(gold)))
    return {"precision": precision, "recall": recall, "f1": f1, "support": int(gold)}
