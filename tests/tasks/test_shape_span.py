import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from playground.errors import InputError
from playground.tasks import shape_span
from playground.tasks.shape_span import MAX_ANSWER_TOKENS
from playground.tasks.windows import Tokens, make_windows

CONTEXT = " ".join(f"w{number:02}" for number in range(60))
TOKENS = Tokens(list(range(60)), [(number * 4, number * 4 + 3) for number in range(60)])
FRAME = [1, 2, 3]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


def decoded(start_scores, end_scores, limit=100, none=0.0, threshold=0.0):
    """The answer for scores by token of the context, seen through windows of `limit` tokens."""
    windows = make_windows(TOKENS.ids, FRAME, [], limit)
    logits = []
    for window in windows:
        states = np.full((len(window.input_ids), 2), -3.0, dtype=np.float32)
        states[0] = none / 2
        for column, scores in enumerate((start_scores, end_scores)):
            for token, score in scores.items():
                if window.start <= token < window.end:
                    states[token - window.start + window.position, column] = score
        logits.append(states)
    return shape_span.decode({"context": CONTEXT}, TOKENS, windows, logits, threshold)


def test_the_best_span_is_a_slice_of_the_context():
    answer = decoded({10: 4.0}, {12: 4.0})["answer"]
    assert (answer["text"], answer["start"], answer["end"]) == ("w10 w11 w12", 40, 51)
    assert CONTEXT[answer["start"] : answer["end"]] == answer["text"]
    assert 0.9 < answer["score"] < 1


@pytest.mark.parametrize("limit", [20, 33])
@pytest.mark.parametrize("place", [0, 13, 30, 44, 59])
def test_answers_are_found_in_every_window(place, limit):
    assert decoded({place: 5.0}, {place: 5.0}, limit)["answer"]["text"] == f"w{place:02}"


def test_an_end_before_the_start_is_no_answer():
    assert decoded({20: 4.0, 5: 1.0}, {10: 4.0}, none=-9)["answer"]["text"] == "w05 w06 w07 w08 w09 w10"


def test_answers_have_an_end():
    answer = decoded({0: 9.0}, {0: 1.0, MAX_ANSWER_TOKENS: 9.0, MAX_ANSWER_TOKENS - 1: 2.0}, none=-20)["answer"]
    assert answer["text"].endswith(f"w{MAX_ANSWER_TOKENS - 1}")


def test_no_answer_wins_when_its_score_is_higher():
    assert decoded({10: 4.0}, {12: 4.0}, none=9.0)["answer"] is None
    assert decoded({10: 4.0}, {12: 4.0}, none=7.0)["answer"] is not None


def test_the_threshold_moves_the_border():
    assert decoded({10: 4.0}, {12: 4.0}, none=9.0, threshold=-2.0)["answer"]["text"] == "w10 w11 w12"
    assert decoded({10: 4.0}, {12: 4.0}, none=7.0, threshold=2.0)["answer"] is None
    assert decoded({10: 4.0}, {12: 4.0}, none=7.0)["margin"] == pytest.approx(1.0)


def test_no_context_has_no_answer():
    windows = make_windows([], FRAME, [], 20)
    assert shape_span.decode({"context": "x"}, Tokens([], []), windows, [np.zeros((3, 2))])["answer"] is None


def test_targets_point_at_the_tokens_of_the_answer():
    (window,) = make_windows(TOKENS.ids, FRAME, [], 100)
    assert shape_span.target(TOKENS, window, [{"text": "w10 w11", "start": 40}]) == (13, 14)
    assert shape_span.target(TOKENS, window, [{"text": "10", "start": 41}]) == (13, 13)
    assert shape_span.target(TOKENS, window, []) == (0, 0)


def test_a_window_with_half_an_answer_learns_that_there_is_none():
    windows = make_windows(TOKENS.ids, FRAME, [], 23)
    answer = [{"text": CONTEXT[76:83], "start": 76}]  # tokens 19 and 20; the first window ends after 19
    targets = [shape_span.target(TOKENS, window, answer) for window in windows]
    assert windows[0].end == 20
    assert targets[0] == (0, 0)
    assert targets[1] == (19 - windows[1].start + 3, 20 - windows[1].start + 3)


def test_each_window_begins_with_the_question(tokenizer):
    row = {"question": "Who?", "context": "Ann. " * 40}
    context, windows = shape_span.windows(tokenizer, row, 40)
    assert len(windows) > 5
    assert all(tokenizer.decode(window.input_ids).startswith("<bos>Who?\n\n") for window in windows)
    assert windows[-1].end == len(context.ids)


def test_a_question_that_leaves_no_room_is_refused(tokenizer):
    with pytest.raises(InputError, match="The question has 500 tokens; ask in at most 128"):
        shape_span.windows(tokenizer, {"question": "x" * 500, "context": "a"}, 300)
