"""Continuous batching: whoever comes and goes, each text is the one that it would be alone."""

import threading
from weakref import ref

import pytest
import torch

from playground.backbones.catalogue import CATALOGUE
from playground.backbones.loading import load
from playground.engine import continuous, drafts, prefixes
from playground.engine.engine import Engine
from playground.engine.lora import LoadedAdapter
from playground.engine.requests import Decoding, EncodeRow
from playground.errors import Cancelled

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the lean layers are for a CPU")

PATIENCE_S = 60


@pytest.fixture
def engine(tiny_backbone, tiny_backbone_folder):
    """Of the lean layers, which writes until it is stopped."""
    assert str(tiny_backbone_folder) not in CATALOGUE
    loaded = load(str(tiny_backbone_folder), "8-bit", lambda *_: None)
    backbone = tiny_backbone(model=loaded.model, quantization="8-bit", lean=loaded.lean)
    backbone.tokenizer.eos_token = None
    backbone.model.generation_config.eos_token_id = None
    made = Engine(backbone)
    yield made
    made.close()


def texts(ticket):
    assert ticket.wait(PATIENCE_S)
    return [row.output_ids for row in ticket.decode_rows]


def alone(engine, ids, adapter=None, **decoding):
    return texts(engine.generate([(ids, adapter)], Decoding(**{"max_new_tokens": 12} | decoding)))[0]


@pytest.fixture
def adapters(engine, save_tiny_adapter):
    records = [save_tiny_adapter("translate", f"tiny{seed}", seed=seed) for seed in range(3)]
    return [engine.adapter(record) for record in records]


def test_texts_of_several_adapters_and_lengths_do_not_mix(engine, adapters, sample_ids, monkeypatch):
    monkeypatch.setattr(continuous, "PROMPT_TOKENS", 20)
    rows = [(sample_ids(3 + 7 * index, index), [*adapters, None][index % 4]) for index in range(9)]
    expected = [alone(engine, ids, adapter) for ids, adapter in rows]
    assert len({tuple(ids) for ids in expected}) == 9
    tickets = [engine.generate([row], Decoding(max_new_tokens=12)) for row in rows]
    assert [texts(ticket)[0] for ticket in tickets] == expected
    assert texts(engine.generate(rows, Decoding(max_new_tokens=12))) == expected


def test_many_rows_take_turns_and_keep_their_order(engine, sample_ids, monkeypatch):
    widths = []
    run = continuous.Continuous._run

    def counted(self, chosen):
        widths.append(sum(line.width for line in self._lines))
        run(self, chosen)

    monkeypatch.setattr(continuous.Continuous, "_run", counted)
    prompts = [sample_ids(4, seed) for seed in range(40)]
    found = texts(engine.generate([(ids, None) for ids in prompts], Decoding(max_new_tokens=4)))
    assert max(widths) == continuous.MAX_REQUEST_LINES
    assert found == [alone(engine, ids, max_new_tokens=4) for ids in prompts]


def test_a_request_joins_while_another_writes(engine, sample_ids):
    endless = engine.generate([(sample_ids(5), None)], Decoding(max_new_tokens=1_000_000))
    assert len(alone(engine, sample_ids(9, 1))) == 12
    assert not endless.finished.is_set()
    endless.cancel()
    with pytest.raises(Cancelled):
        endless.wait(PATIENCE_S)


@pytest.mark.parametrize("num_beams", [2, 5])
def test_beams_find_the_same_alone_and_beside_others(engine, adapters, sample_ids, num_beams):
    prompts = [sample_ids(length, length) for length in (5, 30, 60)]
    expected = [alone(engine, ids, adapters[0], num_beams=num_beams) for ids in prompts]
    others = engine.generate([(sample_ids(8), adapters[1])] * 3, Decoding(max_new_tokens=40))
    rows = [(ids, adapters[0]) for ids in prompts]
    assert texts(engine.generate(rows, Decoding(max_new_tokens=12, num_beams=num_beams))) == expected
    others.cancel()


def test_drafts_change_no_text(engine, adapters, monkeypatch):
    # A tiny random model soon repeats itself, and a prompt that does so too is full of drafts.
    prompt = [2, *[70, 71, 72, 73] * 6]
    taken = []
    draft = drafts.draft
    monkeypatch.setattr(continuous, "draft", lambda row, most: taken.append(draft(row, most)) or taken[-1])
    rows = [(prompt, adapter) for adapter in [*adapters, None]]
    found = [alone(engine, *row, max_new_tokens=60) for row in rows]
    assert max(map(len, taken)) == drafts.DRAFTED_TOKENS
    taken.clear()
    monkeypatch.setattr(engine.backbone.lean, "cheap_rows", 3 * len(rows))
    together = texts(engine.generate(rows, Decoding(max_new_tokens=60)))
    assert len(next(filter(None, taken))) == 2  # of three tokens each, beside the next one
    monkeypatch.setattr(continuous, "draft", lambda row, most: [])
    assert found == together == [alone(engine, *row, max_new_tokens=60) for row in rows]


def test_a_draft_never_writes_beyond_the_end(engine, monkeypatch):
    monkeypatch.setattr(continuous, "draft", lambda row, most: [99] * 3)
    assert len(alone(engine, [2, 70, 71, 72], max_new_tokens=5)) == 5


def test_a_shared_beginning_is_not_computed_again(engine, adapters, sample_ids, monkeypatch):
    begun = []
    states = engine.backbone.lean.states

    def counted(pieces, update):
        begun.extend(len(piece.ids) for piece in pieces)
        return states(pieces, update)

    monkeypatch.setattr(engine.backbone.lean, "states", counted)
    shared = sample_ids(50)
    first, second = [*shared, *sample_ids(6, 1)[1:]], [*shared, *sample_ids(9, 2)[1:]]
    alone(engine, first, adapters[0])
    begun.clear()
    found = alone(engine, second, adapters[0])
    assert begun[0] == 8
    begun.clear()
    # Another adapter has other keys and values.
    alone(engine, second, adapters[1])
    assert begun[0] == 58
    monkeypatch.setattr(prefixes.Prefixes, "find", lambda *_: None)
    assert alone(engine, second, adapters[0]) == found


def test_few_prompts_are_kept(engine, sample_ids, monkeypatch):
    monkeypatch.setattr(prefixes, "MAX_KEPT_TOKENS", 100)
    kept = prefixes.Prefixes()
    cache = engine.backbone.lean.new_cache()
    cache.reserve(60)
    cache.length = 60
    for seed in range(5):
        kept.keep(None, sample_ids(40, seed), cache)
    assert [kept.find(None, sample_ids(40, seed)) is not None for seed in range(5)] == [False, False, False, True, True]


def test_kept_prompts_keep_no_adapter_in_memory(engine, sample_ids):
    kept, cache = prefixes.Prefixes(), engine.backbone.lean.new_cache()
    cache.length, ids = 40, sample_ids(40)
    evicted, loaded = (LoadedAdapter(name, {}, None) for name in ("evicted", "loaded"))
    gone = ref(evicted)
    kept.keep(evicted, ids, cache)
    kept.keep(loaded, ids, cache)
    assert kept.find(evicted, ids) is not None
    del evicted
    assert gone() is None
    assert kept.find(None, ids) is None
    assert kept.find(loaded, ids) is not None
    kept.keep(None, ids, cache)
    assert len(kept._kept) == 2


def test_a_fault_ends_only_its_own_request(engine, sample_ids, monkeypatch):
    logits = engine.backbone.lean.logits
    choose = continuous.Writer.advance

    def faulty(self, row, found):
        if row.prompt_ids[-1] == 77:
            raise RuntimeError("broken")
        return choose(self, row, found)

    monkeypatch.setattr(continuous.Writer, "advance", faulty)
    good = engine.generate([(sample_ids(9), None)], Decoding(max_new_tokens=30))
    bad = engine.generate([([2, 60, 77], None)], Decoding(max_new_tokens=30))
    with pytest.raises(RuntimeError, match="broken"):
        bad.wait(PATIENCE_S)
    assert len(texts(good)[0]) == 30
    assert engine.backbone.lean.logits == logits


def test_single_passes_of_several_adapters_share_a_pass(engine, save_tiny_adapter, sample_ids):
    records = [save_tiny_adapter("sentiment", f"s{seed}", seed=seed) for seed in range(3)]
    rows = [
        EncodeRow(sample_ids(3 + 5 * index, index), engine.adapter(records[index % 3]), "causal", index % 2 == 0)
        for index in range(8)
    ]
    together = engine.encode(rows)
    together.wait(PATIENCE_S)
    for index, row in enumerate(rows):
        single = engine.encode([row])
        single.wait(PATIENCE_S)
        assert single.logits[0] == pytest.approx(together.logits[index], abs=1e-4)


@pytest.mark.parametrize("lora", [{}, {"use_dora": True}, {"target_modules": ["q_proj", "down_proj"]}])
def test_an_adapter_changes_states_as_in_peft(engine, save_tiny_adapter, tiny_peft, sample_ids, lora):
    record = save_tiny_adapter("ner", lora=lora)
    ids = sample_ids(30)
    ticket = engine.encode([EncodeRow(ids, engine.adapter(record), "causal", pooled=False)])
    ticket.wait(PATIENCE_S)
    adapted = tiny_peft("tag", len(record.labels), 0, "causal", **lora)
    with torch.inference_mode():
        inner = adapted.get_base_model()
        expected = inner.score(inner.model(torch.tensor([ids])).last_hidden_state)[0]
    found = torch.tensor(ticket.logits[0])
    assert (found - expected).norm() / expected.norm() < 0.1


def test_closing_ends_what_is_under_way(engine, sample_ids):
    ticket = engine.generate([(sample_ids(5), None)], Decoding(max_new_tokens=1_000_000))
    closing = threading.Thread(target=engine.close)
    closing.start()
    with pytest.raises(Cancelled):
        ticket.wait(PATIENCE_S)
    closing.join(PATIENCE_S)
