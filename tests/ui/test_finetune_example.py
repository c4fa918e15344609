import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from playground.engine.startup import LoadStatus
from playground.ui import finetune_data, finetune_example

LONG = " ".join(f"word{n}" for n in range(3000))


@pytest.fixture
def loaded(tiny_backbone):
    return SimpleNamespace(
        status=lambda: LoadStatus("ready", 1.0, "Ready"), engine=lambda: SimpleNamespace(backbone=tiny_backbone())
    )


@pytest.fixture
def seen(tmp_path, loaded):
    def look(name, content, loader=loaded):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return finetune_example.view(finetune_data.inspect(path), loader)

    return look


def test_the_first_and_the_longest_row_are_shown_raw_mapped_and_as_tokens_with_what_is_cut_off(seen):
    rows = "id,review,stars\n" + "".join(f"{n},It is fine {n},{n % 2}\n" for n in range(6)) + f"7,{LONG},1\n"
    view = seen("a.csv", rows)
    assert "Line 2, the first row" in view
    assert "Line 8, the longest row" in view
    assert '<bdi>id</bdi>: 0</code><code dir="auto"><bdi>review</bdi>: It is fine 0</code>' in view
    assert '<bdi>text</bdi>: It is fine 0</code><code dir="auto"><bdi>label</bdi>: 0</code>' in view
    assert view.count("Nothing of it is cut off") == 1
    assert "tokens of the text are cut off: <del" in view
    assert ">word38 word39 " in view.rpartition("<del")[2]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("a.conll", "Ada\tB-PER\nis\tO\nhere\tO\n\n"),
        ("a.csv", "context,question,answer\n" + "Ada is here,Who?,Ada\n" * 5),
        ("a.csv", "document,summary\n" + "Ada is here today,Ada\n" * 5),
        ("a.csv", "de,en\n" + "Ada ist hier,Ada is here\n" * 5),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n' * 5),
    ],
)
def test_what_is_learnt_is_marked(seen, name, row):
    view = seen(name, row * (5 if name.endswith("conll") else 1))
    assert "<mark>" in view
    assert "Nothing of it is cut off" in view


def test_a_conversation_is_shown_up_to_its_last_reply_with_what_is_cut_off_before_it(seen):
    said = [("user", f"{LONG} {LONG}"), ("assistant", "Ho"), ("user", "And now?"), ("assistant", "Hey")]
    messages = ", ".join(f'{{"role": "{role}", "content": "{content}"}}' for role, content in said)
    view = seen("a.jsonl", f'{{"messages": [{messages}]}}\n' * 5)
    assert "Each of the 2 replies is learnt like this last one." in view
    assert "The first " in view
    assert "tokens of the text are cut off" in view


def test_of_several_rows_of_one_line_the_right_one_is_shown(seen):
    asked = [f'{{"question": "Who {n}?", "answers": [{{"text": "Ada", "answer_start": 0}}]}}' for n in range(5)]
    view = seen("a.json", f'{{"paragraphs": [{{"context": "Ada is here", "qas": [{", ".join(asked)}]}}]}}')
    assert view.count("Who 0?") == 2


def test_without_a_backbone_there_are_no_tokens_yet(seen):
    waiting = SimpleNamespace(status=lambda: LoadStatus("loading", 0.5, "Loading"))
    assert finetune_example.NOT_READY in seen("a.csv", "text,label\n" + "yes,a\nno,b\n" * 3, waiting)


def test_rows_that_cannot_be_learnt_from_are_not_shown(seen):
    assert not seen("a.csv", "text,label\nyes,a\n")


def test_rows_are_never_html(seen):
    assert "<img" not in seen("a.csv", "text,label\n" + "<img src=x>,<img>\nno,b\n" * 3)


def test_the_summary_of_a_long_text_is_shown_and_special_tokens_do_not_turn_a_text(seen):
    view = seen("a.csv", "المقال,الملخص\n" + f"{'هذا مقال طويل ' * 200},ملخص قصير\n" * 5)
    assert "<bdi>summary</bdi>: ملخص قصير</code>" in view
    assert " more … " in view
    assert "<mark>" in view
    assert re.search(r'<p class="pg-tokens" dir="auto">(<(span|mark)><bdi>[^<]*</bdi></(span|mark)>)?<span>[^<]', view)


def test_a_single_row_is_shown_with_the_labels_of_the_adapter_it_goes_on_from(tmp_path, loaded, save_tiny_adapter):
    parent = save_tiny_adapter("classify", "tickets")
    path = tmp_path / "corrections.csv"
    path.write_text(f"text,label\nThe lamp is late,{parent.labels[0]}\n", encoding="utf-8")
    found = finetune_data.inspect(path, "classify")
    going_on = replace(finetune_data.going_on_from(found, parent), problem="")
    assert "The lamp is late" in finetune_example.view(going_on, loaded)
