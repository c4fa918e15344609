"""The figures in a record as the cells of tables, for the cards and the scoreboard."""

from collections.abc import Mapping
from typing import Any, NamedTuple

METRIC_TITLES = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "ece": "Expected calibration error (lower is better)",
    "entity_f1": "Entity F1",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "exact_match": "Exact match",
    "has_answer_f1": "F1 with an answer",
    "no_answer_f1": "F1 without an answer",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "source_precision": "Names and numbers found in the source",
    "chrf++": "chrF++",
    "bleu": "BLEU",
}


def metric_title(name: str) -> str:
    """The metric as a person calls it."""
    return METRIC_TITLES.get(name, name)


class LanguageLine(NamedTuple):
    """Main metric in one language, or of one direction in translation."""

    language: str
    n: str
    """Rows that the adapter was measured on."""
    adapter: str
    base: str
    trivial: str


def language_lines(metrics: Mapping[str, Any]) -> list[LanguageLine]:
    """By code; the adapter's figure with its interval, the others' beside it, ``-`` where there is none."""
    lines = []
    for language, scores in sorted(metrics.get("by_language", {}).items()):
        others = (metrics.get(key, {}).get(language) for key in ("base_by_language", "trivial_by_language"))
        cells = (f"{scores['n']:,}", figure(scores, scores["main"]), *(beside(other, scores) for other in others))
        lines.append(LanguageLine(language, *cells))
    return lines


def figure(scores: Mapping[str, Any] | None, name: str) -> str:
    """One metric, with its interval if it is the main one."""
    if scores is None or name not in scores["metrics"]:
        return "not measured"
    shown = f"{scores['metrics'][name]:.1f}"
    if name != scores["main"]:
        return shown
    low, high = scores["interval"]
    return f"{shown} ({low:.1f} to {high:.1f})"


def beside(scores: Mapping[str, Any] | None, adapter: Mapping[str, Any]) -> str:
    """The main metric of the `adapter` as another reaches it, with the number of rows if it is another one."""
    if scores is None or adapter["main"] not in scores["metrics"]:
        return "-"
    shown = f"{scores['metrics'][adapter['main']]:.1f}"
    return shown if scores["n"] == adapter["n"] else f"{shown} (n = {scores['n']:,})"
