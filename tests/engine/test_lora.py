"""The engine's arithmetic against plain PEFT and plain transformers."""

import numpy as np
import pytest
import torch

from playground.engine.lora import layer_sizes, linear_layers


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=2e-4, rtol=1e-3)


def peft_logits(adapted, ids):
    """(T, L) of the head over every state, which is what PEFT's own model computes before pooling."""
    inner = adapted.get_base_model()
    with torch.no_grad():
        states = inner.base_model(input_ids=torch.tensor([ids])).last_hidden_state
        return inner.score(states)[0].numpy()


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
@pytest.mark.parametrize("length", [5, 40, 150])
def test_logits_equal_plain_peft(attention, length, save_tiny_adapter, tiny_peft, encoded, sample_ids):
    """Lengths below and above the window of 32 tokens, which bidirectional attention opens to both sides."""
    record = save_tiny_adapter("ner", attention=attention)
    ids = sample_ids(length)
    expected = peft_logits(tiny_peft("tag", 3, attention=attention), ids)
    (states,), (pooled,) = encoded([(ids, record, False)]), encoded([(ids, record, True)])
    close(states, expected)
    close(pooled, expected[-1])


def test_pooled_logits_equal_pefts_own_classification(save_tiny_adapter, tiny_peft, encoded, sample_ids):
    record, ids = save_tiny_adapter("sentiment"), sample_ids(33)
    with torch.no_grad():
        expected = tiny_peft("classify")(input_ids=torch.tensor([ids])).logits[0]
    (found,) = encoded([(ids, record, True)])
    close(found, expected)


@pytest.mark.parametrize(
    "lora",
    [
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 32}},
        {"rank_pattern": {"up_proj": 2}},
        {"target_modules": ["q_proj", "v_proj"]},
        {"use_dora": True},
        {"use_dora": True, "use_rslora": True, "target_modules": ["down_proj"]},
    ],
)
def test_every_kind_of_lora_is_computed_as_peft_does(lora, save_tiny_adapter, tiny_peft, encoded, sample_ids):
    record, ids = save_tiny_adapter("sentiment", lora=lora), sample_ids(20)
    with torch.no_grad():
        expected = tiny_peft("classify", **lora)(input_ids=torch.tensor([ids])).logits[0]
    (found,) = encoded([(ids, record, True)])
    close(found, expected)


@pytest.mark.parametrize("lengths", [(7,), (60,), (9, 50, 21)])
def test_greedy_generation_equals_transformers(lengths, tiny_causal, written, sample_ids):
    prompts = [sample_ids(length) for length in lengths]
    expected = [greedy(tiny_causal(), ids) for ids in prompts]
    assert written([(ids, None) for ids in prompts]) == expected


def test_greedy_generation_equals_pefts(save_tiny_adapter, tiny_peft, written, sample_ids):
    record = save_tiny_adapter("summarize")
    prompts = [sample_ids(length) for length in (6, 45)]
    expected = [greedy(tiny_peft("generate"), ids) for ids in prompts]
    assert written([(ids, record) for ids in prompts]) == expected
    assert expected != [greedy(tiny_peft("generate", seed=3), ids) for ids in prompts]


def greedy(model, ids):
    found = model.generate(
        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=12, do_sample=False,
    )[0, len(ids) :].tolist()  # fmt: skip
    return found[:-1] if found[-1] == 1 else found


def test_adapters_whose_b_is_zero_leave_the_base_as_it_is(
    save_tiny_adapter, tiny_classifier, written, sample_ids, tiny_engine
):
    import peft

    from playground.adapters.record import CONFIG_FILE, AdapterRecord, hash_files, write_record
    from playground.adapters.store import find, new_folder

    base = tiny_classifier()
    fresh = peft.get_peft_model(base, peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules="all-linear"))
    record = AdapterRecord("zero", "summarize", "generate", {"id": "tiny", "checksum": "0" * 64})
    with new_folder("summarize", "zero") as folder:
        fresh.save_pretrained(folder)
        assert (folder / CONFIG_FILE).is_file()
        from dataclasses import replace

        write_record(replace(record, files=hash_files(folder)), folder)
    ids = sample_ids(30)
    with_adapter, without = written([(ids, find("summarize", "zero"))]), written([(ids, None)])
    assert with_adapter == without
    other = save_tiny_adapter("summarize", "other")
    assert written([(ids, other)]) != without


def test_a_batch_of_adapters_tasks_and_lengths_equals_the_rows_alone(save_tiny_adapter, encoded, sample_ids):
    sentiment = save_tiny_adapter("sentiment", "a")
    other = save_tiny_adapter("sentiment", "b", seed=5, lora={"use_dora": True})
    ner, qa = save_tiny_adapter("ner", "c", seed=7), save_tiny_adapter("qa", "d", seed=9)
    rows = [
        (sample_ids(12), sentiment, True),
        (sample_ids(70), ner, False),
        (sample_ids(12), other, True),
        (sample_ids(41), qa, False),
        (sample_ids(3), sentiment, True),
    ]
    together = encoded(rows)
    for row, found in zip(rows, together, strict=True):
        close(found, encoded([row])[0])
    assert not np.allclose(together[0], together[2], atol=1e-2)


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_padding_changes_nothing(attention, save_tiny_adapter, encoded, sample_ids):
    record = save_tiny_adapter("ner", attention=attention)
    short, long = sample_ids(4), sample_ids(90)
    close(encoded([(short, record, False), (long, record, False)])[0], encoded([(short, record, False)])[0])


def test_a_mixed_decoding_batch_with_the_base_equals_the_rows_alone(save_tiny_adapter, written, sample_ids):
    one = save_tiny_adapter("summarize", "one", lora={"use_dora": True})
    two = save_tiny_adapter("translate", "two", seed=4)
    rows = [
        (sample_ids(9), one),
        (sample_ids(50), None),
        (sample_ids(22), two),
        (sample_ids(9), two),
        (sample_ids(9), None),
    ]
    assert written(rows) == [written([row])[0] for row in rows]


def test_a_then_b_then_a_restores_a_exactly(save_tiny_adapter, encoded, sample_ids):
    a, b = save_tiny_adapter("sentiment", "a"), save_tiny_adapter("sentiment", "b", seed=5)
    ids = sample_ids(30)
    first, between, again = (encoded([(ids, record, True)])[0] for record in (a, b, a))
    assert np.array_equal(first, again)
    assert not np.allclose(first, between, atol=1e-2)


def test_the_frozen_weights_are_never_written_to(
    tiny_causal, tiny_engine, save_tiny_adapter, encoded, written, sample_ids
):
    encoded([(sample_ids(9), save_tiny_adapter("sentiment", "a"), True)])
    written([(sample_ids(9), save_tiny_adapter("summarize", "b"))])
    untouched = tiny_causal().state_dict()
    now = {name.replace(".frozen", ""): tensor for name, tensor in tiny_engine.backbone.model.state_dict().items()}
    assert all(torch.equal(now[name], tensor) for name, tensor in untouched.items())


def test_the_layers_are_those_that_peft_calls_all_linear(tiny_causal, tiny_peft):
    adapted = {
        name.removesuffix(".lora_A.default") for name, _ in tiny_peft("generate").get_base_model().named_modules()
    }
    layers = linear_layers(tiny_causal())
    assert len(layers) == 14
    assert set(layers) <= adapted
    assert layer_sizes(tiny_causal())["model.layers.0.mlp.down_proj"] == (64, 32)
