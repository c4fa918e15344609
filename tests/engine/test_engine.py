"""The engine's thread: who gets which answer, and what happens when something goes wrong."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from playground import settings
from playground.adapters.record import WEIGHTS_FILE
from playground.engine import engine as engine_module
from playground.engine.engine import Engine
from playground.engine.grouped import MAX_DECODE_ROWS, DecodeGroup
from playground.engine.lora import LoadedAdapter
from playground.engine.requests import Decoding, EncodeRow
from playground.errors import AdapterError, BackboneError, BusyError, Cancelled

PATIENCE_S = 60
PROMPT = [2, 70, 71]
ENDLESS = Decoding(max_new_tokens=1_000_000)


@pytest.fixture
def tireless_backbone(tiny_backbone):
    """Knows no end token, so that it writes until it is stopped."""
    backbone = tiny_backbone()
    backbone.tokenizer.eos_token = None
    backbone.model.generation_config.eos_token_id = None
    return backbone


@pytest.fixture
def engine(tireless_backbone):
    """An engine of its own, for tests that break things."""
    made = Engine(tireless_backbone)
    yield made
    made.close()


@pytest.fixture
def gate(monkeypatch):
    """Holds up the first single pass until the gate is set, so that the next ones wait in one line."""
    opened, reached, run = threading.Event(), threading.Event(), engine_module.encode

    def encode(backbone, routes, rows):
        if not reached.is_set():
            reached.set()
            assert opened.wait(PATIENCE_S)
        return run(backbone, routes, rows)

    monkeypatch.setattr(engine_module, "encode", encode)
    yield reached, opened
    opened.set()


def eventually(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_200_requests_of_8_threads_with_different_adapters_never_cross(tiny_engine, save_tiny_adapter, sample_ids):
    heads = [save_tiny_adapter("sentiment", f"a{seed}", seed=seed) for seed in range(3)]
    heads.append(save_tiny_adapter("sentiment", "both-ways", seed=9, attention="bidirectional"))
    writers = [save_tiny_adapter("summarize", "w1", seed=4), save_tiny_adapter("translate", "w2", seed=6), None]

    def label(ids, record):
        ticket = tiny_engine.encode([EncodeRow(ids, tiny_engine.adapter(record), record.attention, pooled=True)])
        ticket.wait(PATIENCE_S)
        return ticket.logits[0]

    def write(ids, record):
        loaded = tiny_engine.adapter(record) if record else None
        ticket = tiny_engine.generate([(ids, loaded)], Decoding(max_new_tokens=6))
        ticket.wait(PATIENCE_S)
        return ticket.decode_rows[0].output_ids

    texts = [sample_ids(length) for length in (4, 19, 50)]
    jobs = [(label, ids, record) for ids in texts for record in heads]
    jobs += [(write, ids, record) for ids in texts for record in writers]
    alone = [ask(ids, record) for ask, ids, record in jobs]
    chosen = random.Random(0).choices(range(len(jobs)), k=200)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: jobs[index][0](*jobs[index][1:]), chosen))
    for index, answer in zip(chosen, found, strict=True):
        if jobs[index][0] is write:
            assert answer == alone[index]
        else:
            np.testing.assert_allclose(answer, alone[index], atol=2e-4)
    assert len({tuple(answer) for answer in alone}) == len(jobs)


def test_an_adapter_of_another_backbone_is_refused_by_name(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(name="foreign", backbone={"id": "other", "checksum": "1" * 64})
    with pytest.raises(AdapterError, match="'foreign' was made for the backbone 'other'"):
        tiny_engine.adapter(record)


def test_an_adapter_of_other_weights_of_the_same_name_is_refused(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(name="foreign", backbone={"id": "tiny", "checksum": "1" * 64})
    with pytest.raises(AdapterError, match="'foreign' was made for"):
        tiny_engine.adapter(record)


def test_a_tampered_adapter_is_refused_by_name(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(name="tampered")
    weights = record.path / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(AdapterError, match=r"tampered.*adapter_model.safetensors was changed"):
        tiny_engine.adapter(record)


def test_an_adapter_with_a_pickle_is_refused_by_name(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(name="pickled")
    (record.path / "adapter_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(AdapterError, match=r"pickled.*adapter_model.bin.*pickle"):
        tiny_engine.adapter(record)


def test_an_adapter_without_its_head_is_refused_by_name(tiny_engine, save_tiny_adapter, tmp_path):
    record = save_tiny_adapter("summarize", "headless", folder=tmp_path / "headless")
    with pytest.raises(AdapterError, match=r"headless.*no head"):
        tiny_engine.adapter(replace(record, shape="classify", labels=("a", "b")))


@pytest.mark.parametrize(
    ("config", "words"),
    [({"num_hidden_layers": 3}, "'model.layers.2"), ({"intermediate_size": 48}, "from 48 to 32 for .* from 64 to 32")],
)
def test_an_adapter_that_does_not_fit_the_layers_is_refused(config, words, tiny_engine, tiny_causal, tmp_path):
    import peft

    from playground.adapters.record import AdapterRecord, hash_files

    layers = {"layer_types": ["full_attention"] * config.get("num_hidden_layers", 2)}
    adapted = peft.get_peft_model(
        tiny_causal(**config | layers), peft.LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    )
    adapted.save_pretrained(tmp_path)
    record = AdapterRecord(
        "misfit",
        "summarize",
        "generate",
        {"id": "tiny", "checksum": "0" * 64},
        files=hash_files(tmp_path),
        path=tmp_path,
    )
    with pytest.raises(AdapterError, match=f"misfit.*{words}"):
        tiny_engine.adapter(record)


def test_the_engine_lives_on_after_refusals(tiny_engine, save_tiny_adapter, encoded, sample_ids):
    with pytest.raises(AdapterError):
        tiny_engine.adapter(save_tiny_adapter(name="foreign", backbone={"id": "other", "checksum": ""}))
    assert encoded([(sample_ids(5), save_tiny_adapter(name="good"), True)])[0].shape == (3,)


def test_the_least_recently_used_adapter_makes_room(tiny_backbone, save_tiny_adapter, monkeypatch):
    monkeypatch.setattr(settings, "MAX_LOADED_ADAPTERS", 2)
    engine = Engine(tiny_backbone())
    a, b, c = (save_tiny_adapter(name=name) for name in "abc")
    first, second = engine.adapter(a), engine.adapter(b)
    assert engine.adapter(a) is first
    engine.adapter(c)
    assert engine.adapter(a) is first
    assert engine.adapter(b) is not second
    assert len(engine._adapters) == 2
    engine.close()


def test_many_who_ask_for_a_new_adapter_at_once_load_it_once(tiny_engine, save_tiny_adapter, monkeypatch):
    record, load, loads = save_tiny_adapter(), engine_module.load_adapter, []

    def slow(*given):
        loads.append(given)
        time.sleep(0.2)
        return load(*given)

    monkeypatch.setattr(engine_module, "load_adapter", slow)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tiny_engine.adapter(record), range(8)))
    assert len(loads) == 1
    assert all(one is found[0] for one in found)


def test_an_adapter_trained_anew_under_its_name_is_loaded_anew(tiny_engine, save_tiny_adapter, encoded, sample_ids):
    from playground.adapters.store import remove

    old = save_tiny_adapter(name="mine", seed=1)
    before = encoded([(sample_ids(9), old, True)])[0]
    remove(old)
    after = encoded([(sample_ids(9), save_tiny_adapter(name="mine", seed=2), True)])[0]
    assert not np.allclose(before, after, atol=1e-2)


def test_a_cancelled_request_ends_at_the_next_step(engine):
    ticket = engine.generate([(PROMPT, None)], ENDLESS)
    eventually(lambda: len(ticket.decode_rows[0].output_ids) > 2)
    ticket.cancel()
    with pytest.raises(Cancelled):
        ticket.wait(PATIENCE_S)
    made = len(ticket.decode_rows[0].output_ids)
    engine.generate([(PROMPT, None)], Decoding(max_new_tokens=5)).wait(PATIENCE_S)
    assert len(ticket.decode_rows[0].output_ids) == made
    assert not engine._open


LEAVES_IN_THE_MIDDLE = """
import sys
from playground.backbones.loading import load
from playground.engine.engine import Engine
from playground.engine.requests import Decoding

backbone = load(sys.argv[1], "none", print)
backbone.tokenizer.eos_token = backbone.model.generation_config.eos_token_id = None
ticket = Engine(backbone).generate([([2, *range(4, 200)], None)], Decoding(max_new_tokens=1_000_000))
while not ticket.decode_rows[0].output_ids:
    ticket.wait(0.01)
"""


def test_a_process_that_ends_while_the_engine_works_ends_well(tiny_backbone_folder):
    command = [sys.executable, "-c", LEAVES_IN_THE_MIDDLE, str(tiny_backbone_folder)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stderr


def test_a_cancelled_single_pass_is_never_run(engine, gate, save_tiny_adapter, sample_ids):
    reached, opened = gate
    loaded = engine.adapter(save_tiny_adapter())
    row = EncodeRow(sample_ids(5), loaded, "causal", pooled=True)
    running = engine.encode([row])
    assert reached.wait(PATIENCE_S)
    waiting = engine.encode([row])
    waiting.cancel()
    opened.set()
    with pytest.raises(Cancelled):
        waiting.wait(PATIENCE_S)
    running.wait(PATIENCE_S)
    assert not waiting.logits


def test_short_requests_are_answered_while_a_long_one_is_written(engine, save_tiny_adapter, sample_ids):
    long = engine.generate([(PROMPT, None)], ENDLESS)
    loaded = engine.adapter(save_tiny_adapter())
    for _ in range(3):
        engine.encode([EncodeRow(sample_ids(5), loaded, "causal", pooled=True)]).wait(PATIENCE_S)
        engine.generate([(sample_ids(5), None)], Decoding(max_new_tokens=3)).wait(PATIENCE_S)
    assert not long.finished.is_set()
    long.cancel()


def test_short_requests_are_answered_while_a_long_text_is_read(engine, save_tiny_adapter, sample_ids, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_PASS_TOKENS", 60)
    loaded = engine.adapter(save_tiny_adapter())
    long = engine.encode([EncodeRow(sample_ids(60, seed), loaded, "causal", pooled=True) for seed in range(2000)])
    for _ in range(3):
        engine.encode([EncodeRow(sample_ids(5), loaded, "causal", pooled=True)]).wait(PATIENCE_S)
    assert not long.finished.is_set()
    long.cancel()


def test_more_requests_than_fit_are_told_that_the_line_is_full(engine, monkeypatch):
    monkeypatch.setattr(settings, "MAX_WAITING_REQUESTS", 2)
    waiting = [engine.generate([(PROMPT, None)], ENDLESS) for _ in range(2)]
    with pytest.raises(BusyError, match="2 requests are waiting"):
        engine.generate([(PROMPT, None)], ENDLESS)
    waiting[0].cancel()
    eventually(waiting[0].finished.is_set)
    engine.generate([(PROMPT, None)], Decoding(max_new_tokens=2)).wait(PATIENCE_S)


def test_a_long_request_holds_few_caches_at_a_time_and_keeps_its_order(engine, sample_ids, monkeypatch):
    prompts = [sample_ids(3 + index % 5, index) for index in range(3 * MAX_DECODE_ROWS)]
    live: dict[int, int] = {}
    most = 0
    step = DecodeGroup.step

    def counted(group):
        nonlocal most
        live[id(group)] = len(group.rows)
        most = max(most, sum(live.values()))
        step(group)
        live[id(group)] = len(group.rows)

    monkeypatch.setattr(DecodeGroup, "step", counted)
    ticket = engine.generate([(ids, None) for ids in prompts], Decoding(max_new_tokens=4))
    ticket.wait(PATIENCE_S)
    assert most == MAX_DECODE_ROWS
    for ids, row in zip(prompts[::7], ticket.decode_rows[::7], strict=True):
        alone = engine.generate([(ids, None)], Decoding(max_new_tokens=4))
        alone.wait(PATIENCE_S)
        assert row.output_ids == alone.decode_rows[0].output_ids


def test_a_failing_pass_ends_only_the_request_that_fails(engine, gate, save_tiny_adapter, sample_ids):
    reached, opened = gate
    good = engine.adapter(save_tiny_adapter())
    bad = LoadedAdapter("bad", {}, head=torch.zeros(3, 7))
    both_ways = engine.adapter(save_tiny_adapter(name="b", attention="bidirectional"))
    first = engine.encode([EncodeRow(sample_ids(5), good, "causal", pooled=True)])
    assert reached.wait(PATIENCE_S)
    failing = engine.encode([EncodeRow(sample_ids(6), bad, "causal", pooled=True)])
    beside = engine.encode([EncodeRow(sample_ids(7), good, "causal", pooled=True)])
    other_mode = engine.encode([EncodeRow(sample_ids(8), both_ways, "bidirectional", pooled=True)])
    opened.set()
    with pytest.raises(RuntimeError):
        failing.wait(PATIENCE_S)
    assert all(ticket.wait(PATIENCE_S) and ticket.logits[0].shape == (3,) for ticket in (first, beside, other_mode))


@pytest.mark.parametrize("ids", [[], [999_999], [None]])
def test_a_failing_step_ends_only_its_request(ids, engine):
    long = engine.generate([(PROMPT, None)], ENDLESS)
    failing = engine.generate([(ids, None)], ENDLESS)
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        failing.wait(PATIENCE_S)
    made = len(long.decode_rows[0].output_ids)
    eventually(lambda: len(long.decode_rows[0].output_ids) > made)
    long.cancel()


def test_a_request_of_nothing_is_finished_at_once(engine):
    assert engine.encode([]).wait(PATIENCE_S)
    assert engine.generate([], Decoding()).wait(PATIENCE_S)


def test_closing_ends_requests_under_way_and_refuses_new_ones(tireless_backbone):
    engine = Engine(tireless_backbone)
    ticket = engine.generate([(PROMPT, None)] * 40, ENDLESS)
    engine.close()
    with pytest.raises(Cancelled, match="shutting down"):
        ticket.wait(PATIENCE_S)
    with pytest.raises(Cancelled, match="shutting down"):
        engine.generate([(PROMPT, None)], ENDLESS)


def test_a_closed_text_stream_frees_its_row(engine):
    texts = engine.generate_text(PROMPT, ENDLESS)
    next(texts)
    assert engine._open
    texts.close()
    eventually(lambda: not engine._open)


def test_the_chances_of_choices_are_those_of_the_next_token(tiny_engine, tiny_causal, sample_ids):
    prompts, choices = [sample_ids(8), sample_ids(20)], (70, 71, 90)
    ticket = tiny_engine.choose(prompts, choices)
    ticket.wait(PATIENCE_S)
    with torch.no_grad():
        logits = [tiny_causal()(input_ids=torch.tensor([ids])).logits[0, -1] for ids in prompts]
    for row, expected in zip(ticket.decode_rows, logits, strict=True):
        np.testing.assert_allclose(row.chances, torch.softmax(expected[list(choices)], -1), atol=1e-4)


@pytest.mark.parametrize(
    ("family", "words"), [("encoder", "can't write text"), ("encoder-decoder", "can't write text")]
)
def test_backbones_that_are_no_decoders_say_that_they_cannot_write(family, words, tiny_backbone):
    engine = Engine(tiny_backbone(family=family))
    with pytest.raises(BackboneError, match=words):
        engine.generate([([2, 5], None)], Decoding())
    with pytest.raises(BackboneError, match=words):
        engine.choose([[2, 5]], (4, 5))
    engine.close()
