"""Beam search: the search itself on chances made by hand, and whole texts against plain `transformers`."""

import math
import string
import threading

import pytest
import torch

from playground.engine.beams import Beams
from playground.engine.decode import DecodeRow
from playground.engine.engine import Engine
from playground.engine.grouped import MAX_DECODE_ROWS, DecodeGroup
from playground.engine.requests import Decoding
from playground.errors import InputError

END, A, B = 0, 1, 2
ENDS = [1, *range(4, 28)]
"""End tokens enough that the tiny backbone's texts are of many lengths."""
PENALTIES = (-1.0, 0.0, 1.0, 3.0)


def never(ids):
    return False


def search(chances, has_stop=never, **decoding):
    """The finished search of a text whose next tokens END, A and B have the chances that its tokens so far decide."""
    beams = Beams(Decoding(**{"max_new_tokens": 9, "num_beams": 2} | decoding), {END}, has_stop)
    steps = [()]
    while steps:
        steps = beams.advance(torch.tensor([chances(*hypothesis.ids) for hypothesis in beams.live]).log())
        assert len(steps) == len(beams.live)
    return beams


def by_beginning(*ids):
    return {(): (0.0, 0.6, 0.4), (A,): (0.4, 0.3, 0.3), (B,): (0.9, 0.05, 0.05)}.get(ids, (0.4, 0.3, 0.3))


def test_the_likeliest_text_is_found_though_its_first_token_is_not_the_likeliest():
    assert search(by_beginning, num_beams=1).best.ids == (A,)
    found = search(by_beginning, num_beams=2).best
    assert found.ids == (B,)
    assert found.log_chance == pytest.approx(math.log(0.4 * 0.9))
    assert found.score == pytest.approx(math.log(0.4 * 0.9) / 2)


@pytest.mark.parametrize(("length_penalty", "ids"), [(-1.0, ()), (0.0, ()), (1.0, (A, A))])
def test_the_length_penalty_decides_between_short_and_long(length_penalty, ids):
    def chances(*ids):
        return {0: (0.5, 0.5, 0.0), 1: (0.2, 0.8, 0.0)}.get(len(ids), (0.8, 0.2, 0.0))

    assert search(chances, length_penalty=length_penalty).best.ids == ids


def test_the_search_is_over_when_nothing_live_can_beat_what_is_finished():
    beams = search(lambda *ids: (0.9, 0.06, 0.04))
    assert [hypothesis.ids for hypothesis in beams.finished] == [(), (A,)]
    assert (beams.length, beams.live) == (2, [])


def test_at_the_last_token_unfinished_texts_count_too():
    beams = search(lambda *ids: (0.1, 0.8, 0.1), max_new_tokens=3)
    assert (beams.best.ids, beams.length) == ((A, A, A), 3)


def test_a_stop_ends_a_hypothesis_and_not_the_search():
    beams = search(lambda *ids: (0.0, 0.6, 0.4), lambda ids: ids[-1] == B, max_new_tokens=3, length_penalty=2.0)
    assert [hypothesis.ids for hypothesis in beams.finished] == [(A, A, A), (A, A, B)]


def test_an_end_that_is_not_among_the_best_is_no_result():
    beams = search(lambda *ids: (0.1, 0.5, 0.4) if not ids else (0.6, 0.2, 0.2))
    assert () not in [hypothesis.ids for hypothesis in beams.finished]


def test_where_every_token_is_forbidden_the_text_stays_as_it_is():
    beams = search(lambda *ids: (0.0, 0.7, 0.3) if not ids else (0.0, 0.0, 0.0))
    assert beams.best.ids == (A,)


@pytest.mark.parametrize("length_penalty", [1e300, -1e300, 10**300])
def test_a_length_penalty_beyond_reason_is_no_failure(length_penalty):
    assert search(by_beginning, length_penalty=length_penalty).finished


@pytest.mark.parametrize("num_beams", [0, -1, 17])
def test_a_number_of_beams_out_of_range_is_refused(num_beams):
    with pytest.raises(InputError, match=f"from 1 to 16, not {num_beams}"):
        Decoding(num_beams=num_beams)


def test_beams_and_a_temperature_are_refused():
    Decoding(num_beams=1, temperature=0.7)
    with pytest.raises(InputError, match=r"4 beams and the temperature 0.7 can't go together"):
        Decoding(num_beams=4, temperature=0.7)


@pytest.fixture(scope="module")
def engine(tiny_backbone):
    """An engine whose texts end early."""
    backbone = tiny_backbone()
    backbone.model.generation_config.eos_token_id = ENDS
    made = Engine(backbone)
    yield made
    made.close()


def written(engine, rows, **decoding):
    prompts = [(ids, record and engine.adapter(record)) for ids, record in rows]
    ticket = engine.generate(prompts, Decoding(**{"max_new_tokens": 12, "num_beams": 4} | decoding))
    ticket.wait(60)
    return [row.output_ids for row in ticket.decode_rows]


def plainly(model, ids, **options):
    """What `transformers` writes after one prompt, without the end token."""
    found = model.generate(
        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
        **{"max_new_tokens": 12, "num_beams": 4, "eos_token_id": ENDS} | options,
    )[0, len(ids) :].tolist()  # fmt: skip
    return found[:-1] if found[-1] in options.get("eos_token_id", ENDS) else found


@pytest.mark.parametrize("length_penalty", PENALTIES)
def test_beams_equal_transformers(length_penalty, engine, tiny_causal, sample_ids):
    prompts = [sample_ids(length, seed) for seed in range(4) for length in (3, 9, 21, 50)]
    expected = [plainly(tiny_causal(), ids, length_penalty=length_penalty) for ids in prompts]
    assert written(engine, [(ids, None) for ids in prompts], length_penalty=length_penalty) == expected
    assert expected != [plainly(tiny_causal(), ids, num_beams=1) for ids in prompts]


@pytest.mark.parametrize("num_beams", [2, 7, 16])
def test_any_number_of_beams_equals_transformers(num_beams, engine, tiny_causal, sample_ids):
    prompts = [sample_ids(length) for length in (4, 12, 40)]
    expected = [plainly(tiny_causal(), ids, num_beams=num_beams) for ids in prompts]
    assert written(engine, [(ids, None) for ids in prompts], num_beams=num_beams) == expected


def test_the_prompts_of_these_tests_tell_the_length_penalties_apart(engine, sample_ids):
    rows = [(sample_ids(length, seed), None) for seed in range(4) for length in (3, 9, 21, 50)]
    found = [written(engine, rows, length_penalty=penalty) for penalty in PENALTIES]
    lengths = [sum(map(len, texts)) for texts in found]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) >= 3


@pytest.mark.parametrize("length_penalty", [1.0, 3.0])
def test_beams_with_different_adapters_in_one_batch_equal_pefts(
    length_penalty, engine, save_tiny_adapter, tiny_causal, tiny_peft, sample_ids
):
    one, two = save_tiny_adapter("summarize", "one", seed=1), save_tiny_adapter("translate", "two", seed=4)
    base, with_one, with_two = tiny_causal(), tiny_peft("generate", seed=1), tiny_peft("generate", seed=4)
    rows = [(9, one, with_one), (50, None, base), (22, two, with_two), (9, two, with_two), (9, None, base)]
    expected = [plainly(model, sample_ids(length), length_penalty=length_penalty) for length, _, model in rows]
    asked = [(sample_ids(length), record) for length, record, _ in rows]
    assert written(engine, asked, length_penalty=length_penalty) == expected
    assert len({tuple(expected[index]) for index in (0, 3, 4)}) == 3


def test_the_rules_against_repeating_equal_transformers(engine, tiny_causal, sample_ids):
    from transformers import NoRepeatNGramLogitsProcessor
    from transformers.generation import RepetitionPenaltyLogitsProcessor

    no_pairs, prompts = NoRepeatNGramLogitsProcessor(2), [sample_ids(length) for length in (3, 9, 21, 50)]

    def rules(length):
        return [
            RepetitionPenaltyLogitsProcessor(1.3, prompt_ignore_length=length),
            lambda ids, scores: no_pairs(ids[:, length:], scores),
        ]

    options = {"max_new_tokens": 30, "eos_token_id": [1]}
    expected = [plainly(tiny_causal(), ids, logits_processor=rules(len(ids)), **options) for ids in prompts]
    engine.backbone.model.generation_config.eos_token_id = 1
    try:
        rows = [(ids, None) for ids in prompts]
        found = written(engine, rows, repetition_penalty=1.3, no_repeat_ngram_size=2, max_new_tokens=30)
    finally:
        engine.backbone.model.generation_config.eos_token_id = ENDS
    assert found == expected
    assert found != [plainly(tiny_causal(), ids, **options) for ids in prompts]


@pytest.mark.parametrize("max_new_tokens", [1, 2, 5])
def test_the_number_of_tokens_is_kept(max_new_tokens, engine, tiny_causal, sample_ids):
    prompts = [sample_ids(length) for length in (3, 9, 21)]
    expected = [plainly(tiny_causal(), ids, max_new_tokens=max_new_tokens, length_penalty=5.0) for ids in prompts]
    found = written(engine, [(ids, None) for ids in prompts], max_new_tokens=max_new_tokens, length_penalty=5.0)
    assert found == expected
    assert max(map(len, found)) == max_new_tokens


def run(group):
    while not group.finished:
        group.step()


def group_of(engine, prompts, **decoding):
    settings = Decoding(**{"max_new_tokens": 12, "num_beams": 4} | decoding)
    rows = [DecodeRow(ids, None, settings, threading.Event()) for ids in prompts]
    return DecodeGroup(engine.backbone, engine._routes, rows), rows


def test_one_beam_equals_greedy(engine, sample_ids):
    prompts = [sample_ids(length, seed) for seed in range(3) for length in (3, 9, 21, 50)]
    group, greedy = group_of(engine, prompts, num_beams=1)
    run(group)
    group, single = group_of(engine, prompts, num_beams=1)
    for row in single:
        row.beams = Beams(row.decoding, group.writer.stop_ids, never)
    run(group)
    assert [row.output_ids for row in single] == [row.output_ids for row in greedy]
    assert [row.text for row in single] == [row.text for row in greedy]


def test_greedy_rows_and_rows_with_beams_share_a_cache(engine, tiny_causal, sample_ids):
    prompts, beams = [sample_ids(length) for length in (9, 50, 21)], (1, 4, 2)
    rows = [
        DecodeRow(ids, None, Decoding(max_new_tokens=12, num_beams=num_beams), threading.Event())
        for ids, num_beams in zip(prompts, beams, strict=True)
    ]
    run(DecodeGroup(engine.backbone, engine._routes, rows))
    expected = [plainly(tiny_causal(), ids, num_beams=n) for ids, n in zip(prompts, beams, strict=True)]
    assert [row.output_ids for row in rows] == expected


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_cancelled_row_leaves_with_its_beams_and_the_others_stay_right(steps, engine, tiny_causal, sample_ids):
    prompts = [sample_ids(length) for length in (9, 21, 50)]
    group, rows = group_of(engine, prompts, length_penalty=5.0)
    for _ in range(steps):
        group.step()
    rows[1].cancelled.set()
    stood = list(rows[1].output_ids)
    group.step()
    assert (rows[1].done, rows[1].output_ids) == (True, stood)
    assert len(group.mask) == sum(row.num_lines for row in (rows[0], rows[2])) <= 8
    run(group)
    for index in (0, 2):
        assert rows[index].output_ids == plainly(tiny_causal(), prompts[index], length_penalty=5.0)


def test_the_best_text_so_far_is_shown_while_it_grows(engine, sample_ids):
    group, (row,) = group_of(engine, [sample_ids(9)], length_penalty=5.0)
    seen = []
    while not group.finished:
        group.step()
        seen.append(list(row.output_ids))
        assert row.text == engine.backbone.tokenizer.decode(row.output_ids, skip_special_tokens=True).rstrip("\ufffd")
    assert len(seen) > 3
    assert all(1 <= len(ids) <= step for step, ids in enumerate(seen, 1))
    assert row.beams.best.ids == tuple(seen[-1])


def test_texts_are_cut_before_a_stop(engine, tiny_causal, sample_ids):
    prompts = [sample_ids(length, seed) for seed in range(3) for length in (3, 9, 21)]
    stops = tuple(string.ascii_lowercase)
    stop_ids = engine.backbone.tokenizer("".join(stops), add_special_tokens=False)["input_ids"]
    group, rows = group_of(engine, prompts, stop=stops)
    run(group)
    # To stop at a text of one token is to take that for an end token, only that it stays among the tokens.
    expected = [plainly(tiny_causal(), ids, eos_token_id=[*ENDS, *stop_ids]) for ids in prompts]
    ended = [not set(stop_ids).isdisjoint(row.output_ids) for row in rows]
    assert [row.output_ids[:-1] if cut else row.output_ids for row, cut in zip(rows, ended, strict=True)] == expected
    assert any(ended)
    assert not any(letter in row.text for row in rows for letter in stops)


def test_a_long_request_holds_few_caches_and_keeps_its_order(engine, sample_ids, tiny_causal, monkeypatch):
    prompts = [sample_ids(3 + index % 5, index) for index in range(10)]
    widths = []
    step = DecodeGroup.step

    def counted(group):
        step(group)
        widths.append(len(group.mask))

    monkeypatch.setattr(DecodeGroup, "step", counted)
    found = written(engine, [(ids, None) for ids in prompts], num_beams=5)
    assert MAX_DECODE_ROWS - 5 < max(widths) <= MAX_DECODE_ROWS
    assert found == [plainly(tiny_causal(), ids, num_beams=5) for ids in prompts]
