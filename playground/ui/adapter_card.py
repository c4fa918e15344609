"""The card of one adapter as HTML: what it does, how good it is, where it comes from."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

from playground.adapters.figures import metric_title
from playground.adapters.record import AdapterRecord
from playground.adapters.store import is_unchecked
from playground.tasks import list_tasks
from playground.tasks.languages import LANGUAGES
from playground.ui import picker


def card(record: AdapterRecord) -> str:
    # Another version of this program may know more tasks.
    title = escape(next((task.title for task in list_tasks() if task.name == record.task), record.task))
    head = f'<h3>{title} · <bdi>{escape(record.name)}</bdi><span class="pg-badge">{picker.whose(record)}</span></h3>'
    text = f'<p dir="auto">{escape(record.description)}</p>' if record.description else ""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts_of(record) if value)
    return f'{head}{text}<dl class="pg-facts">{facts}</dl>{try_link(record)}'


def facts_of(record: AdapterRecord) -> list[tuple[str, str]]:
    """(name, value) pairs; empty values are left out of the card."""
    training = record.training
    return [
        ("Labels", ", ".join(shown_labels(record))),
        ("Languages", ", ".join(LANGUAGES.get(code, code) for code in training.get("languages", ()))),
        ("Quality", quality(record)),
        ("Backbone", record.backbone.get("id", "")),
        ("Trained on", _trained_on(training)),
        ("Goes on from", str(training.get("parent", ""))),
        ("Licence of the data", str(training.get("licence", ""))),
        ("Made with", str(training.get("command", ""))),
        ("Check", "not loaded again since its import; Verify does that" if is_unchecked(record) else ""),
        ("Size", f"{size_bytes(record) / 1e6:.1f} MB"),
        ("Created", _date(record.created)),
    ]


def shown_labels(record: AdapterRecord) -> list[str]:
    """Labels as a person knows them: entity types without B- and I-, none for answers."""
    if record.shape == "span":
        return []
    if record.shape == "tag":
        return sorted({label.partition("-")[2] for label in record.labels if "-" in label})
    return list(record.labels)


def quality(record: AdapterRecord) -> str:
    """The main metric with its interval and count, beside the base's."""
    adapted = _score(record.metrics.get("adapter"))
    if not adapted:
        return "not measured"
    base = _score(record.metrics.get("base"))
    return f"{adapted}; without adapter {base}" if base else adapted


def _score(scores: Mapping[str, Any] | None) -> str:
    if not scores or scores.get("main") not in scores.get("metrics", {}):
        return ""
    value = scores["metrics"][scores["main"]]
    low, high = scores.get("interval") or (value, value)
    title = metric_title(scores["main"])
    return f"{title} {value:.1f} ({low:.1f} to {high:.1f}, {scores.get('n', 0):,} rows)"


def size_bytes(record: AdapterRecord) -> int:
    return sum(path.stat().st_size for path in record.path.glob("*") if path.is_file())


def _trained_on(training: Mapping[str, Any]) -> str:
    rows = f"{training['rows']:,} rows" if training.get("rows") else ""
    return ", ".join(part for part in (str(training.get("data", "")), rows) if part)


def _date(created: str) -> str:
    try:
        return datetime.fromisoformat(created).strftime("%-d %B %Y")
    except ValueError:
        return created


def try_link(record: AdapterRecord, words: str = "Try it") -> str:
    """A link that opens the tab in which `record` answers with it chosen; none for tasks that have no tab here.

    Args:
        words: of the link; ``{tab}`` stands for the title of the tab.
    """
    tabs = {task.name: (task.name, task.title) for task in list_tasks() if task.has_tab}
    tabs |= {other: tabs[task.name] for task in list_tasks() for other in task.also_adapters_of}
    tabs["instruct"] = ("chat", "Chat")
    if record.task not in tabs:
        return ""
    tab, title = tabs[record.task]
    query = urlencode({"tab": tab, "adapter": picker.key_of(record)})
    return f'<p><a href="?{escape(query)}">{words.format(tab=title)}</a></p>'
