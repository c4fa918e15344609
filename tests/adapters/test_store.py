import errno
import json
import os
import shutil
from dataclasses import replace

import pytest
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from playground import settings
from playground.adapters import store
from playground.adapters.record import CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE, hash_files, read_record, write_record
from playground.adapters.store import (
    choose,
    default_adapter,
    find,
    list_adapters,
    list_broken,
    new_folder,
    remove,
    verify,
)
from playground.errors import AdapterError

MAGNITUDE = "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector"
pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


def rehash(record):
    """Makes the recorded hashes those of the files, as somebody who tampers with all of them would."""
    write_record(replace(record, files=hash_files(record.path)), record.path)
    return read_record(record.path, record.origin)


def edit_config(record, **changes):
    path = record.path / CONFIG_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return rehash(record)


def edit_weights(record, change):
    tensors = load_file(record.path / WEIGHTS_FILE)
    change(tensors)
    save_file(tensors, record.path / WEIGHTS_FILE)
    return rehash(record)


def save_half(name, failure):
    with new_folder("sentiment", name) as folder:
        (folder / WEIGHTS_FILE).write_bytes(b"half")
        raise failure


def leftovers():
    return [path for path in settings.own_adapters().rglob("*") if path.is_file()]


def test_what_is_saved_is_listed_found_and_sound(save_tiny_adapter):
    record = save_tiny_adapter("ner", "people")
    assert list_adapters() == list_adapters("ner") == [record]
    assert find("ner", "people") == record
    assert list_adapters("qa") == []
    verify(record)


def test_shipped_adapters_come_first_and_own_ones_newest_first(save_tiny_adapter, no_shipped_adapters):
    save_tiny_adapter(name="old", created="2025-01-01T00:00:00+00:00")
    save_tiny_adapter(name="new", created="2025-02-01T00:00:00+00:00")
    save_tiny_adapter(name="shipped", folder=no_shipped_adapters / "sentiment" / "shipped")
    listed = list_adapters("sentiment")
    assert [(r.name, r.origin) for r in listed] == [("shipped", "shipped"), ("new", "own"), ("old", "own")]
    assert default_adapter("sentiment", "tiny").name == "shipped"
    assert default_adapter("sentiment", "another") is None


def test_without_adapters_there_is_no_default():
    assert default_adapter("sentiment", "tiny") is None


def test_an_unknown_name_is_answered_with_near_ones(save_tiny_adapter):
    save_tiny_adapter(name="reviews-de")
    with pytest.raises(AdapterError, match=r"no adapter 'reviews-d'.*did you mean reviews-de"):
        find("sentiment", "reviews-d")
    with pytest.raises(AdapterError, match="there are: none yet"):
        find("qa", "reviews-de")


def test_to_answer_a_request_only_the_adapter_it_wants_is_read(save_tiny_adapter, no_shipped_adapters, monkeypatch):
    for name in ("a", "b"):
        save_tiny_adapter(name=name)
    save_tiny_adapter(name="shipped", folder=no_shipped_adapters / "sentiment" / "shipped")
    read = []
    monkeypatch.setattr(
        store, "read_record", lambda folder, origin: read.append(folder.name) or read_record(folder, origin)
    )
    wanted = [find("sentiment", "b"), choose(("ner", "sentiment"), "a"), choose(("sentiment",), None, "tiny")]
    assert [record.name for record in wanted] == read == ["b", "a", "shipped"]


@pytest.mark.parametrize("name", ["../sentiment/a", "a/../a", "*", "", "A"])
def test_what_is_no_name_leads_nowhere(save_tiny_adapter, name):
    save_tiny_adapter(name="a")
    with pytest.raises(AdapterError, match="There is no adapter"):
        find("sentiment", name)


def test_a_broken_folder_is_skipped_and_reported_with_the_reason(save_tiny_adapter):
    good, bad = save_tiny_adapter(name="good"), save_tiny_adapter(name="bad")
    (bad.path / WEIGHTS_FILE).unlink()
    assert list_adapters() == [good]
    [(folder, reason)] = list_broken()
    assert folder == bad.path
    assert WEIGHTS_FILE in reason
    with pytest.raises(AdapterError, match=f"sentiment/bad.*{WEIGHTS_FILE}"):
        find("sentiment", "bad")


def test_a_folder_under_another_name_is_broken(save_tiny_adapter):
    record = save_tiny_adapter(name="first")
    record.path.rename(record.path.with_name("second"))
    [(_, reason)] = list_broken()
    assert "sentiment/second" in reason
    assert "sentiment/first" in reason


def test_stray_files_and_half_written_folders_are_no_adapters(save_tiny_adapter):
    record = save_tiny_adapter()
    (settings.own_adapters() / "notes.txt").write_text("x")
    (record.path.parent / "notes.txt").write_text("x")
    shutil.copytree(record.path, record.path.parent / ".tiny-1.partial")
    assert list_adapters() == [record]
    assert list_broken() == []


def test_a_task_that_is_a_path_leads_nowhere(save_tiny_adapter):
    record = save_tiny_adapter()
    for task in (f"../{settings.own_adapters().name}/{record.task}", str(record.path.parent)):
        assert list_adapters(task) == []


@pytest.mark.parametrize("file_name", [CONFIG_FILE, WEIGHTS_FILE])
def test_one_flipped_byte_is_refused_by_name(save_tiny_adapter, file_name):
    record = save_tiny_adapter()
    data = bytearray((record.path / file_name).read_bytes())
    data[-10] ^= 1
    (record.path / file_name).write_bytes(data)
    with pytest.raises(AdapterError, match=f"'sentiment/tiny': {file_name} was changed or damaged"):
        verify(record)


def test_truncated_weights_are_refused_by_name_even_when_the_hash_agrees(save_tiny_adapter):
    record = save_tiny_adapter()
    weights = record.path / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="was changed or damaged"):
        verify(record)
    with pytest.raises(AdapterError, match=f"'sentiment/tiny': {WEIGHTS_FILE} is damaged or no safetensors"):
        verify(rehash(record))


def test_a_pickle_that_calls_itself_safetensors_is_refused(save_tiny_adapter):
    record = save_tiny_adapter()
    (record.path / WEIGHTS_FILE).write_bytes(b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.")
    with pytest.raises(AdapterError, match="is damaged or no safetensors file"):
        verify(rehash(record))


@pytest.mark.parametrize("name", ["adapter_model.bin", "training_args.PT", "sub/optimizer.pkl"])
def test_a_pickle_file_beside_the_weights_is_refused_by_name(save_tiny_adapter, name):
    record = save_tiny_adapter()
    (record.path / name).parent.mkdir(exist_ok=True)
    (record.path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(AdapterError, match=f"'sentiment/tiny': {name} may be in pickle format"):
        verify(record)


def test_a_link_is_refused(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter()
    (record.path / WEIGHTS_FILE).rename(tmp_path / "elsewhere")
    (record.path / WEIGHTS_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AdapterError, match=f"{WEIGHTS_FILE} is a link"):
        verify(record)


def test_weights_over_the_limit_are_refused(save_tiny_adapter, monkeypatch):
    record = save_tiny_adapter()
    monkeypatch.setattr(store, "MAX_ADAPTER_BYTES", 1000)
    with pytest.raises(AdapterError, match=f"{WEIGHTS_FILE} has .* bytes; at most 1,000"):
        verify(record)


@pytest.mark.parametrize("task", ["sentiment", "ner", "qa"])
def test_a_missing_head_is_refused_by_name(save_tiny_adapter, task):
    record = save_tiny_adapter(task)
    record = edit_weights(record, lambda tensors: tensors.pop("base_model.model.score.weight"))
    with pytest.raises(AdapterError, match=f"'{task}/tiny': {WEIGHTS_FILE} has no head"):
        verify(record)


def test_a_head_for_other_labels_is_refused(save_tiny_adapter):
    record = replace(save_tiny_adapter(), labels=("yes", "no"))
    with pytest.raises(AdapterError, match=r"the head has the shape \(3, 32\), but there are 2 labels"):
        verify(record)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"use_dora": True}, "use_dora"),
        ({"lora_bias": True}, "lora_bias"),
        ({"bias": "all"}, "bias"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"r": "4"}, "'r'"),
        ({"r": 0}, "rank"),
        ({"r": 8}, "rank 8"),
        ({"lora_alpha": None}, "lora_alpha"),
        ({"rank_pattern": {"(a+)+": 4}}, r"\(a\+\)\+"),
        ({"rank_pattern": [4]}, "pattern"),
        ({"use_rslora": "yes"}, "use_rslora"),
        ({"target_modules": "(a+)+$"}, "target_modules"),
        ({"exclude_modules": ["q_proj", 3]}, "exclude_modules"),
        ({"layers_pattern": ["(x*)*"]}, "layers_pattern"),
        ({"lora_alpha": 10**400}, "is too large a number"),
    ],
)
def test_a_config_that_is_not_plain_lora_is_refused_and_named(save_tiny_adapter, change, named):
    record = edit_config(save_tiny_adapter(), **change)
    with pytest.raises(AdapterError, match=f"'sentiment/tiny'.*{named}"):
        verify(record)


def test_dora_weights_and_a_config_that_hides_them_are_refused(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter("summarize", lora={"use_dora": True}, folder=tmp_path / "dora")
    verify(record)
    with pytest.raises(AdapterError, match=r"has a DoRA magnitude of 'model\.layers.*does not set 'use_dora'"):
        verify(edit_config(record, use_dora=False))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda tensors: tensors.pop(MAGNITUDE), "lacks the DoRA magnitude of 'model.layers.0.mlp.up_proj'"),
        (lambda tensors: tensors.update({MAGNITUDE: tensors[MAGNITUDE][:5].clone()}), r"shape \(5,\), not \(64,\)"),
    ],
)
def test_dora_magnitudes_have_to_fit(save_tiny_adapter, damage, words):
    record = edit_weights(save_tiny_adapter("summarize", lora={"use_dora": True}), damage)
    with pytest.raises(AdapterError, match=words):
        verify(record)


def test_a_foreign_tensor_is_refused_by_name(save_tiny_adapter):
    key = "base_model.model.model.embed_tokens.weight"
    record = save_tiny_adapter()
    record = edit_weights(record, lambda tensors: tensors.update({key: tensors["base_model.model.score.weight"] + 0}))
    with pytest.raises(AdapterError, match=key):
        verify(record)


def test_the_name_of_a_foreign_tensor_is_shown_short_and_on_one_line(save_tiny_adapter):
    key = "evil\n\u202e" + "x" * 5000
    head = "base_model.model.score.weight"
    record = edit_weights(save_tiny_adapter(), lambda tensors: tensors.update({key: tensors[head] + 0}))
    with pytest.raises(AdapterError, match="is neither LoRA A or B nor a head") as caught:
        verify(record)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_half_a_pair_is_refused_by_name(save_tiny_adapter):
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
    record = edit_weights(save_tiny_adapter(), lambda tensors: tensors.pop(key))
    with pytest.raises(AdapterError, match=r"lacks the A or B of 'model\.layers\.0\.self_attn\.q_proj'"):
        verify(record)


def test_integer_weights_are_refused(save_tiny_adapter):
    key = "base_model.model.score.weight"
    record = edit_weights(save_tiny_adapter(), lambda tensors: tensors.update({key: tensors[key].int()}))
    with pytest.raises(AdapterError, match="has the type I32"):
        verify(record)


def test_an_existing_name_is_refused_and_kept(save_tiny_adapter, no_shipped_adapters):
    record = save_tiny_adapter()
    save_tiny_adapter(name="given", folder=no_shipped_adapters / "sentiment" / "given")
    for name in ("tiny", "given"):
        with pytest.raises(AdapterError, match=f"already an adapter 'sentiment/{name}'"), new_folder("sentiment", name):
            pytest.fail("the folder was given out")
    verify(record)


def test_two_that_save_the_same_name_at_once_leave_one_whole_adapter(save_tiny_adapter, tmp_path):
    template = save_tiny_adapter(folder=tmp_path / "template")
    late, early = new_folder("sentiment", "tiny"), new_folder("sentiment", "tiny")
    for folder in (late, early):
        shutil.copytree(template.path, folder.__enter__(), dirs_exist_ok=True)
    early.__exit__(None, None, None)
    with pytest.raises(AdapterError, match="already an adapter"):
        late.__exit__(None, None, None)
    verify(find("sentiment", "tiny"))
    assert [path.name for path in (settings.own_adapters() / "sentiment").iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error: No space left on device")]
)
def test_a_full_disk_leaves_nothing_behind_and_says_so(failure):
    with pytest.raises(AdapterError, match=r"'sentiment/big' can't be saved.*No space left on device"):
        save_half("big", failure)
    assert list((settings.own_adapters() / "sentiment").iterdir()) == []


def test_a_stop_from_the_keyboard_leaves_nothing_behind():
    with pytest.raises(KeyboardInterrupt):
        save_half("big", KeyboardInterrupt())
    assert leftovers() == []


def test_an_unsound_adapter_is_not_installed(save_tiny_adapter, tmp_path):
    template = save_tiny_adapter(folder=tmp_path / "template")
    (template.path / WEIGHTS_FILE).write_bytes(b"junk")
    with pytest.raises(AdapterError, match="was changed or damaged"), new_folder("sentiment", "tiny") as folder:
        shutil.copytree(template.path, folder, dirs_exist_ok=True)
    assert leftovers() == []


def test_an_empty_folder_is_not_installed():
    with pytest.raises(AdapterError, match=RECORD_FILE), new_folder("sentiment", "tiny"):
        assert list_adapters() == []
    assert list((settings.own_adapters() / "sentiment").iterdir()) == []


@pytest.mark.parametrize(("task", "name"), [("sentiment", "../x"), ("../x", "tiny"), ("sentiment", "none")])
def test_a_name_that_is_no_folder_name_is_refused(task, name):
    with pytest.raises(AdapterError, match="can't be the name"), new_folder(task, name):
        pytest.fail("the folder was given out")
    assert not settings.own_adapters().exists()


def test_what_a_killed_process_left_is_swept_after_a_day(save_tiny_adapter):
    folder = settings.own_adapters() / "sentiment"
    old, young = folder / ".a-1.partial", folder / ".b-2.partial"
    for leftover in (old, young):
        leftover.mkdir(parents=True)
    os.utime(old, (0, 0))
    save_tiny_adapter()
    assert not old.exists()
    assert young.exists()


def test_own_adapters_are_removed_whole_and_shipped_ones_stay(save_tiny_adapter, no_shipped_adapters):
    own = save_tiny_adapter()
    save_tiny_adapter(name="given", folder=no_shipped_adapters / "sentiment" / "given")
    shipped = find("sentiment", "given")
    remove(own)
    assert list((settings.own_adapters() / "sentiment").iterdir()) == []
    with pytest.raises(AdapterError, match="'sentiment/given' belongs to the program"):
        remove(shipped)
    with pytest.raises(AdapterError, match="belongs to the program"):
        remove(replace(shipped, origin="own"))
    assert list_adapters() == [shipped]
    with pytest.raises(AdapterError, match="'sentiment/tiny' can't be removed"):
        remove(own)
