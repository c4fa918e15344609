import math

import pytest
from transformers import PreTrainedTokenizerFast

from playground.data.dialogue import as_instruction
from playground.errors import DataError
from playground.tasks import get_task
from playground.training.features import IGNORED, build_features, head_labels, log_shares, with_known_labels


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


@pytest.fixture
def built(tokenizer):
    def build(task_name, rows, max_length=64):
        task = get_task(task_name)
        return build_features(task, rows, tokenizer, head_labels(task, rows), max_length, seed=0)

    return build


def test_labels_are_the_sorted_ones_of_the_rows():
    assert head_labels(get_task("classify"), [{"label": "b"}, {"label": "a"}, {"label": "b"}]) == ("a", "b")
    entities = [{"entities": [{"label": "X"}]}, {"entities": [{"label": "LOC"}]}, {"entities": []}]
    assert head_labels(get_task("ner"), entities) == ("O", "B-LOC", "I-LOC", "B-X", "I-X")
    assert head_labels(get_task("qa"), []) == ("start", "end")
    assert head_labels(get_task("translate"), []) == ()


def test_rows_with_labels_that_the_head_lacks_are_left_out():
    rows = [{"label": "a"}, {"label": "new"}]
    assert with_known_labels(get_task("classify"), rows, ("a", "b")) == rows[:1]
    rows = [{"entities": [{"label": "LOC"}]}, {"entities": [{"label": "X"}]}, {"entities": []}]
    assert with_known_labels(get_task("ner"), rows, ("O", "B-LOC", "I-LOC")) == [rows[0], rows[2]]
    assert with_known_labels(get_task("qa"), rows, ("start", "end")) == rows


def test_one_label_alone_is_refused_by_name():
    with pytest.raises(DataError, match="All 2 rows have the label 'spam'; at least two"):
        head_labels(get_task("sentiment"), [{"label": "spam"}] * 2)


def test_rows_without_any_entity_are_refused():
    with pytest.raises(DataError, match="None of the 3 rows marks an entity"):
        head_labels(get_task("ner"), [{"entities": []}] * 3)


def test_classify_rows_keep_their_beginning_and_are_counted_when_that_is_not_all(built, tokenizer):
    found = built("classify", [{"text": "short", "label": "b"}, {"text": "long " * 40, "label": "a"}])
    assert [feature.labels for feature in found.features] == [[1], [0]]
    assert tokenizer.decode(found.features[0].input_ids) == "<bos>short"
    assert len(found.features[1].input_ids) == 64
    assert found.num_truncated == 1


def test_long_tag_rows_give_windows_that_hold_every_entity(built):
    text = "a Bob " * 30
    entities = [{"start": 2 + 6 * number, "end": 5 + 6 * number, "label": "PER"} for number in range(30)]
    found = built("ner", [{"text": text, "entities": entities}])
    assert len(found.features) > 3
    assert found.num_truncated == 0
    assert all(len(feature.labels) == len(feature.input_ids) for feature in found.features)
    assert all(feature.labels[0] == IGNORED for feature in found.features)
    assert sum(feature.labels.count(1) for feature in found.features) >= 30


def test_a_span_row_gives_a_window_with_the_answer_and_some_give_one_without(built, tokenizer):
    context = "word " * 60 + "here"
    row = {"context": context, "question": "Where?", "answers": [{"text": "here", "start": 300}]}
    found = built("qa", [row] * 100).features
    holding = [feature for feature in found if feature.labels != [0, 0]]
    assert len(holding) == 100
    assert 5 < len(found) - len(holding) < 40
    for feature in holding:
        first, last = feature.labels
        assert tokenizer.decode(feature.input_ids[first : last + 1]) == "here"


def test_an_unanswerable_row_gives_one_window(built):
    found = built("qa", [{"context": "word " * 60, "question": "Where?", "answers": []}]).features
    assert [feature.labels for feature in found] == [[0, 0]]


def test_generate_rows_learn_the_completion_only(built, tokenizer):
    row = {"source_text": "Hi", "source_lang": "en", "target_lang": "fr", "target_text": "Salut"}
    (feature,) = built("translate", [row]).features
    prompt = "<bos>English: Hi\nFrench:"
    assert tokenizer.decode(feature.input_ids) == f"{prompt} Salut<eos>"
    learnt = [i for i in feature.labels if i != IGNORED]
    assert tokenizer.decode(learnt) == " Salut<eos>"
    assert len(feature.labels) == len(feature.input_ids)


def test_long_documents_are_shortened_and_the_prompt_around_them_stays(built, tokenizer):
    row = {"document": "0123456789" * 60, "summary": "Digits."}
    found = built("summarize", [row], max_length=100)
    text = tokenizer.decode(found.features[0].input_ids)
    assert text.startswith("<bos>0123456789")
    assert text.endswith("\n\nSummary: Digits.<eos>")
    assert len(found.features[0].input_ids) <= 100 + get_task("summarize").max_new_tokens
    assert found.num_truncated == 1


def test_a_completion_that_is_cut_counts_as_truncated_though_the_row_fits(built, tokenizer):
    fits = get_task("translate").new_tokens(512) * 2
    row = {"source_text": "Hi", "source_lang": "en", "target_lang": "fr"}
    whole, cut = (
        built("translate", [row | {"target_text": text}], max_length=512) for text in ("a" * (fits - 2), "a" * fits)
    )
    assert (whole.num_truncated, cut.num_truncated) == (0, 1)
    assert whole.features == cut.features
    assert cut.features[0].input_ids[-1] == tokenizer.eos_token_id


def test_how_frequent_a_label_is_counts_by_language_and_source():
    rows = [{"text": "a", "label": label, "lang": "es", "source": "x"} for label in ["bad"] * 7 + ["good"]]
    rows += [{"text": "b", "label": "bad", "lang": "de"}]
    found = log_shares(rows, ("bad", "good"))
    assert found["es", "x"] == pytest.approx([math.log(8 / 10), math.log(2 / 10)])
    assert found["de", None] == pytest.approx([math.log(2 / 3), math.log(1 / 3)])


def test_only_adjusted_features_have_offsets(tokenizer):
    rows = [{"text": "a", "label": "bad", "lang": "es"}, {"text": "b", "label": "good", "lang": "es"}]
    task = get_task("classify")
    for is_adjusted in (False, True):
        built = build_features(task, rows, tokenizer, ("bad", "good"), 64, 0, logit_adjustment=is_adjusted)
        assert [len(feature.offsets) for feature in built.features] == [2 * is_adjusted] * 2


def said(*turns: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(turns)]


def test_every_reply_of_a_conversation_is_learnt(built, tokenizer):
    row = as_instruction({"messages": said("Hi", "Yes?", "So?", "So what?")})
    found = built("instruct", [row])
    assert [tokenizer.decode(feature.input_ids) for feature in found.features] == [
        "<bos>Hi\n Yes?<eos>",
        "<bos>Hi\n\nYes?\n\nSo?\n So what?<eos>",
    ]
    assert found.num_truncated == 0


def test_of_a_long_conversation_the_newest_is_heard(built, tokenizer):
    row = as_instruction({"messages": said("first " * 80, "Yes?", "The newest?", "Yes.")})
    _, feature = built("instruct", [row], max_length=50).features
    text = tokenizer.decode(feature.input_ids)
    assert "first" in text
    assert text.endswith("The newest?\n Yes.<eos>")
    assert len(feature.input_ids) <= 50 + get_task("instruct").max_new_tokens


def test_longer_texts_have_longer_completions(built):
    task = get_task("instruct")
    row = {"prompt": "Hi", "completion": "a" * 900}
    assert built("instruct", [row], max_length=task.max_length).num_truncated == 1
    assert built("instruct", [row], max_length=3 * task.max_length).num_truncated == 0
    assert [task.new_tokens(length) for length in (64, 512, 1024)] == [192, 192, 384]
