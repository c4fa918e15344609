"""A file of texts in, a file of answers out, through the page."""

import csv
import io
import json

import pytest
from playwright.sync_api import expect

from playground.adapters import store
from playground.tasks import get_task

RESULT = "#{}-batch-result"
ROWS = [
    {"id": "7", "review": "Großartig, gern wieder!", "stars": "5"},
    {"id": "3", "review": "„Nie wieder“ – 20 € für kalte Suppe; schade.", "stars": "1"},
    {"id": "9", "review": "", "stars": "2"},
    {"id": "1", "review": "Ganz ordentlich, mehr nicht.", "stars": "3"},
]


def table(delimiter=","):
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ROWS[0].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return stream.getvalue()


def json_lines():
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)


FILES = {
    "comma.csv": table().encode(),
    "excel.csv": table(";").encode("utf-16"),
    "windows.csv": table(";").encode("cp1252"),
    "rows.jsonl": json_lines().encode(),
    "tabs.tsv": table("\t").encode("utf-8-sig"),
    "wrong-ending.json": table().encode(),
}


def opened(visit, task="sentiment"):
    visitor = visit()
    visitor.tab(get_task(task).title)
    visitor.page.get_by_role("button", name="Many texts at once").locator("visible=true").click()
    expect(visitor.button("Process file")).to_be_visible()
    return visitor


def process(visitor, name, content, task="sentiment"):
    """Name and content of the file that comes back."""
    visitor.give(f"{task}-batch-file", name, content)
    expect(visitor.page.locator(f"#{task}-batch-file .filename")).to_be_visible()
    visitor.button("Process file").click()
    link = visitor.page.locator(RESULT.format(task)).get_by_test_id("download-link")
    expect(link).to_be_visible()
    expect(visitor.button("Process file")).to_be_enabled()
    return visitor.take(link)


@pytest.mark.parametrize("name", FILES)
def test_rows_come_back_in_order_with_all_their_fields(visit, name):
    visitor = opened(visit)
    answers_name, content = process(visitor, name, FILES[name])
    assert answers_name == f"{name.partition('.')[0]}-sentiment.jsonl"
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
    assert [row["stars"] for row in rows] == [row["stars"] for row in ROWS]
    assert [row["text"] for row in rows] == [row["review"] for row in ROWS]
    labels = set(store.default_adapter("sentiment").labels)
    for row in rows:
        assert (row["id"] == "9") == ("error" in row)
        assert row["id"] == "9" or (row["label"] in labels and set(row["scores"]) == labels)
    assert "empty" in rows[2]["error"]
    notice = visitor.page.locator(".pg-info[role=status], .pg-progress[role=status]").locator("visible=true")
    expect(notice).to_contain_text("4 rows were processed")
    expect(notice).to_contain_text("1 could not be answered")
    visitor.expect_no_overlay()


def test_a_slow_browser_misses_nothing_that_comes_at_once(visit):
    visitor = opened(visit)
    slowly = visitor.page.context.new_cdp_session(visitor.page)
    slowly.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    _, content = process(visitor, "rows.jsonl", FILES["rows.jsonl"])
    assert len(content.decode().splitlines()) == len(ROWS)


def test_answers_come_as_a_table_when_asked(visit, picture):
    visitor = opened(visit)
    visitor.page.get_by_label("CSV", exact=True).locator("visible=true").check()
    name, content = process(visitor, "comma.csv", FILES["comma.csv"])
    assert name == "comma-sentiment.csv"
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
    assert json.loads(rows[0]["scores"]).keys() == set(store.default_adapter("sentiment").labels)
    assert rows[2]["error"]
    assert not rows[0]["error"]
    picture(visitor, "batch-answered")


def test_each_line_of_a_plain_text_is_one_text(visit):
    visitor = opened(visit)
    _, content = process(visitor, "notes.txt", "Me encantó.\nНикогда больше.\n最高です。\n".encode())
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert [row["text"] for row in rows] == ["Me encantó.", "Никогда больше.", "最高です。"]
    assert all(row["label"] for row in rows)


def test_entities_of_a_file_point_into_its_texts(visit):
    texts = ["Kofi Annan was born in Kumasi.", "वह कल दिल्ली से मुंबई गई।"]
    visitor = opened(visit, "ner")
    _, content = process(visitor, "news.txt", "\n".join(texts).encode(), "ner")
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert [row["text"] for row in rows] == texts
    for row in rows:
        for entity in row["entities"]:
            assert 0 <= entity["start"] < entity["end"] <= len(row["text"])
    table_cells = visitor.page.locator("#ner-batch-result").locator(
        "xpath=following::table[contains(@class,'pg-table')]"
    )
    expect(table_cells.locator("visible=true").first).to_contain_text(texts[0])


def test_translations_take_the_languages_chosen_above(visit):
    visitor = opened(visit, "translate")
    visitor.choose("To", "German")
    content = json.dumps({"source_text": "Good night.", "key": 1}).encode()
    _, answered = process(visitor, "one.jsonl", content, "translate")
    row = json.loads(answered)
    assert (row["source_lang"], row["target_lang"], row["key"]) == ("en", "de", 1)
    assert row["translation"].strip()


def test_files_that_can_not_be_used_give_a_sentence_each(visit):
    visitor = opened(visit)
    file, said = visitor.page.locator("#sentiment-batch-file"), visitor.page.get_by_role("alert")
    visitor.button("Process file").click()
    expect(said.locator("visible=true")).to_contain_text("No file was chosen")
    for name, content, sentence in [
        ("empty.csv", b"", "empty"),
        ("header.csv", b"id,text\n", "header.csv"),
        ("noise.csv", bytes(range(256)) * 20, "noise.csv"),
        ("cut.xlsx", b"PK\x03\x04 cut off", "cut.xlsx"),
    ]:
        visitor.give("sentiment-batch-file", name, content)
        expect(file.locator(".filename")).to_be_visible()
        visitor.button("Process file").click()
        expect(said.locator("visible=true")).to_contain_text(sentence)
        expect(visitor.button("Process file")).to_be_enabled()
        visitor.expect_no_overlay()
        file.get_by_role("button", name="Clear").click()
        expect(file.locator(".filename")).to_have_count(0)


def test_rows_that_lack_a_field_give_a_sentence(visit):
    visitor = opened(visit, "qa")
    visitor.give("qa-batch-file", "other.jsonl", b'{"question": "Who?"}\n')
    expect(visitor.page.locator(".filename").locator("visible=true")).to_be_visible()
    visitor.button("Process file").click()
    expect(visitor.page.get_by_role("alert").locator("visible=true")).to_contain_text("other.jsonl")
    visitor.expect_no_overlay()


def test_cancel_ends_a_long_file_and_the_next_one_is_answered(visit, picture):
    visitor = opened(visit)
    visitor.give("sentiment-batch-file", "long.txt", b"The bus was on time and the driver friendly.\n" * 20_000)
    expect(visitor.page.locator("#sentiment-batch-file .filename")).to_be_visible()
    visitor.button("Process file").click()
    expect(
        visitor.page.locator(".pg-info[role=status], .pg-progress[role=status]").locator("visible=true")
    ).to_contain_text("of 20,000 rows")
    picture(visitor, "batch-working")
    visitor.button("Cancel").click()
    expect(visitor.button("Process file")).to_be_enabled()
    expect(visitor.button("Cancel")).to_have_count(0)
    expect(visitor.page.get_by_text("Stopped").locator("visible=true")).to_be_visible()
    expect(visitor.page.locator(RESULT.format("sentiment"))).to_be_hidden()
    visitor.expect_no_overlay()
    visitor.page.locator("#sentiment-batch-file").get_by_role("button", name="Clear").click()
    _, content = process(visitor, "notes.txt", b"Fine.")
    assert json.loads(content)["text"] == "Fine."
