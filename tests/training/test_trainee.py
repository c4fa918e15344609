"""What is learnt: the losses, the frozen rest, and that what PEFT saves is what the engine runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from playground.errors import BackboneError, InputError
from playground.tasks import get_task
from playground.training import trainee as trainee_module
from playground.training.config import RunConfig
from playground.training.features import IGNORED, Feature, build_features, head_labels
from playground.training.loop import train
from playground.training.passes import Passes
from playground.training.trainee import (
    LOGIT_ROWS,
    MAX_LABEL_WEIGHT,
    Trainee,
    Vocabulary,
    build_trainee,
    collate,
    label_weights,
    next_token_loss,
    vocabulary,
)

ROWS = {
    "classify": [
        {"text": f"{word} {n}", "label": label} for n in range(8) for word, label in (("sun", "+"), ("fog", "-"))
    ],
    "ner": [
        {"text": f"see {name} now", "entities": [{"start": 4, "end": 4 + len(name), "label": "PER"}]}
        for name in ("Bob", "Ann", "Eve", "Kim") * 4
    ],
    "qa": [
        {"context": f"{a} has {b}.", "question": "what?", "answers": [{"text": b, "start": len(a) + 5}]}
        for a, b in (("Ann", "tea"), ("Bob", "figs")) * 8
    ],
    "instruct": [{"prompt": "say it", "completion": "yes"}] * 16,
}


def config(backbone, task, **changes):
    known = {"learning_rate": 1e-2, "batch_size": 8, "epochs": 10.0, "attention": get_task(task).attention}
    return RunConfig(task=task, data="", name="x", backbone=str(backbone), **known | changes)


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


@pytest.fixture
def learnt(tiny_backbone_folder, tokenizer):
    """``learnt(task)``: the trainee after some steps, and its losses."""

    def learn(task_name, **changes):
        task, rows = get_task(task_name), ROWS[task_name]
        settings = config(tiny_backbone_folder, task_name, **changes)
        labels = head_labels(task, rows)
        features = build_features(task, rows, tokenizer, labels, 64, 0).features
        trainee = build_trainee(settings, task.shape, str(tiny_backbone_folder), len(labels))
        losses = []
        train(trainee, features, settings, 0, lambda step: losses.append(step.loss), lambda: False)
        return trainee, losses

    return learn


def test_class_weights_change_the_loss_only_where_they_are_asked_for(tiny_backbone_folder, full_precision):
    features = [Feature([2, 5, 6], [0])] * 3 + [Feature([2, 7, 8], [1])]
    losses = []
    for asked in (False, True):
        settings = config(tiny_backbone_folder, "classify", class_weights=asked)
        trainee = build_trainee(settings, "classify", str(tiny_backbone_folder), 2)
        trainee.prepare(features)
        assert (trainee.label_weights is not None) == asked
        losses.append([trainee(**collate(part, 0)).item() for part in (features, features[:2])])
    plain, weighted = losses
    assert weighted[0] != pytest.approx(plain[0])
    assert weighted[1] == pytest.approx(plain[1] * 2 / 3)  # the frequent label alone


@pytest.mark.parametrize(("shape", "num_labels"), [("tag", 3), ("generate", 0)])
def test_parts_of_a_batch_count_by_what_there_is_to_learn_in_them(
    shape, num_labels, tiny_backbone_folder, full_precision
):
    batch = [Feature(list(range(60, 70)), [IGNORED] * (10 - known) + [known % 2] * known) for known in (1, 3, 8)]
    found = []
    for rows in (0, 1):
        settings = config(tiny_backbone_folder, "instruct", rows_a_pass=rows)
        trainee = build_trainee(settings, shape, str(tiny_backbone_folder), num_labels)
        passes = Passes(trainee.train(), settings, 0)
        losses = torch.tensor([passes.learn(batch), *passes.losses(batch).tolist()])
        found.append([losses, *(weight.grad for weight in trainee.parameters() if weight.grad is not None)])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("task", ROWS)
def test_every_shape_learns_a_toy_task_and_leaves_the_backbone_alone(task, learnt, tiny_causal):
    trainee, losses = learnt(task)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    base = tiny_causal().state_dict()
    for name, tensor in trainee.model.get_base_model().named_parameters():
        plain = name.replace(".base_layer", "")
        if plain in base:
            assert torch.equal(tensor, base[plain].to(tensor.dtype)), name
            assert not tensor.requires_grad


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("classify", {"quantization": "4-bit"}),
        ("instruct", {"quantization": "4-bit"}),
        ("classify", {"quantization": "8-bit"}),
        ("instruct", {"quantization": "8-bit"}),
        ("classify", {"quantization": "4-bit", "use_dora": True}),
        ("classify", {"quantization": "8-bit", "use_dora": True}),
    ],
)
def test_quantized_weights_can_be_trained_and_saved_on_the_cpu(task, options, learnt, tmp_path):
    trainee, losses = learnt(task, epochs=6.0, **options)
    kinds = {type(module).__name__ for module in trainee.modules()}
    assert {"4-bit": "Linear4bit", "8-bit": "Linear8bitLt"}[options["quantization"]] in kinds
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    trainee.save(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").is_file()


def test_a_rank_that_pissa_can_not_fill_is_refused_before_the_training(tiny_backbone_folder):
    wanted = config(tiny_backbone_folder, "classify", init="pissa", rank=17)
    with pytest.raises(InputError, match="no more than 16 directions in these layers; choose at most rank 16"):
        build_trainee(wanted, "classify", str(tiny_backbone_folder), 2)


def test_fresh_lora_weights_change_nothing(full_precision, tiny_backbone_folder, tiny_causal):
    trainee = build_trainee(config(tiny_backbone_folder, "instruct"), "generate", str(tiny_backbone_folder), 0).eval()
    ids = torch.tensor([[2, 70, 71, 72, 1]])
    labels = torch.tensor([[IGNORED, IGNORED, 71, 72, 1]])
    with torch.no_grad():
        found = trainee(ids, torch.ones_like(ids), labels)
        logits = tiny_causal()(input_ids=ids).logits
    expected = cross_entropy(logits[0, 1:4], ids[0, 2:5])
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("length", [5, LOGIT_ROWS + 40])
def test_the_loss_by_parts_and_its_gradient_equal_the_full_cross_entropy(length):
    torch.manual_seed(0)
    states = torch.randn(3, length, 16, requires_grad=True)
    projection = torch.nn.Linear(16, 50, bias=False)
    labels = torch.randint(0, 50, (3, length))
    labels[:, :2] = IGNORED
    labels[1] = IGNORED
    found = next_token_loss(states, labels, Vocabulary(projection.weight.detach()))
    (gradient,) = torch.autograd.grad(found, states, retain_graph=True)
    full = cross_entropy(projection(states)[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
    (expected,) = torch.autograd.grad(full, states)
    torch.testing.assert_close(found, full)
    torch.testing.assert_close(gradient, expected)


def test_rows_with_nothing_to_learn_have_no_loss():
    states = torch.randn(1, 4, 8)
    assert next_token_loss(states, torch.full((1, 4), IGNORED), Vocabulary(torch.randn(9, 8))) == 0


def test_a_corpus_of_few_tokens_takes_a_sample_for_all_others(monkeypatch):
    monkeypatch.setattr(trainee_module, "FREQUENT_TOKENS", 5)
    monkeypatch.setattr(trainee_module, "SAMPLED_TOKENS", 10)
    torch.manual_seed(0)
    projection, states = torch.randn(50, 16), torch.randn(1, 4, 16)
    words = vocabulary(projection, [Feature([40, 3], [40, 3]), Feature([9], [9])])
    kept = [0, 1, 2, 3, 4, 9, 40]
    torch.testing.assert_close(words.weight[:7], projection[kept])
    sampled = [(projection == row).all(1).nonzero().item() for row in words.weight[7:]]
    assert len(set(sampled) - set(kept)) == 10
    found = next_token_loss(states, torch.tensor([[IGNORED, 9, 40, 0]]), words)
    logits = states[0, :3] @ projection[[*kept, *sampled]].T
    logits[:, 7:] += math.log(43 / 10)
    torch.testing.assert_close(found, cross_entropy(logits, torch.tensor([5, 6, 0])))


def test_with_all_others_in_the_sample_the_loss_is_that_of_the_whole_vocabulary(monkeypatch):
    monkeypatch.setattr(trainee_module, "FREQUENT_TOKENS", 5)
    projection, states = torch.randn(50, 16), torch.randn(1, 4, 16)
    words = vocabulary(projection, [Feature([40, 3], [40, 3])])
    found = next_token_loss(states, torch.tensor([[IGNORED, 3, 40, 0]]), words)
    torch.testing.assert_close(found, cross_entropy(states[0, :3] @ projection.T, torch.tensor([3, 40, 0])))


def test_a_corpus_with_most_of_the_tokens_keeps_all(monkeypatch):
    monkeypatch.setattr(trainee_module, "FREQUENT_TOKENS", 26)
    projection = torch.randn(50, 16)
    assert vocabulary(projection, [Feature([40], [40])]).weight.shape == projection.shape


@pytest.mark.parametrize("task", ["classify", "ner", "qa", "instruct"])
def test_padding_and_neighbours_do_not_change_the_loss(task, full_precision, tiny_backbone_folder, tokenizer):
    rows = ROWS[task][:2]
    labels = head_labels(get_task(task), ROWS[task])
    short, other = build_features(get_task(task), rows, tokenizer, labels, 64, 0).features[:2]
    trainee = build_trainee(
        config(tiny_backbone_folder, task), get_task(task).shape, str(tiny_backbone_folder), len(labels)
    ).eval()
    narrow = collate([short], 0)
    wide = {
        "input_ids": torch.nn.functional.pad(narrow["input_ids"], (0, 30)),
        "kept": torch.nn.functional.pad(narrow["kept"], (0, 30)),
        "labels": narrow["labels"] if narrow["labels"].shape[1] < 3
        else torch.nn.functional.pad(narrow["labels"], (0, 30), value=IGNORED),
    }  # fmt: skip
    with torch.no_grad():
        alone, padded = trainee(**narrow), trainee(**wide)
        both, second = trainee(**collate([short, other], 0)), trainee(**collate([other], 0))
    torch.testing.assert_close(alone, padded, atol=2e-3, rtol=2e-3)
    num = [
        sum(label != IGNORED for label in feature.labels) if len(feature.labels) > 2 else 1
        for feature in (short, other)
    ]
    if task == "ner":
        torch.testing.assert_close(both, (alone * num[0] + second * num[1]) / sum(num), atol=2e-3, rtol=2e-3)
    elif task != "instruct":
        torch.testing.assert_close(both, (alone + second) / 2, atol=2e-3, rtol=2e-3)


def test_batches_are_padded_on_the_right_to_few_widths_where_kernels_are_compiled(monkeypatch):
    features = [Feature([5, 6, 7], [1]), Feature([8] * 18, [0])]
    monkeypatch.setattr(trainee_module, "fast_bfloat16", lambda: False)
    assert collate(features, pad_id=9)["input_ids"].shape == (2, 18)
    monkeypatch.setattr(trainee_module, "fast_bfloat16", lambda: True)
    batch = collate(features, pad_id=9)
    assert batch["input_ids"].shape == (2, 32)
    assert batch["input_ids"][0].tolist() == [5, 6, 7] + [9] * 29
    assert batch["kept"].sum(1).tolist() == [3, 18]
    assert batch["labels"].tolist() == [[1], [0]]
    spread = collate([Feature([5, 6], [IGNORED, 6])], pad_id=9)
    assert spread["labels"].tolist() == [[IGNORED, 6] + [IGNORED] * 14]


def test_rows_held_back_go_through_beside_those_of_their_length(tiny_backbone_folder, monkeypatch):
    settings = config(tiny_backbone_folder, "classify", batch_size=2)
    passes = Passes(build_trainee(settings, "classify", str(tiny_backbone_folder), 2), settings, 0)
    seen, states = [], Trainee._states

    def look(trainee, input_ids, kept):
        seen.append(sorted(kept.sum(1).tolist()))
        return states(trainee, input_ids, kept)

    monkeypatch.setattr(Trainee, "_states", look)
    rows = [Feature([5] * length, [length % 2]) for length in (3, 40, 2, 39, 21)]
    losses = passes.losses(rows)
    assert seen == [[2, 3], [21, 39], [40]]
    alone = torch.cat([passes.losses([row]) for row in rows])
    assert losses.tolist() == pytest.approx(alone.tolist(), abs=1e-4)


@pytest.mark.parametrize(("task", "num_labels"), [("classify", 3), ("ner", 3), ("qa", 2), ("instruct", 0)])
def test_losses_of_rows_make_up_that_of_their_batch(task, num_labels, tiny_backbone_folder, full_precision):
    settings = config(tiny_backbone_folder, task)
    shape = get_task(task).shape
    trainee = build_trainee(settings, shape, str(tiny_backbone_folder), num_labels).eval()
    labels = {"classify": [2], "span": [1, 3]}.get(shape, [IGNORED, 1, IGNORED, 2, 0])
    batch = [Feature([70 + place, *range(60, 64)], labels) for place in range(3)]
    tensors = collate(batch, 0)
    each = trainee.row_losses(**tensors)
    assert each.shape == (3,)
    torch.testing.assert_close(each.mean(), trainee(**tensors))


def test_text_is_never_learnt_with_a_look_ahead(tiny_backbone_folder):
    with pytest.raises(InputError, match="causal attention"):
        build_trainee(
            config(tiny_backbone_folder, "instruct", attention="bidirectional"),
            "generate",
            str(tiny_backbone_folder),
            0,
        )


def test_an_unknown_architecture_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(BackboneError, match="resnet"):
        build_trainee(config(tmp_path, "classify"), "classify", str(tmp_path), 2)


def test_rare_labels_count_more_but_never_too_much_and_rows_count_one_on_average():
    weights = label_weights([Feature([1], [label]) for label in [0] * 90 + [1] * 9 + [2]], 4)
    assert weights[1] / weights[0] == pytest.approx(10)
    assert weights[2] / weights[0] == pytest.approx(MAX_LABEL_WEIGHT)
    assert float((weights * torch.tensor([90.0, 9, 1, 0])).sum()) == pytest.approx(100)
    even = [Feature([1], [label]) for label in [0, 1, 1, 0]]
    torch.testing.assert_close(label_weights(even, 2), torch.ones(2))


def test_class_weights_add_up_over_the_parts_of_a_batch(full_precision, tiny_backbone_folder, tokenizer):
    task, rows = get_task("classify"), ROWS["classify"][:8] + ROWS["classify"][:6:2]
    settings = config(tiny_backbone_folder, "classify", class_weights=True)
    trainee = build_trainee(settings, "classify", str(tiny_backbone_folder), 2).eval()
    features = build_features(task, rows, tokenizer, head_labels(task, rows), 64, 0).features
    with torch.no_grad():
        plain = trainee(**collate(features, 0))
        trainee.prepare(features)
        whole = trainee(**collate(features, 0))
        parts = sum(trainee(**collate(features[i : i + 4], 0)) * len(features[i : i + 4]) for i in range(0, 11, 4))
    torch.testing.assert_close(parts / len(features), whole, atol=1e-4, rtol=1e-4)
    assert abs(float(whole - plain)) > 1e-4


def test_only_the_named_layers_are_adapted_and_unknown_names_are_refused(tiny_backbone_folder):
    some = config(tiny_backbone_folder, "classify", target_modules=["q_proj", "down_proj"])
    trainee = build_trainee(some, "classify", str(tiny_backbone_folder), 2)
    assert sorted(trainee.model.active_peft_config.target_modules) == ["down_proj", "q_proj"]
    with pytest.raises(InputError, match=r"no layers called 'w_proj'; it has down_proj, gate_proj"):
        build_trainee(replace(some, target_modules=["w_proj"]), "classify", str(tiny_backbone_folder), 2)


def test_loraplus_learns_b_faster(tiny_backbone_folder, learnt):
    plain, _ = learnt("classify", epochs=0.5, learning_rate=1e-4)
    fast, _ = learnt("classify", epochs=0.5, learning_rate=1e-4, loraplus_lr_ratio=16.0)
    size = lambda trainee: max(float(w.detach().abs().max()) for n, w in trainee.named_parameters() if "lora_B" in n)  # noqa: E731
    assert size(fast) == pytest.approx(16 * size(plain), rel=0.05)


def test_offsets_explain_what_is_frequent_where(tiny_backbone_folder, full_precision):
    trainee = build_trainee(config(tiny_backbone_folder, "classify"), "classify", str(tiny_backbone_folder), 2).eval()
    plain, certain = (
        [Feature([2, 5, 6], [0], offsets), Feature([2, 7], [0], offsets)] for offsets in ([], [0.0, -50.0])
    )
    with torch.no_grad():
        assert trainee(**collate(plain, 0)).item() > 0.1
        assert trainee(**collate(certain, 0)).item() == pytest.approx(0, abs=1e-6)
