import itertools

import numpy as np
import pytest

from playground.tasks import shape_tag
from playground.tasks.shape_tag import IGNORED, bio_labels, viterbi
from playground.tasks.windows import Tokens, make_windows

LABELS = bio_labels(["LOC", "PER"])


def words(text):
    """Tokens of the words of `text`, one each."""
    offsets, start = [], 0
    for word in text.split(" "):
        offsets.append((start, start + len(word)))
        start += len(word) + 1
    return Tokens(list(range(len(offsets))), offsets)


def logits_for(tags):
    """Logits that are sure of `tags`."""
    found = np.full((len(tags), len(LABELS)), -5.0, dtype=np.float32)
    found[range(len(tags)), [LABELS.index(tag) for tag in tags]] = 5.0
    return found


def decoded(text, tags, tokens=None, limit=100):
    tokens = tokens or words(text)
    windows = make_windows(tokens.ids, [7], [8], limit)
    states = logits_for(tags)
    frame = logits_for(["B-PER"])
    logits = [np.concatenate([frame, states[w.start : w.end], frame]) for w in windows]
    return shape_tag.decode({"text": text}, tokens, windows, logits, LABELS)["entities"]


def spans(entities):
    return [(one["text"], one["label"]) for one in entities]


def is_legal(path):
    return all(
        not LABELS[after].startswith("I-") or LABELS[before][1:] == LABELS[after][1:]
        for before, after in itertools.pairwise([0, *path])
    )


@pytest.mark.parametrize("seed", range(20))
def test_viterbi_finds_the_best_legal_sequence_that_brute_force_finds(seed):
    scores = np.random.default_rng(seed).normal(size=(4, len(LABELS))) * 3
    paths = [path for path in itertools.product(range(len(LABELS)), repeat=4) if is_legal(path)]
    best = max(paths, key=lambda path: sum(scores[step, label] for step, label in enumerate(path)))
    assert viterbi(scores, LABELS) == list(best)


@pytest.mark.parametrize("length", [1, 2, 50, 300])
def test_viterbi_never_gives_an_illegal_sequence(length):
    scores = np.random.default_rng(length).normal(size=(length, len(LABELS))) * 5
    scores[:, [LABELS.index("I-PER"), LABELS.index("I-LOC")]] += 4
    path = viterbi(scores, LABELS)
    assert len(path) == length
    assert is_legal(path)


def test_entities_have_offsets_text_label_and_score():
    (ann, rome) = decoded("Ann Lee saw Rome .", ["B-PER", "I-PER", "O", "B-LOC", "O"])
    assert (ann["start"], ann["end"], ann["text"], ann["label"]) == (0, 7, "Ann Lee", "PER")
    assert (rome["start"], rome["end"]) == (12, 16)
    assert 0.99 < ann["score"] <= 1


def test_neighbours_of_one_type_stay_apart_when_both_begin():
    assert spans(decoded("Ann Bob", ["B-PER", "B-PER"])) == [("Ann", "PER"), ("Bob", "PER")]


@pytest.mark.parametrize("limit", [10, 12, 17])
def test_windows_give_what_one_pass_gives(limit):
    tags = ["O", "B-PER", "I-PER", "O", "B-LOC"] * 12
    text = " ".join(f"w{number}" for number in range(60))
    assert decoded(text, tags, limit=limit) == decoded(text, tags)
    assert len(decoded(text, tags)) == 24


def test_no_tokens_hold_no_entities():
    windows = make_windows([], [7], [8], 20)
    assert shape_tag.decode({"text": "\u200b"}, Tokens([], []), windows, [logits_for(["O", "O"])], LABELS) == {
        "entities": []
    }


def test_the_bytes_of_one_character_are_one_entity():
    tokens = Tokens([1, 2, 3, 4], [(0, 1), (0, 1), (0, 1), (1, 3)])
    found = decoded("海ab", ["B-LOC", "B-PER", "B-LOC", "O"], tokens)
    assert [(one["start"], one["end"], one["label"]) for one in found] == [(0, 1, "LOC")]


def test_an_entity_of_white_space_alone_is_none():
    assert decoded("a b", ["O", "B-PER", "O"], Tokens([1, 2, 3], [(0, 1), (1, 1), (2, 3)])) == []


def test_targets_are_what_decoding_gives_back():
    text = "Ann Lee met Bob in New York"
    tokens = words(text)
    entities = [
        {"start": 0, "end": 7, "label": "PER"},
        {"start": 12, "end": 15, "label": "PER"},
        {"start": 19, "end": 27, "label": "LOC"},
    ]
    (window,) = make_windows(tokens.ids, [7], [8], 50)
    target = shape_tag.target(tokens, window, entities, LABELS)
    assert target[0] == target[-1] == IGNORED
    assert [LABELS[i] for i in target[1:-1]] == ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC"]
    found = decoded(text, [LABELS[i] for i in target[1:-1]])
    assert [{key: one[key] for key in ("start", "end", "label")} for one in found] == entities


def test_a_token_that_an_entity_only_touches_belongs_to_it():
    (window,) = make_windows([1, 2], [], [], 50)
    tokens = Tokens([1, 2], [(0, 5), (5, 9)])
    assert shape_tag.target(tokens, window, [{"start": 3, "end": 5, "label": "LOC"}], LABELS) == [
        LABELS.index("B-LOC"),
        0,
    ]


def test_white_space_inside_an_entity_belongs_to_it_and_around_it_does_not():
    tokens = Tokens([1, 2, 3, 4, 5], [(0, 0), (1, 4), (4, 4), (5, 9), (9, 9)])
    (window,) = make_windows(tokens.ids, [], [], 50)
    target = shape_tag.target(tokens, window, [{"start": 1, "end": 9, "label": "LOC"}], LABELS)
    assert [LABELS[i] for i in target] == ["O", "B-LOC", "I-LOC", "I-LOC", "O"]
