"""How copied files become an adapter: after an import, as a duplicate, or from the repository that keeps a copy."""

from dataclasses import replace
from pathlib import Path

from playground.adapters.card import card
from playground.adapters.record import CARD_FILE, REPORT_FILE, AdapterRecord, hash_files, write_record
from playground.adapters.report import copied_report, save_page


def file_as(name: str, record: AdapterRecord, folder: Path) -> None:
    """Writes what is never copied, because it may hold anything or another name: record, card and page of the report.

    Args:
        record: of the adapter whose files were copied into `folder`.

    Raises:
        AdapterError: the report is no valid one.
    """
    report = copied_report(record, folder) if REPORT_FILE in record.files else None
    record = replace(record, name=name)
    (folder / CARD_FILE).write_text(card(record, report), encoding="utf-8")
    hashed = hash_files(folder, {CARD_FILE} & record.files.keys())
    write_record(replace(record, files={**record.files, **hashed}), folder)
    if report:
        save_page(record, folder)
