"""Going on from an adapter that is there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from playground.adapters import edit, store
from playground.adapters.record import LEARNT_FILE, WEIGHTS_FILE, hash_files
from playground.adapters.report import read_report
from playground.errors import AdapterError, DataError
from playground.tasks import get_task
from playground.training import runs
from playground.training.continuing import check_backbone, put_weights, replayed, with_settings_of
from playground.training.finetune import finetune
from playground.training.learnt_rows import settings_of
from playground.training.material import ALL_LEARNT_BELOW, read_material
from playground.training.run_files import folder_of, load_state
from playground.training.runs import run_of
from playground.training.trainee import build_trainee


def never():
    return ""


@pytest.fixture
def parent(make_run_config, unborn_workers, no_shipped_adapters):
    """An adapter of a run that is still there with its rows."""
    config = make_run_config("lamps", evaluation_rows=6, learning_rate=5e-3)
    run_id = runs.start_run(config, Path(config.data))
    state = load_state(folder_of(run_id))
    return finetune(state.config, lambda event: None, never)


@pytest.fixture
def corrections(tmp_path):
    path = tmp_path / "corrections.jsonl"
    rows = [
        {"text": "the lamp arrived in pieces", "label": "complain"},
        {"text": "splendid lamp number 3", "label": "complain"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_training_goes_on_from_the_parents_weights_labels_and_settings(parent, make_run_config, corrections):
    events = []
    config = make_run_config("better", data=str(corrections), parent="lamps", rank=64, epochs=0.1, learning_rate=1e-6)
    record = finetune(config, events.append, never)
    assert record.labels == (*parent.labels, "complain")
    settings = json.loads((record.path / "adapter_config.json").read_text())
    assert settings["r"] == 8
    (note,) = (event["message"] for event in events if event["event"] == "note" and "Rank" in event["message"])
    assert note == "Going on from 'lamps' takes some settings from it, whatever was chosen: Rank."
    old, new = (load_file(one.path / WEIGHTS_FILE) for one in (parent, record))
    for name, weight in old.items():
        torch.testing.assert_close(new[name][: len(weight)], weight, atol=1e-3, rtol=0.05)
    assert any(weight.abs().max() > 0 for name, weight in new.items() if "lora_B" in name)
    assert (record.training["parent"], record.training["replayed"]) == ("lamps", 35)  # 36, less the corrected one


def test_an_alpha_with_a_fraction_changes_nothing(parent, make_run_config, tiny_backbone_folder):
    """As in adapters from elsewhere."""
    path = parent.path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": 16.5}))
    parent = replace(parent, files=hash_files(parent.path, parent.files))
    config = with_settings_of(parent, make_run_config("better"))
    trainee = build_trainee(config, "classify", str(tiny_backbone_folder), 2)
    put_weights(parent, trainee)
    saved = load_file(parent.path / WEIGHTS_FILE)
    (mine,) = (weight for name, weight in trainee.named_parameters() if "0.mlp.up_proj.lora_B" in name)
    (theirs,) = (weight.float() for name, weight in saved.items() if "0.mlp.up_proj.lora_B" in name)
    assert config.alpha == 16
    torch.testing.assert_close(config.alpha * mine.detach(), 16.5 * theirs)


def test_before_and_after_are_measured_on_the_rows_that_the_parent_was_measured_on(
    parent, make_run_config, corrections
):
    record = finetune(make_run_config("better", data=str(corrections), parent="lamps"), lambda event: None, never)
    report = read_report(record)
    assert (report["against"], report["n"]) == ("parent", parent.metrics["adapter"]["n"])
    assert record.metrics["parent"]["metrics"] == pytest.approx(parent.metrics["adapter"]["metrics"])
    assert "base" not in record.metrics
    assert "| Goes on from | lamps |" in (record.path / "README.md").read_text()


@pytest.fixture
def rows_of(parent, make_run_config, tmp_path):
    """``rows_of(texts, **settings)``: the material of a run that goes on from `parent` with a row for each text."""

    def read(texts, **settings):
        path = tmp_path / "more.jsonl"
        path.write_text("\n".join(json.dumps({"text": text, "label": "complain"}) for text in texts))
        config = make_run_config("better", data=str(path), parent="lamps", **settings)
        return read_material(config, get_task("classify"))

    return read


def test_some_dozen_corrections_are_all_learnt_and_measured_on_the_rows_held_out_before(parent, rows_of):
    texts = [f"{number} broken things in the box, thank you" for number in range(ALL_LEARNT_BELOW - 1)]
    material = rows_of(texts)
    learnt = [row["text"] for row in material.training]
    assert all(learnt.count(text) == 1 for text in texts)
    assert len(material.held_out) == parent.metrics["adapter"]["n"]
    more = rows_of([*texts, "one more broken thing, thank you"])
    assert len(more.held_out) > len(material.held_out)


def test_what_the_parent_learnt_is_not_measured_on(parent, rows_of):
    before = [row["text"] for row in read_material(run_of(parent).config, get_task("classify")).training]
    material = rows_of([*before, *(f"word {number} " * 3 for number in range(ALL_LEARNT_BELOW))])
    assert not {row["text"] for row in material.held_out} & set(before)
    learnt = [row["text"] for row in material.training]
    assert all(text in learnt for text in before)


def test_rows_that_the_new_ones_correct_are_not_repeated():
    old = [{"text": f"the {word} lamp is very good indeed", "label": "good"} for word in ("red", "blue", "green")]
    new = [{"text": "the red lamp is very good indeed", "label": "bad"}]
    kept = replayed("classify", old, new, 0)
    assert sorted(row["text"].split()[1] for row in kept) == ["blue", "green"]


def test_without_the_old_rows_the_person_is_told(parent, make_run_config, reviews):
    events = []
    finetune(make_run_config("again", data=str(reviews), parent="lamps", replay=False), events.append, never)
    notes = [event["message"] for event in events if event["event"] == "note"]
    assert any("None of the rows that 'lamps' learnt from is repeated" in note for note in notes)


def test_the_run_of_an_adapter_is_found_as_long_as_its_rows_are_there(parent):
    run = run_of(parent)
    assert run.config.name == "lamps"
    Path(run.config.data).unlink()
    assert run_of(parent) is None
    assert run_of(replace(parent, training={})) is None


def test_rows_of_the_command_line_are_repeated_while_they_are_what_was_learnt(
    make_run_config, corrections, reviews, no_shipped_adapters
):
    made = finetune(make_run_config("lamps", evaluation_rows=6, epochs=0.1), lambda event: None, never)
    assert made.path.joinpath(LEARNT_FILE).stat().st_mode & 0o077 == 0
    config = make_run_config("better", data=str(corrections), parent="lamps", epochs=0.1)
    copied = edit.duplicate(edit.rename(made, "renamed"), "copied")
    for parent in ("renamed", copied.name):
        material = read_material(replace(config, parent=parent), get_task("classify"))
        assert material.num_replayed == 35
        assert len(material.held_out) == made.metrics["adapter"]["n"]
    edit.rename(copied, "lamps")
    assert settings_of(store.find("classify", "lamps")).seed == config.seed
    reviews.write_text(reviews.read_text() + "another lamp,buy again\n")
    assert settings_of(store.find("classify", "lamps")) is None
    with pytest.raises(DataError, match="has 2 usable rows; at least 4"):
        read_material(config, get_task("classify"))
    store.find("classify", "lamps").path.joinpath(LEARNT_FILE).write_text("{}")
    assert settings_of(store.find("classify", "lamps")) is None


def test_rows_of_the_first_training_are_repeated_in_a_third_one_though_its_adapter_is_gone(
    parent, make_run_config, corrections, tmp_path
):
    config = make_run_config("better", data=str(corrections), parent="lamps", epochs=0.1)
    run_id = runs.start_run(config, corrections)
    better = finetune(load_state(folder_of(run_id)).config, lambda event: None, never)
    store.remove(parent)
    again = tmp_path / "again.jsonl"
    again.write_text('{"text": "dull and dented", "label": "complain"}')
    third = make_run_config("best", data=str(again), parent=better.name)
    material = read_material(load_state(folder_of(runs.start_run(third, again))).config, get_task("classify"))
    assert material.num_replayed == 37  # those of both trainings


def test_another_backbone_is_refused_by_name(parent):
    with pytest.raises(AdapterError, match="not for 'other'"):
        check_backbone(parent, "other", parent.backbone["checksum"])


def test_a_parent_that_is_not_there_is_named(make_run_config, no_shipped_adapters):
    with pytest.raises(AdapterError, match="ghost"):
        finetune(make_run_config("x", parent="ghost"), lambda event: None, never)
