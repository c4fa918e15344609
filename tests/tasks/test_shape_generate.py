import random

import pytest
from transformers import PreTrainedTokenizerFast

from playground.errors import InputError
from playground.tasks import get_task, shape_generate
from playground.tasks.shape_generate import SENTENCE_TOKENS, by_sentence, condense, divide, pack, sentences


def count(text):
    return len(text.split())


def characters(text):
    return len(text)


def alone(text):
    return [piece for piece, _ in sentences(text, count)]


def bare(text):
    return "".join(text.split())


def run(steps, answer):
    """All requests of `steps`, and what they return when each row is answered by ``answer(row)``."""
    asked = []
    rows = next(steps)
    while True:
        asked.append(rows)
        try:
            rows = steps.send([answer(row) for row in rows])
        except StopIteration as end:
            return asked, end.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is. Two is! Three?", ["One is.", "Two is!", "Three?"]),
        ("Mr. Smith met Dr. Who. He left.", ["Mr. Smith met Dr. Who.", "He left."]),
        ("J. R. Miller sang. All clapped.", ["J. R. Miller sang.", "All clapped."]),
        ("It costs 3.50 euros in e.g. Rome.", ["It costs 3.50 euros in e.g. Rome."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Wirklich? «Nein.» Gut.", ["Wirklich?", "«Nein.»", "Gut."]),
        ("今日は雨です。明日は？「晴れ。」はい", ["今日は雨です。", "明日は？", "「晴れ。」", "はい"]),
        ("यह एक है। यह दो है।", ["यह एक है।", "यह दो है।"]),
        ("هل أنت هنا؟ نعم.", ["هل أنت هنا؟", "نعم."]),
        ("a\nb\n\nc", ["a", "b", "c"]),
        ("no stop at all", ["no stop at all"]),
        ("Wait... what? OK", ["Wait... what?", "OK"]),
    ],
)
def test_sentences_end_where_a_reader_sees_their_end(text, expected):
    assert alone(text) == expected


PIECES = [
    "Ann left.",
    " ",
    "  ",
    "\n",
    "\n\n",
    "«Why?»",
    "(So.)",
    "好。",
    "”",
    "word",
    "3.5",
    "…",
    "。」",
    "\t",
    "a.b",
    "'",
    "!",
]


@pytest.mark.parametrize("seed", range(60))
def test_sentences_lose_nothing_but_blanks(seed):
    chance = random.Random(seed)
    text = "".join(chance.choices(PIECES, k=30))
    found = sentences(text, characters)
    assert bare("".join(piece for piece, _ in found)) == bare(text)
    assert all(piece.strip() == piece != "" for piece, _ in found)


@pytest.mark.parametrize("seed", range(20))
def test_line_breaks_stay_between_the_same_sentences(seed):
    chance = random.Random(seed)
    lines = ["".join(chance.choices(["One is. ", "Two! ", "好。", "end"], k=3)) + "x" for _ in range(5)]
    text = "".join(line + "\n" * chance.randint(1, 3) for line in lines)
    rebuilt = "".join(piece + gap for piece, gap in sentences(text, count))
    assert [bare(line) for line in rebuilt.split("\n")] == [bare(line) for line in text.split("\n")]


def test_a_long_sentence_is_divided_at_blanks_into_parts_that_fit():
    text = " ".join(f"word{number}" for number in range(1000))
    parts = divide(text, count)
    assert "".join(parts) == text
    assert all(count(part) <= SENTENCE_TOKENS for part in parts)
    assert all(part.endswith(" ") for part in parts[:-1])


def test_text_without_blanks_is_divided_too():
    parts = divide("海" * 1000, characters)
    assert "".join(parts) == "海" * 1000
    assert all(len(part) <= SENTENCE_TOKENS for part in parts)


def test_one_character_of_many_tokens_is_left_whole():
    assert divide("x", lambda text: 999) == ["x"]


def test_packs_hold_whole_sentences_up_to_the_limit():
    text = "One two three. Four five. Six. " * 20
    packs = pack(text, count, 20)
    assert bare("".join(packs)) == bare(text)
    assert all(count(part) <= 20 for part in packs)
    assert all(part.rstrip().endswith(".") for part in packs)
    assert len(packs) == 10


def test_short_documents_are_summarized_in_one_step():
    asked, summary = run(condense({"document": "a b", "id": 1}, count, 2), lambda row: "s")
    assert asked == [[{"document": "a b", "id": 1}]]
    assert summary == "s"


def test_long_documents_are_condensed_step_by_step_until_one_prompt_holds_all():
    text = "One two three four five. " * 400
    asked, summary = run(condense({"document": text}, count, 50), lambda row: "five words of a summary")
    assert summary == "five words of a summary"
    assert len(asked) > 2
    assert len(asked[-1]) == 1
    assert all(count(row["document"]) <= 50 for rows in asked for row in rows)
    assert bare("".join(row["document"] for row in asked[0])) == bare(text)


@pytest.mark.parametrize("answer", [lambda row: row["document"], lambda row: row["document"] * 2, lambda row: ""])
def test_condensing_always_ends(answer):
    asked, _ = run(condense({"document": "One two three. " * 50}, count, 10), answer)
    assert len(asked) == 1


def test_translation_gives_each_sentence_its_gap_back():
    asked, text = run(
        by_sentence({"source_text": "One. Two!\n\nThree", "target_lang": "fr"}, count),
        lambda row: row["source_text"].upper(),
    )
    assert [part["source_text"] for part in asked[0]] == ["One.", "Two!", "Three"]
    assert text == "ONE. TWO!\n\nTHREE"


@pytest.mark.parametrize(
    ("source", "target", "joined"),
    [
        ("今天很冷。明天会下雨。\n后天晴。", "en", "[今天很冷。] [明天会下雨。]\n[后天晴。]"),
        ("It is cold. It will rain.\n\nThen sun.", "zh", "[It is cold.][It will rain.]\n\n[Then sun.]"),
        ("It is cold. It will rain.", "ja", "[It is cold.][It will rain.]"),
        ("寒い。雨だ。", "zh", "[寒い。][雨だ。]"),
    ],
)
def test_sentences_are_joined_as_the_target_language_has_them(source, target, joined):
    row = {"source_text": source, "target_lang": target}
    _, text = run(by_sentence(row, count), lambda part: f"[{part['source_text']}]")
    assert text == joined


def test_language_codes_stand_as_names_in_the_prompt():
    row = {"source_text": "Hi", "source_lang": "en", "target_lang": "pt-BR"}
    assert shape_generate.fill_prompt(get_task("translate").prompt, row) == "English: Hi\nPortuguese:"


def test_fields_that_the_template_does_not_name_are_ignored():
    row = {"document": "{x} {document}", "source_lang": "tlh", "more": 1}
    assert shape_generate.fill_prompt("{document}\n", row) == "{x} {document}\n"


def test_a_missing_field_is_named():
    with pytest.raises(InputError, match="needs the field 'genre'"):
        shape_generate.fill_prompt("{genre}", {"document": "a"})


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


def test_prompts_begin_with_the_beginning_token_and_targets_end_with_the_end_token(tokenizer):
    assert tokenizer.decode(shape_generate.prompt_ids(tokenizer, "Hi")) == "<bos>Hi"
    assert tokenizer.decode(shape_generate.target_ids(tokenizer, " yes\n", 20)) == " yes<eos>"


def test_shortened_targets_keep_their_end_token(tokenizer):
    ids = shape_generate.target_ids(tokenizer, "abcdef", 4)
    assert tokenizer.decode(ids) == " ab<eos>"


def test_what_is_not_the_output_yet_is_not_shown_as_it():
    rows = [{"document": "a"}, {"document": "b"}]
    assert shape_generate.joiner(get_task("summarize"), rows) is None
    assert shape_generate.joiner(get_task("summarize"), rows[:1])(["s"]) == "s"
    assert shape_generate.joiner(get_task("translate"), rows)(["One.", "", "Two"]) == "One. Two"
