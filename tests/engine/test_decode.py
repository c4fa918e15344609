"""Choosing the next token, stopping, and texts whose last character is still incomplete."""

import math
import threading
from dataclasses import replace

import pytest
import torch

from playground.engine.decode import DecodeRow, apply_rules, choose
from playground.engine.grouped import DecodeGroup
from playground.engine.lora import Routes
from playground.engine.requests import Decoding


def row(decoding=None, output_ids=()):
    return DecodeRow([2], None, decoding or Decoding(), threading.Event(), output_ids=list(output_ids))


LOGITS = torch.tensor([0.0, 1.0, 3.0, 2.9])


def test_greedy_takes_the_likeliest():
    assert choose(row(), LOGITS) == 2


def test_the_repetition_penalty_counts_against_tokens_already_written():
    assert choose(row(Decoding(repetition_penalty=1.5), [2]), LOGITS) == 3
    assert choose(row(Decoding(repetition_penalty=1.5), [0]), LOGITS) == 2


def test_no_run_of_tokens_is_written_twice():
    assert choose(row(Decoding(no_repeat_ngram_size=2), [1, 2, 1]), LOGITS) == 3


def test_sampling_repeats_with_its_seed_and_varies_without():
    draws = [
        [choose(row(Decoding(temperature=1.0, seed=seed), [0] * step), LOGITS) for step in range(20)]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_nucleus_sampling_keeps_to_the_nucleus():
    drawn = {choose(row(Decoding(temperature=1.0, top_p=0.6, seed=seed)), LOGITS) for seed in range(60)}
    assert drawn == {2, 3}


@pytest.mark.parametrize("top_p", [0.3, 0.9, 1.0])
def test_a_nucleus_larger_than_what_is_looked_at_first_is_whole(top_p, monkeypatch):
    """Of 64 equally likely tokens each is drawn as often as the nucleus has room for it."""
    monkeypatch.setattr("playground.engine.decode.LIKELIEST", 4)
    settings = Decoding(temperature=1.0, top_p=top_p)
    drawn = {choose(row(replace(settings, seed=seed)), torch.zeros(64)) for seed in range(1000)}
    assert len(drawn) == pytest.approx(64 * top_p, abs=1)


def test_rules_leave_the_scores_as_they_are():
    scores = torch.tensor([[1.0, 2.0, 3.0]])
    changed = apply_rules(Decoding(repetition_penalty=2.0, no_repeat_ngram_size=1), [[2, 1]], scores)
    assert changed.tolist() == [[1.0, -math.inf, -math.inf]]
    assert scores.tolist() == [[1.0, 2.0, 3.0]]


class Script:
    """Makes a group write the given tokens, whatever the backbone thinks."""

    def __init__(self, group, ids):
        self.ids = iter(ids)
        group._forward = self.logits

    def logits(self):
        return torch.nn.functional.one_hot(torch.tensor([next(self.ids)]), 260).float()


def run(backbone, text_ids, **decoding):
    made = row(Decoding(**{"max_new_tokens": 50} | decoding))
    group = DecodeGroup(backbone, Routes(), [made])
    Script(group, text_ids)
    seen = []
    while not group.finished:
        group.step()
        seen.append(made.text)
    return made, seen


@pytest.fixture
def backbone(tiny_backbone):
    return tiny_backbone()


def ids_of(backbone, text):
    return backbone.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_the_end_token_ends_the_text_and_is_no_part_of_it(backbone):
    made, _ = run(backbone, [*ids_of(backbone, "ab"), 1, 99])
    assert (made.text, made.done) == ("ab", True)
    assert 1 not in made.output_ids


def test_the_text_is_cut_before_the_first_of_its_stops(backbone):
    made, _ = run(backbone, ids_of(backbone, "one\n\ntwo"), stop=("\n\n", "two"))
    assert made.text == "one"


def test_the_number_of_tokens_is_kept(backbone):
    made, _ = run(backbone, ids_of(backbone, "abcdef"), max_new_tokens=3)
    assert made.text == "abc"


def test_half_a_character_is_not_shown(backbone):
    made, seen = run(backbone, [*ids_of(backbone, "a海😀"), 1])
    assert seen == ["a", "a", "a", "a海", "a海", "a海", "a海", "a海😀", "a海😀"]
    assert made.text == "a海😀"


def test_a_cancelled_row_leaves_and_the_others_stay_right(tiny_backbone):
    backbone = tiny_backbone()
    rows = [DecodeRow([2, 60 + i], None, Decoding(max_new_tokens=8), threading.Event()) for i in range(3)]
    group = DecodeGroup(backbone, Routes(), rows)
    group.step()
    rows[1].cancelled.set()
    while not group.finished:
        group.step()
    assert rows[1].done
    assert len(rows[1].output_ids) == 1
    for kept in (rows[0], rows[2]):
        alone = DecodeRow(kept.prompt_ids, None, kept.decoding, threading.Event())
        single = DecodeGroup(backbone, Routes(), [alone])
        while not single.finished:
            single.step()
        assert kept.output_ids == alone.output_ids
