"""The report of a measured adapter in its folder: figures that go with it, and rows that stay.

- ``report.json`` holds the figures, base against adapter, as `playground.evaluation.report` makes them. Its only texts
  are the names of labels and languages. It is one of the hashed files, and goes into an exported zip.
- ``report.html`` shows the same to a person. It is always made from ``report.json`` by this program, also after an
  import: a page that came in a zip could hold anything, so it is never taken over.
- ``report_rows.json`` holds the held-out rows with both answers. They may be private, so this file can be read by its
  owner alone, is part of no hash, export or import, and is not written for shipped adapters.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.adapters.record import REPORT_FILE, AdapterRecord, replace_file
from playground.adapters.report_page import page
from playground.adapters.store import read_verified
from playground.adapters.untrusted import MAX_JSON_BYTES, is_kind, parse_object, read_limited, shown
from playground.errors import AdapterError

PAGE_FILE = "report.html"
ROWS_FILE = "report_rows.json"
SCHEMA_VERSION = 1
MAX_ROWS_BYTES = 32 * 1024 * 1024

_GROUP = {"n": int, "base": (float,), "adapter": float, "interval": [float]}
_SCORES = {
    "metrics": {str: float},
    "main": str,
    "n": int,
    "interval": [float],
    "per_class": {str: {str: float}},
    "confusion": ({"labels": [str], "matrix": [[int]], "unanswered": [int]},),
}
_POINTS = [{"confidence": float, "accuracy": float, "n": int}]
_DIFFERENCE = {"value": float, "interval": [float], "p_value": float, "test": str}
_CURVE = {"points": [{"rows": int, "value": float, "interval": [float]}], "gain": _DIFFERENCE}
_COMPARED = ("base", "difference", "changed", "better", "worse")
"""Either all of them are there or none is."""
_SHAPE = {
    "schema_version": int,
    "against": str,
    "metric": str,
    "n": int,
    "base": (_SCORES,),
    "adapter": _SCORES,
    "difference": (_DIFFERENCE,),
    "changed": (int,),
    "better": (int,),
    "worse": (int,),
    "per_language": {str: _GROUP},
    "per_length": [{"from": int, "to": int, **_GROUP}],
    "calibration": {str: _POINTS},
    "learning_curve": (_CURVE,),
}
"""What each part of a report is: a type, a list of something, an object with these keys or with any, or, in a tuple of
one, something that may be null."""


def save_report(report: Mapping[str, Any], folder: Path) -> None:
    """Writes ``report.json``.

    Raises:
        AdapterError: it is no valid report, or larger than a file beside an adapter may be.
    """
    data = json.dumps({"schema_version": SCHEMA_VERSION, **report}, ensure_ascii=False, indent=1).encode() + b"\n"
    parse_report(data, REPORT_FILE)
    replace_file(folder / REPORT_FILE, data)


def copied_report(record: AdapterRecord, folder: Path) -> dict[str, Any]:
    """The figures in the ``report.json`` in `folder`, whatever its hash is.

    Raises:
        AdapterError: it is missing or no valid report.
    """
    return parse_report(read_limited(folder / REPORT_FILE, MAX_JSON_BYTES, record.title), REPORT_FILE)


def page_of(record: AdapterRecord, folder: Path) -> bytes:
    """``report.html`` made from the ``report.json`` in `folder`. Raises AdapterError as `copied_report` does."""
    return page(f"{record.task}/{record.name}", copied_report(record, folder)).encode()


def save_page(record: AdapterRecord, folder: Path) -> None:
    """Writes ``report.html``. Raises AdapterError as `page_of` does."""
    replace_file(folder / PAGE_FILE, page_of(record, folder))


def save_rows(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes ``report_rows.json``, for its owner's eyes only."""
    # Half a character, which some texts hold, could be shown nowhere.
    replace_file(folder / ROWS_FILE, json.dumps(list(rows), ensure_ascii=False).encode(errors="replace"), mode=0o600)


def read_report(record: AdapterRecord) -> dict[str, Any] | None:
    """The figures; None when the adapter has no report.

    Raises:
        AdapterError: the file was changed or is no valid report.
    """
    if REPORT_FILE not in record.files:
        return None
    return parse_report(read_verified(record, REPORT_FILE), f"{record.title}: {REPORT_FILE}")


def read_rows(record: AdapterRecord) -> list[dict[str, Any]]:
    """The held-out rows behind the report; empty when they are not (any more) on this machine.

    Raises:
        AdapterError: the file is too large or damaged.
    """
    if not (record.path / ROWS_FILE).is_file():
        return []
    data = read_limited(record.path / ROWS_FILE, MAX_ROWS_BYTES, record.title)
    try:
        rows = json.loads(data)
    except ValueError as err:
        raise AdapterError(f"{record.title}: {ROWS_FILE} is damaged ({err}); measure the adapter again.") from err
    return rows if isinstance(rows, list) else []


def parse_report(data: bytes, where: str) -> dict[str, Any]:
    """The report in `data`, every part checked that is shown.

    Raises:
        AdapterError: the message begins with `where` and names the part.
    """
    report = parse_object(data, where)
    if report.get("schema_version") != SCHEMA_VERSION:
        raise AdapterError(f"{where} has the schema version {shown(report.get('schema_version'))}; measure it again.")
    _check(report, _SHAPE, where)
    if report["against"] not in ("base", "parent"):
        raise AdapterError(f"{where} compares with {shown(report['against'])}; measure the adapter again.")
    for name in ("base", "adapter"):
        if report[name] is not None:
            _check_scores(report[name], report["metric"], f"{where}: '{name}'")
    if len({report[name] is None for name in _COMPARED}) > 1:
        raise AdapterError(f"{where} has only some of {', '.join(_COMPARED)}; measure the adapter again.")
    _check(report.get("no_learning_curve"), (str,), f"{where}: 'no_learning_curve'")
    curve = report["learning_curve"] or {"points": [], "gain": None}
    rows = [point["rows"] for point in curve["points"]]
    if report["learning_curve"] and (len(rows) < 2 or rows != sorted(set(rows)) or rows[0] < 1):
        raise AdapterError(f"{where}: 'learning_curve' must have points with more and more rows; measure again.")
    groups = [*report["per_language"].values(), *report["per_length"], *curve["points"]]
    groups += filter(None, (report["difference"], curve["gain"]))
    if any(len(group["interval"]) != 2 for group in groups):
        raise AdapterError(f"{where} has an 'interval' that is not two numbers; measure the adapter again.")
    return report


def _check(value: Any, kind: Any, where: str) -> None:
    if isinstance(kind, tuple):
        if value is not None:
            _check(value, kind[0], where)
    elif isinstance(kind, list):
        _expect(value, list, where)
        for place, item in enumerate(value):
            _check(item, kind[0], f"{where}: {place}")
    elif isinstance(kind, dict):
        _expect(value, dict, where)
        of_any_name = kind.get(str)
        for key, inner in [(key, of_any_name) for key in value] if of_any_name else kind.items():
            if key not in value:
                raise AdapterError(f"{where} has no '{key}'; measure the adapter again.")
            _check(value[key], inner, f"{where}: {shown(key)}")
    else:
        _expect(value, kind, where)


def _expect(value: Any, kind: type, where: str) -> None:
    if not is_kind(value, kind):
        raise AdapterError(f"{where} must be of the kind '{kind.__name__}', not {shown(value)}.")


def _check_scores(scores: dict[str, Any], metric: str, where: str) -> None:
    if metric not in scores["metrics"] or len(scores["interval"]) != 2:
        raise AdapterError(f"{where} lacks the metric {shown(metric)} with its interval; measure the adapter again.")
    confusion = scores["confusion"]
    if confusion is None:
        return
    sizes = {len(confusion["matrix"]), len(confusion["unanswered"]), *map(len, confusion["matrix"])}
    if sizes - {len(confusion["labels"])}:
        raise AdapterError(f"{where}: 'confusion' must have a row and a column for each label.")
