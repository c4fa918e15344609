"""The Fine-tune tab: from a file of rows with made-up labels to an adapter in use."""

import csv
import io
import re

from playwright.sync_api import expect

TRAINING_MS = 400_000
"""Longest wait for a small training on a busy machine."""
LABELS = {
    "arrival": ["The parcel came {} days late.", "Delivered to the wrong door {} times.", "{} days in the post."],
    "workmanship": ["The handle broke after {} uses.", "{} of the screws were loose.", "Torn in {} places."],
    "worth": ["Costs {} euros too much.", "For {} euros it is a bargain.", "Refunded {} euros at once."],
}
"""Product reviews under labels that nobody else uses."""


def reviews(num_rows=60, labels=LABELS):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=";")
    writer.writerow(["order", "customer wrote", "team"])
    pairs = [
        (label, pattern) for n in range(3) for label, patterns in labels.items() for pattern in patterns[n : n + 1]
    ]
    for n in range(num_rows):
        label, pattern = pairs[n % len(pairs)]
        writer.writerow([n, pattern.format(n + 2), label])
    return stream.getvalue().encode("utf-8-sig")


def opened(visit, query="?__theme=light"):
    visitor = visit(query)
    visitor.tab("Fine-tune")
    return visitor


def upload(visitor, name, content):
    visitor.give("finetune-file", name, content)
    expect(visitor.page.locator("#finetune-start")).to_be_enabled()


def alert(visitor):
    return visitor.page.get_by_role("alert").locator("visible=true")


def begin(visitor, name):
    visitor.box("finetune-name").fill(name)
    visitor.button("Start training").click()
    expect(badge(visitor)).to_be_visible()


def badge(visitor):
    return visitor.page.locator("#finetune-run .pg-badge").first


def discard(visitor):
    visitor.button("Discard").click()
    visitor.button("Discard for good").click()
    expect(badge(visitor)).to_have_text("stopped")


def test_columns_are_recognised_shown_and_can_be_corrected(visit, picture):
    visitor = opened(visit)
    upload(visitor, "Müllers reviews.csv", reviews())
    expect(visitor.picker("Task")).to_have_value("Your own labels")
    expect(visitor.picker("Label")).to_have_value("team")
    expect(visitor.picker("Text")).to_have_value("customer wrote")
    preview = visitor.page.locator("#finetune-preview")
    expect(preview).to_contain_text("60 usable rows, 0 set aside")
    for label in LABELS:
        expect(preview).to_contain_text(f"{label} 20")
    expect(visitor.box("finetune-name")).to_have_value("mullers-reviews")
    assert visitor.sticking_out() == []
    picture(visitor, "finetune-preview")
    visitor.choose("Label", "order")
    expect(preview).not_to_contain_text("arrival 20")
    visitor.choose("Label", "team")
    expect(preview).to_contain_text("arrival 20")
    expect(visitor.page.locator("#finetune-start")).to_be_enabled()


def test_a_few_questions_begin_with_the_adapter_for_questions(visit):
    visitor = opened(visit)
    rows = "".join(f"Lamp {n} costs {n + 20} euros.,What does lamp {n} cost?,{n + 20} euros\n" for n in range(12))
    upload(visitor, "lamps.csv", f"paragraph,question,answer\n{rows}".encode())
    visitor.settle()
    expect(visitor.picker("Start from")).to_have_value("multilingual (shipped)")
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("12 usable rows, 0 set aside")
    visitor.choose("Start from", "A fresh adapter")
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("12 usable rows, 0 set aside")
    expect(visitor.page.locator("#finetune-start")).to_be_enabled()


def test_rows_can_be_pasted(visit):
    visitor = opened(visit)
    visitor.page.get_by_role("button", name="Or paste rows").click()
    visitor.box("finetune-pasted").fill("frase\tetiqueta\n" + "Llegó tarde\tcorreo\nSe rompió\tcalidad\n" * 4)
    visitor.button("Use these rows").click()
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("correo 4")
    expect(visitor.page.locator("#finetune-start")).to_be_enabled()


def test_bad_rows_are_set_aside_and_can_be_downloaded(visit):
    visitor = opened(visit)
    upload(visitor, "reviews.csv", reviews(12) + b"13;;arrival\n14;too;many;cells\n")
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("12 usable rows, 2 set aside")
    name, content = visitor.take(visitor.button("Download the 2 rows set aside"))
    assert name == "reviews-set-aside.jsonl"
    assert [line.partition(b",")[0] for line in content.splitlines()] == [b'{"line": 14', b'{"line": 15']


def test_files_that_can_not_teach_give_a_sentence_each(visit):
    visitor = opened(visit)
    for name, content, sentence in [
        ("empty.csv", b"", "empty"),
        ("header.csv", b"text;label\n", "header.csv"),
        ("one-label.csv", reviews(20, {"only": LABELS["worth"]}), "label"),
        ("three.csv", b"text,label\na,x\nb,y\nc,x\n", "3 usable rows"),
        ("no-label.csv", b"remark\n" + b"Fine\nBad\n" * 10, "no-label.csv"),
        ("noise.csv", bytes(range(256)) * 20, "noise.csv"),
        ("spans.jsonl", b'{"text": "Oslo", "entities": [{"start": 0, "end": 99, "label": "LOC"}]}\n' * 6, "0 to 99"),
    ]:
        visitor.give("finetune-file", name, content)
        expect(alert(visitor)).to_contain_text(sentence)
        expect(visitor.page.locator("#finetune-start")).to_be_disabled()
        visitor.expect_no_overlay()
        visitor.page.locator("#finetune-file").get_by_role("button", name="Clear").click()
        expect(visitor.page.locator("#finetune-file .filename")).to_have_count(0)


def test_a_bad_name_gives_a_sentence_and_keeps_the_form(visit):
    visitor = opened(visit)
    upload(visitor, "reviews.csv", reviews())
    for name in ("", "Bad Name!", "../up", "none"):
        visitor.box("finetune-name").fill(name)
        visitor.button("Start training").click()
        expect(alert(visitor)).to_contain_text(f"'{name}'")
        expect(visitor.page.locator("#finetune-preview")).to_contain_text("60 usable rows")
        expect(visitor.page.locator("#finetune-start")).to_be_enabled()


def test_rows_become_an_adapter_that_is_used_at_once(visit, picture):
    visitor, other = opened(visit), opened(visit)
    upload(visitor, "reviews.csv", reviews(90))
    upload(other, "reviews.csv", reviews(30))
    begin(visitor, "teams")
    expect(visitor.button("Start training")).to_have_count(0)
    other.box("finetune-name").fill("teams")
    other.button("Start training").click()
    expect(alert(other)).to_contain_text("already an adapter or a run called 'teams'")
    begin(other, "others")
    expect(badge(other)).to_have_text("waiting")
    expect(other.page.locator("#finetune-progress")).to_contain_text("another run is being trained")

    expect(visitor.page.locator("#finetune-progress")).to_contain_text("Training: step")
    expect(visitor.page.locator("#finetune-progress")).to_contain_text("tokens/s")
    expect(visitor.page.locator("#finetune-loss")).to_be_visible()
    picture(visitor, "finetune-running")
    visitor.open("?__theme=light")
    visitor.tab("Fine-tune")
    expect(visitor.page.locator("#finetune-run")).to_contain_text("teams")
    expect(visitor.button("Start training")).to_have_count(0)
    picture(other, "finetune-waiting")
    discard(other)

    expect(visitor.page.locator("#finetune-try")).to_be_visible(timeout=TRAINING_MS)
    visitor.box("finetune-try-text").fill("Typed while it is measured")
    expect(badge(visitor)).to_have_text("done", timeout=TRAINING_MS)
    expect(visitor.box("finetune-try-text")).to_have_value("Typed while it is measured")
    samples = visitor.page.locator("#finetune-samples")
    expect(samples.locator("table")).to_have_count(3)
    expect(samples).to_contain_text("What it answers on the way")
    expect(visitor.page.locator("#finetune-result")).to_contain_text("held-out rows")
    visitor.box("finetune-try-text").fill("The courier came after ten days.")
    visitor.page.locator("#finetune-try").click()
    answer = visitor.page.locator("#finetune-try-result")
    expect(answer.locator(".pg-stats")).to_contain_text("adapter teams")
    assert set(answer.locator(".pg-bars dt").all_inner_texts()) == set(LABELS)
    report = visitor.page.locator("#finetune-report")
    expect(report.locator(".pg-part summary", has_text="Would more rows help?")).to_be_visible()
    expect(report.locator(".pg-row")).to_have_count(9)
    report.get_by_role("combobox", name="Label", exact=True).click()
    visitor.page.get_by_role("option", name="worth", exact=True).click()
    expect(report.locator("#finetune-report-rows")).to_contain_text(re.compile(r"[3-8] of 9 rows"))
    report.get_by_role("button", name="Download the report").click()
    name, content = visitor.take(report.get_by_test_id("download-link").first)
    assert name == "classify-teams-report.html"
    assert content.startswith(b"<!DOCTYPE html>")
    assert b"The rows" in content
    picture(visitor, "finetune-done")

    visitor.page.get_by_role("link", name="Try it now in the tab Sentiment").click()
    expect(visitor.page.get_by_role("tab", selected=True)).to_have_text("Sentiment")
    expect(visitor.picker("Adapter")).to_have_value("teams (yours)")
    visitor.box("sentiment-text").fill("Two screws were missing.")
    result = visitor.run("sentiment", "Analyse")
    assert set(result.locator(".pg-bars dt").all_inner_texts()) == set(LABELS)

    other.tab("Sentiment")
    other.picker("Adapter").click()
    expect(other.page.get_by_role("option", name="teams (yours)")).to_be_visible()
    other.tab("Adapters")
    expect(other.page.locator(".pg-card", has_text="teams")).to_contain_text("yours")
    other.expect_no_overlay()


def test_a_run_is_found_by_its_link_and_stopped_from_there(visit):
    visitor = opened(visit)
    upload(visitor, "reviews.csv", reviews())
    begin(visitor, "linked")
    link = visitor.page.get_by_role("link", name="link to this run").get_attribute("href")
    other = visit(link)
    expect(other.page.get_by_role("tab", selected=True)).to_have_text("Fine-tune")
    expect(other.page.locator("#finetune-run")).to_contain_text("linked")
    other.button("Discard").click()
    other.button("Go on").click()
    discard(other)
    expect(badge(visitor)).to_have_text("stopped")
    visitor.button("Train another adapter").click()
    expect(visitor.button("Start training")).to_be_visible()
