"""A whole run on the tiny backbone: rows in, a measured adapter out."""

import json
import random
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from playground.adapters import store
from playground.adapters.report import read_report
from playground.adapters.weights import load_weights
from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import load
from playground.engine.engine import Engine
from playground.engine.predict import predict_many
from playground.errors import AdapterError, Cancelled, DataError, Paused
from playground.tasks import get_task
from playground.training import finetune as finetune_module
from playground.training import material as material_module
from playground.training.command import command_line
from playground.training.corpus import load_corpus
from playground.training.finetune import finetune
from playground.training.measure import measure


def never():
    return ""


@pytest.fixture
def trained(make_run_config):
    """The record and the events of a short run."""
    events = []
    record = finetune(make_run_config(learning_rate=1e-2, epochs=4.0), events.append, never)
    return record, events


def test_a_run_ends_with_a_measured_adapter_that_is_in_the_store(trained, tiny_backbone_folder):
    record, _ = trained
    found = store.find("classify", "lamps")
    store.verify(found)
    assert dict(found.metrics) == dict(record.metrics)
    assert found.labels == ("buy again", "send back")
    assert found.backbone["id"] == str(tiny_backbone_folder)
    assert found.metrics["adapter"]["n"] == 4
    low, high = found.metrics["adapter"]["interval"]
    assert 0 <= low <= found.metrics["adapter"]["metrics"]["macro_f1"] <= high <= 100
    assert found.metrics["base"]["n"] == 4
    assert found.training["rows"] == 36
    assert (found.path / "README.md").read_text(encoding="utf-8").startswith("---\n")


def test_a_learning_curve_sets_the_adapter_beside_ones_that_learnt_from_fewer_rows(make_run_config, monkeypatch):
    events, weights = [], {}

    def look(record, *rest, smaller, **more):
        weights.update({rows: load_file(one.path / "adapter_model.safetensors") for rows, one in smaller})
        return measure(record, *rest, smaller=smaller, **more)

    monkeypatch.setattr(finetune_module, "measure", look)
    record = finetune(make_run_config(learning_curve=True), events.append, never)
    (told,) = (event["report"] for event in events if event["event"] == "report")
    report = read_report(store.find("classify", "lamps"))
    assert report["learning_curve"] == told["learning_curve"]
    points = report["learning_curve"]["points"]
    assert [point["rows"] for point in points] == [9, 18, 36] == [*weights, 36]
    assert points[-1]["value"] == report["adapter"]["metrics"]["macro_f1"]
    name = next(name for name in weights[9] if "lora_B" in name)
    assert not torch.equal(weights[9][name], weights[18][name])
    assert "Learning curve: training on 9 of 36 rows" in [event.get("message") for event in events]
    assert [one.name for one in store.list_adapters("classify")] == [record.name]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"learning_curve": False}, None),
        ({"max_rows": 30}, "at least 32 rows"),
        ({"time_limit_s": 0.01}, "time budget"),
        ({"pretrain_epochs": 1.0}, "read bare texts before"),
    ],
)
def test_there_is_no_learning_curve_where_it_is_not_wanted_or_would_say_nothing(make_run_config, changes, why):
    finetune(make_run_config(**{"learning_curve": True} | changes), lambda _: None, never)
    report = read_report(store.find("classify", "lamps"))
    assert report["learning_curve"] is None
    assert why is None or why in report["no_learning_curve"]
    assert (why is None) == ("no_learning_curve" not in report)


def test_a_time_budget_that_was_not_needed_leaves_the_learning_curve(make_run_config):
    finetune(make_run_config(learning_curve=True, time_limit_s=3600.0), lambda _: None, never)
    assert read_report(store.find("classify", "lamps"))["learning_curve"]


def test_a_run_that_was_ended_early_is_measured_without_a_learning_curve(make_run_config):
    events = []

    def wish():
        return "keep" if any(event["event"] == "step" for event in events) else ""

    finetune(make_run_config(learning_curve=True), events.append, wish)
    assert read_report(store.find("classify", "lamps"))["learning_curve"] is None


def test_the_events_tell_the_whole_story_and_are_plain_json(trained):
    _, events = trained
    names = [event["event"] for event in events]
    assert list(dict.fromkeys(names)) == [
        "phase", "material", "note", "features", "step", "samples", "saved", "evaluated", "report",
    ]  # fmt: skip
    (note,) = (event["message"] for event in events if event["event"] == "note")
    assert "too few rows to hold some back" in note
    steps = [event for event in events if event["event"] == "step"]
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert [step["step"] for step in steps] == list(range(1, steps[0]["steps"] + 1))
    assert json.loads(json.dumps(events)) == events


def test_the_saved_adapter_is_loaded_in_a_fresh_process_and_says_what_the_trained_one_said(
    make_run_config, monkeypatch
):
    monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
    events = []
    record = finetune(make_run_config(learning_rate=1e-2, epochs=4.0), events.append, never)
    (told,) = (event for event in events if event["event"] == "reloaded")
    assert told["same"]
    assert record.training["reloaded"].startswith("same outputs on 3 probe rows by the engine")
    assert record.training["reloaded"] in (record.path / "README.md").read_text(encoding="utf-8")
    assert len(record.probe["outputs"][0]) == 2  # logits of two labels


def test_an_adapter_that_is_not_saved_as_it_was_trained_ends_the_run_with_a_word(
    make_run_config, monkeypatch, without_fresh_process
):
    monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
    outputs = finetune_module.Trainee.outputs
    monkeypatch.setattr(finetune_module.Trainee, "outputs", lambda self, ids: outputs(self, ids) + 0.5)
    with pytest.raises(AdapterError, match="does not say what the trained one said: OTHER outputs"):
        finetune(make_run_config(), lambda _: None, never)
    assert store.find("classify", "lamps").training["reloaded"].startswith("OTHER outputs")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True, "target_modules": ["q_proj", "v_proj"]},
        {"use_dora": True, "class_weights": True},
        {"init": "pissa"},
        {"init": "pissa", "use_rslora": True, "loraplus_lr_ratio": 4.0, "schedule": "cosine"},
        {"optim": "paged_adamw_8bit"},
    ],
    ids=lambda options: "-".join(options) or "usual",
)
def test_plain_peft_gives_the_same_predictions(options, make_run_config, tiny_backbone_folder):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    record = finetune(make_run_config(learning_rate=3e-3, epochs=4.0, **options), lambda event: None, never)
    texts = ["splendid lamp", "broken lamp number 7", "a lamp"]
    engine = Engine(load(str(tiny_backbone_folder), "none", lambda fraction, message: None))
    ours = [
        p.row["scores"]
        for _, p in predict_many(engine, get_task("classify"), [{"text": t} for t in texts], record)
        if p.done
    ]
    engine.close()
    base = AutoModelForSequenceClassification.from_pretrained(tiny_backbone_folder, num_labels=2)
    plain = PeftModel.from_pretrained(base, record.path).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_backbone_folder)
    for text, scores in zip(texts, ours, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            chances = torch.softmax(plain(input_ids=ids).logits[0].float(), -1)
        np.testing.assert_allclose([scores[label] for label in record.labels], chances, atol=1e-3)


@pytest.mark.parametrize(("use_rslora", "alpha"), [(False, 32), (True, 16)])
def test_pissa_starts_as_the_base_and_is_saved_as_lora_of_twice_the_rank(make_run_config, use_rslora, alpha):
    config = make_run_config(learning_rate=1e-7, epochs=0.01, init="pissa", use_rslora=use_rslora)
    record = finetune(config, lambda event: None, never)
    weights = load_weights(record)
    settings = json.loads((record.path / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"]) == (16, alpha)
    for pair in weights.lora.values():
        change, half = pair.scale * pair.b @ pair.a, pair.scale * pair.b[:, :8] @ pair.a[:8]
        assert change.abs().max() < 1e-4 < 0.05 < half.abs().max()


def test_the_base_is_measured_beside_the_adapter_where_it_can_answer(make_run_config, tmp_path):
    data = tmp_path / "feelings.jsonl"
    labels = ("positive", "negative", "neutral")
    rows = [{"text": f"{labels[n % 3]} thing {n}", "label": labels[n % 3]} for n in range(30)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    events = []
    record = finetune(replace(make_run_config(task="sentiment", epochs=1.0), data=str(data)), events.append, never)
    assert record.metrics["base"]["n"] == record.metrics["adapter"]["n"]
    told = [(event["of"], event["rows"]) for event in events if event["event"] == "evaluated"]
    assert told[0] == ("adapter", 0)
    assert ("base", 0) in told  # its first answers may take minutes, in which it is not the adapter that is measured
    assert {of for of, _ in told} == {"adapter", "base"}


def test_stopping_to_keep_saves_and_measures_what_is_learnt_so_far(make_run_config):
    seen = []
    record = finetune(make_run_config(epochs=100.0), seen.append, lambda: "keep" if len(steps(seen)) >= 3 else "")
    assert record.training["steps"] == 3
    assert store.find("classify", "lamps").metrics


def steps(events):
    return [event for event in events if event["event"] == "step"]


def test_discarding_keeps_nothing(make_run_config):
    seen = []
    with pytest.raises(Cancelled, match="nothing was kept"):
        finetune(make_run_config(epochs=100.0), seen.append, lambda: "discard" if len(steps(seen)) >= 3 else "")
    assert store.list_adapters("classify") == []


def test_stopping_before_the_first_step_keeps_nothing(make_run_config):
    with pytest.raises(Cancelled, match="nothing was kept"):
        finetune(make_run_config(), lambda event: None, lambda: "keep")
    assert store.list_adapters("classify") == []


def test_discarding_while_it_is_measured_leaves_the_saved_adapter(make_run_config):
    seen = []
    saved = lambda: any(event["event"] == "saved" for event in seen)  # noqa: E731
    with pytest.raises(Cancelled, match="saved without figures"):
        finetune(make_run_config(epochs=1.0), seen.append, lambda: "discard" if saved() else "")
    assert not store.find("classify", "lamps").metrics


def test_a_full_disk_while_saving_is_one_sentence_and_leaves_nothing(make_run_config, monkeypatch, playground_home):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finetune_module, "hash_files", full)
    with pytest.raises(AdapterError, match=r"'classify/lamps' can't be saved .*No space left on device"):
        finetune(make_run_config(epochs=1.0), lambda event: None, never)
    assert not any((playground_home / "adapters" / "classify").iterdir())
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\na,x\nb,x\nc,x\nd,x\ne,x\n", "have the label 'x'; at least two"),
        ("text,label\na,x\nb,y\n", "has 2 usable rows; at least 4"),
        ("text,label\n", "header"),
    ],
)
def test_rows_that_teach_nothing_are_refused_before_anything_is_loaded(content, words, make_run_config, tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text(content)
    events = []
    with pytest.raises(DataError, match=words):
        finetune(replace(make_run_config(), data=str(data)), events.append, never)
    assert not steps(events)


def test_rows_of_its_own_for_validation_are_all_measured(make_run_config, reviews, tmp_path):
    held = tmp_path / "held.csv"
    held.write_text(reviews.read_text(encoding="utf-8").replace("lamp number", "chair"), encoding="utf-8")
    record = finetune(make_run_config(epochs=1.0, validation=str(held), evaluation_rows=11), lambda event: None, never)
    assert record.metrics["adapter"]["n"] == 11
    assert record.training["rows"] == 40


def test_rows_to_measure_on_that_are_those_to_learn_from_are_refused(make_run_config, reviews, tmp_path):
    held = shutil.copy(reviews, tmp_path / "held.csv")
    with pytest.raises(DataError, match=r"Every row of 'My reviews\.csv' is or resembles a row of 'held\.csv'"):
        finetune(make_run_config(validation=str(held)), lambda event: None, never)


def test_the_command_makes_the_same_run_again(make_run_config):
    from playground.cli import _parser

    config = make_run_config(
        epochs=2.5, seed=3, compile=True, validation="held out.csv", quantization="4-bit", dropout=0.1
    )
    words = shlex.split(command_line(replace(config, data="my rows.csv")))
    assert words[:3] == ["python", "-m", "playground"]
    options = _parser().parse_args(words[3:])
    assert (options.task, str(options.data), options.name) == ("classify", "my rows.csv", "lamps")
    assert (options.epochs, options.seed, options.compile, options.dropout) == (2.5, 3, True, 0.1)
    assert (options.quantization, str(options.validation), options.max_length) == ("4-bit", "held out.csv", 32)


def test_fixes_and_split_are_in_event_record_card_and_command(make_run_config, reviews):
    from playground.cli import _parser

    lines = reviews.read_text(encoding="utf-8").splitlines()
    dated = [f"day,{lines[0]}", *(f"{n + 1},{line}" for n, line in enumerate([*lines[1:], lines[1]]))]
    reviews.write_text("\n".join(dated) + "\n", encoding="utf-8")
    fixes = ["drop-exact-duplicates", "balance-labels"]
    config = make_run_config(epochs=1.0, fixes=fixes, split="time", split_column="day")
    events = []
    record = finetune(config, events.append, never)
    material = next(event for event in events if event["event"] == "material")
    assert material["fixes"] == record.training["fixes"] == {"drop-exact-duplicates": 1, "balance-labels": 0}
    assert material["split"] == record.training["split"] == "time by 'day', seed 0"
    card = (record.path / "README.md").read_text(encoding="utf-8")
    assert "Drop exact duplicates, keep the first (1 row)" in card
    assert "time by 'day', seed 0" in card
    options = _parser().parse_args(shlex.split(command_line(config))[3:])
    assert (options.fixes, options.split, options.split_column) == (fixes, "time", "day")


def test_the_report_names_labels_to_look_at_again(trained):
    _, events = trained
    report = next(event["report"] for event in events if event["event"] == "report")
    assert isinstance(report["suspicious"], list)


def test_a_copy_of_own_rows_is_named_without_its_folder(make_run_config):
    config = make_run_config(validation="/home/somebody/runs/1/validation/held.csv", data_name="reviews.csv")
    assert "--validation held.csv" in command_line(config)


def test_the_command_names_a_backbone_that_is_not_the_embedded_one(make_run_config):
    config = make_run_config()
    assert f"--backbone {shlex.quote(config.backbone)} " in command_line(config)
    assert "--backbone" not in command_line(replace(config, backbone=EMBEDDED_ID))


@pytest.mark.parametrize("options", [{"dropout": 0.1}, {"optim": "paged_adamw_8bit"}])
def test_a_paused_run_goes_on_to_the_same_adapter_as_one_without_a_break(options, make_run_config, tmp_path):
    whole = finetune(make_run_config("whole", **options), lambda event: None, never)
    config, steps = make_run_config("cut", **options), [0]

    def note(event):
        if event["event"] == "step":
            steps.append(event["step"])

    for last in (2, 3):
        with pytest.raises(Paused, match=f"after {last} steps"):
            finetune(config, note, lambda last=last: "pause" if steps[-1] >= last else "", tmp_path / "state")
        assert [record.name for record in store.list_adapters("classify")] == ["whole"]
    cut = finetune(config, note, never, tmp_path / "state")
    assert steps == list(range(whole.training["steps"] + 1))
    ours, theirs = (load_file(record.path / "adapter_model.safetensors") for record in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert cut.training["steps"] == whole.training["steps"]
    assert not list((tmp_path / "state").iterdir())


def test_labels_that_only_rows_to_measure_on_have_count_as_wrong(make_run_config, many_reviews, tmp_path):
    held = tmp_path / "held.csv"
    rows = (f"chair number {n},{['buy again', 'burn it'][n % 2]}\n" for n in range(80))
    held.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    record = finetune(make_run_config(validation=str(held), early_stopping=2), lambda event: None, never)
    assert record.labels == ("buy again", "send back")
    assert record.training["steps"] > 0


@pytest.fixture
def many_reviews(reviews):
    """300 rows whose labels follow no rule, so that learning them by heart does not help with others."""
    chance = random.Random(0)
    rows = (f"lamp number {chance.random()},{chance.choice(['buy again', 'send back'])}\n" for _ in range(300))
    reviews.write_text("text,label\n" + "".join(rows), encoding="utf-8")


@pytest.fixture
def misled(reviews, tmp_path):
    """Settings with which the training learns the opposite of what is true of rows to measure on and held back."""
    held, chance = tmp_path / "held.csv", random.Random(0)
    for path, thing, labels in (
        (reviews, "lamp", ("buy again", "send back")),
        (held, "chair", ("send back", "buy again")),
    ):
        rows = (f"{['bright', 'broken'][n % 2]} {thing} {chance.random()},{labels[n % 2]}\n" for n in range(300))
        path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return {"validation": str(held), "epochs": 10.0, "learning_rate": 0.02}


def test_rows_are_held_back_to_stop_early_and_the_best_weights_are_kept(make_run_config, misled):
    events = []
    config = make_run_config(**misled)
    assert config.early_stopping == 3  # as every preset has it
    record = finetune(config, events.append, never)
    checks = [(e["step"], e["validation_loss"]) for e in events if "validation_loss" in e]
    best = min(checks, key=lambda check: check[1])[0]
    taken = [e for e in events if e["event"] == "step"]
    assert len(taken) < taken[0]["steps"]
    assert [e["stops_early"] for e in events if e["event"] == "material"] == [True]
    (note,) = record.training["notes"]
    assert note.startswith(f"Stopped early after step {len(taken)}; the adapter has the weights of step {best}: ")
    assert [e["message"] for e in events if e["event"] == "note"] == [note]


def test_rows_held_back_are_learnt_from_by_nobody(make_run_config, many_reviews):
    config = make_run_config(early_stopping=3)
    task = get_task("classify")
    material = material_module.read_material(config, task)
    kept, watched = material_module.hold_back(material, config, task)
    sides = [{row["text"] for row in rows} for rows in (kept.training, watched, kept.held_out)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert len(watched) >= 16
    assert kept.spare == watched  # what the scores are calibrated on
    spare = replace(material, spare=material.training[:20])
    assert material_module.hold_back(spare, config, task) == (spare, spare.spare)


def test_scores_are_calibrated_on_rows_held_back_where_no_others_are_spare(make_run_config, many_reviews):
    record = finetune(make_run_config(epochs=8.0, learning_rate=0.02, evaluation_rows=30), lambda event: None, never)
    assert record.decision["temperature"] > 1  # labels without a rule were learnt by heart


def test_too_few_rows_to_hold_some_back_are_all_learnt_from(make_run_config):
    events = []
    record = finetune(make_run_config(epochs=1.0, early_stopping=3), events.append, never)
    assert record.training["rows"] == 36
    assert [e["stops_early"] for e in events if e["event"] == "material"] == [False]
    assert "too few rows" in record.training["notes"][0]


def test_a_run_that_stops_early_goes_on_after_a_break_to_the_same_weights(make_run_config, misled, tmp_path):
    options = {**misled, "early_stopping": 2}
    whole = finetune(make_run_config("whole", **options), lambda event: None, never)
    seen, breaks = [], 0

    def tired():
        return "pause" if _steps(seen) >= 15 * (breaks + 1) else ""

    while breaks < 20:
        try:
            cut = finetune(make_run_config("cut", **options), seen.append, tired, tmp_path / "state")
            break
        except Paused:
            breaks += 1
    assert 1 < breaks < 20
    assert cut.training["notes"] == whole.training["notes"] != []
    ours, theirs = (load_file(record.path / "adapter_model.safetensors") for record in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_from_before_a_setting_existed_counts_as_its_usual_value(make_run_config, tmp_path):
    begun_with = [
        finetune_module._checkpoint(tmp_path, config, config, 1, 9, optim).settings
        for config, optim in (
            (make_run_config(), "adamw_torch"),
            (make_run_config(use_dora=True), "adamw_torch"),
            (make_run_config(), "paged_adamw_8bit"),
        )
    ]
    assert begun_with[1] == {**begun_with[0], "use_dora": True}
    assert begun_with[2] == {**begun_with[0], "optim": "paged_adamw_8bit"}
    assert not {"use_dora", "optim"} & begun_with[0].keys()


def test_measuring_again_writes_figures_and_command_into_record_and_card(trained, reviews):
    record, _ = trained
    rows = load_corpus(reviews, "classify", {}, 10, 0).rows
    measure(record, rows, lambda event: None, never, data="10 other rows", command="measure it")
    found = store.find("classify", "lamps")
    assert found.metrics["adapter"]["n"] == 10
    text = (found.path / "README.md").read_text(encoding="utf-8")
    assert "10 other rows" in text
    assert "measure it" in text
    store.verify(found)


@pytest.fixture
def staged(make_run_config, tmp_path, reviews):
    """``staged(name)``: two parts on rows of one file, measured on rows of another, of which one is in the first."""
    held = tmp_path / "held out.csv"
    lines = ["The very SPLENDID lamp, number 3!,buy again".replace("lamp,", "lamp")]
    lines += [f"a lamp like no other in the world {i},{('buy again', 'send back')[i % 2]}" for i in range(9)]
    held.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    extra = "the very splendid lamp number 3,buy again\n"
    reviews.write_text(reviews.read_text(encoding="utf-8") + extra, encoding="utf-8")
    stages = [{}, {"seed": 1, "learning_rate": 1e-4, "max_rows": 20}]
    return lambda name, **changes: make_run_config(name, validation=str(held), stages=stages, **changes)


def test_parts_follow_one_another_and_rows_like_those_to_measure_on_are_dropped(staged):
    events = []
    record = finetune(staged("parts"), events.append, never)
    assert [(e["part"], e["parts"]) for e in events if e["event"] == "features"] == [(1, 2), (2, 2)]
    material = next(e for e in events if e["event"] == "material")
    assert (material["duplicates"], record.training["duplicates"]) == (1, 1)
    steps = [e for e in events if e["event"] == "step"]
    assert max(step["learning_rate"] for step in steps[6:]) <= 1e-4 < max(step["learning_rate"] for step in steps[:6])
    assert record.training["rows"] == 40 + 20
    assert record.training["steps"] == len(steps)


def test_a_run_in_parts_goes_on_in_the_part_where_it_was_paused(staged, tmp_path):
    whole = finetune(staged("whole"), lambda event: None, never)
    seen, breaks = [], 0

    def tired():
        return "pause" if _steps(seen) >= 2 * (breaks + 1) else ""

    while breaks < 20:
        try:
            cut = finetune(staged("cut"), seen.append, tired, tmp_path / "c")
            break
        except Paused:
            breaks += 1
    assert 3 < breaks < 20
    for name, tensor in load_file(whole.path / "adapter_model.safetensors").items():
        torch.testing.assert_close(load_file(cut.path / "adapter_model.safetensors")[name], tensor)
    assert not list((tmp_path / "c").iterdir())


def _steps(events):
    return sum(event["event"] == "step" for event in events)


def test_the_weights_from_before_a_training_can_be_mixed_in(make_run_config):
    records = [finetune(make_run_config(f"x{share}", start_share=share), lambda _: None, never) for share in (0, 1.0)]
    trained, untouched = (load_file(record.path / "adapter_model.safetensors") for record in records)
    second = [name for name in trained if "lora_B" in name]
    assert any(trained[name].any() for name in second)
    assert not any(untouched[name].any() for name in second)


def test_the_record_keeps_how_long_the_conversations_were_and_which_way_translations_went(make_run_config, tmp_path):
    said = ["Hello", "Hi!", "My lamp broke"]
    chats = [{"messages": [*said[:2], f"{said[2]} {i}", f"reply {i}"]} for i in range(12)]
    pairs = [{"source_text": f"one {i}", "target_text": f"moja {i}"} for i in range(12)]
    kept = {}
    for task, rows in (("instruct", chats), ("translate", pairs)):
        data = tmp_path / f"{task}.jsonl"
        data.write_text("\n".join(map(json.dumps, rows)))
        columns = {"source_lang": "=en", "target_lang": "=sw"} if task == "translate" else {}
        config = make_run_config(task=task, epochs=0.1, data=data, columns=columns, evaluation_rows=2)
        kept[task] = finetune(config, lambda event: None, never).training
    assert kept["instruct"]["turns"] == 3
    assert kept["translate"]["direction"] == ["en", "sw"]
    assert "turns" not in kept["translate"]
