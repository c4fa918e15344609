import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from playground.adapters.record import RECORD_FILE, AdapterRecord, check_name, hash_files, read_record, write_record
from playground.errors import AdapterError

SCORES = {"metrics": {"macro_f1": 65.0, "accuracy": 66.1}, "main": "macro_f1", "n": 300, "interval": [61.2, 68.4]}
RECORD = AdapterRecord(
    name="my-reviews",
    task="classify",
    shape="classify",
    backbone={"id": "gemma-3-270m-q4_k_m", "checksum": "ab" * 32},
    labels=("schlecht", "gut", "非常好"),
    attention="bidirectional",
    prompt="{text} {{label}}:",
    max_length=128,
    generation={"max_new_tokens": 32, "stop": ["\n"], "do_sample": False},
    training={"data": "reviews.csv", "licence": "mine", "rows": 90, "seed": 1, "wall_time_s": 12, "languages": ["de"]},
    metrics={"adapter": SCORES, "base": SCORES, "by_language": {"de": SCORES}, "data": "30 held-out rows"}
    | {"trivial": SCORES, "trivial_title": "always 'yes'"}
    | {"base_by_language": {"de": SCORES}, "trivial_by_language": {"de": SCORES}},
    created="2025-01-02T03:04:05+00:00",
    description="Opinions about 🧹",
    decision={"temperature": 1.5},
    files={"adapter_config.json": "0" * 64, "adapter_model.safetensors": "1" * 64},
)


def rewrite(folder: Path, **changes: object) -> None:
    write_record(RECORD, folder)
    payload = json.loads((folder / RECORD_FILE).read_bytes())
    (folder / RECORD_FILE).write_text(json.dumps(payload | changes), encoding="utf-8")


def test_a_written_record_is_read_back_equal(tmp_path):
    write_record(RECORD, tmp_path)
    assert read_record(tmp_path, "shipped") == replace(RECORD, path=tmp_path, origin="shipped")
    assert [path.name for path in tmp_path.iterdir()] == [RECORD_FILE]


@pytest.mark.parametrize("generation", [{"num_beams": 16, "length_penalty": -0.5}, {"length_penalty": 2}])
def test_beams_and_length_penalty_are_read(tmp_path, generation):
    rewrite(tmp_path, generation=generation)
    assert read_record(tmp_path, "own").generation == generation


def test_path_and_origin_stay_out_of_the_file(tmp_path):
    write_record(RECORD, tmp_path)
    assert not {"path", "origin"} & json.loads((tmp_path / RECORD_FILE).read_bytes()).keys()


def test_unknown_fields_are_ignored(tmp_path):
    rewrite(tmp_path, colour="blue")
    assert read_record(tmp_path, "own").name == RECORD.name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("schema_version", True),
        ("name", "../evil"),
        ("name", 7),
        ("name", ["tiny"]),
        ("task", {"a": 1}),
        ("task", None),
        ("shape", "regress"),
        ("shape", ["classify"]),
        ("labels", "abc"),
        ("labels", [1, 2]),
        ("labels", ["a", "a"]),
        ("labels", []),
        ("decision", {"temperature": 0}),
        ("decision", {"temperature": -1}),
        ("decision", {"temperature": 1e-300}),
        ("backbone", "gemma"),
        ("backbone", {"id": 3, "checksum": ""}),
        ("backbone", {"id": "x"}),
        ("attention", "both"),
        ("prompt", 3),
        ("prompt", "{text"),
        ("prompt", "{text.__class__}"),
        ("prompt", "{text[0]}"),
        ("prompt", "{text:>999999999}"),
        ("prompt", "{text!r}"),
        ("prompt", "{}"),
        ("prompt", "{text:{width}}"),
        ("prompt", "x" * 10_001),
        ("max_length", "256"),
        ("max_length", 0),
        ("max_length", True),
        ("max_length", 10**9),
        ("generation", [1]),
        ("generation", {"max_new_tokens": -1}),
        ("generation", {"num_beams": 0}),
        ("generation", {"num_beams": 17}),
        ("generation", {"num_beams": 2.0}),
        ("generation", {"num_beams": True}),
        ("generation", {"length_penalty": "1"}),
        ("generation", {"length_penalty": [1.0]}),
        ("generation", {"stop": [1]}),
        ("generation", {"stop": {"a": 1}}),
        ("training", {"rows": "many"}),
        ("training", {"languages": ["en\nlicense: mit"]}),
        ("training", {"languages": "en"}),
        ("training", {"direction": ["en", "<b>"]}),
        ("training", {"untrained": [1]}),
        ("metrics", {"adapter": 65.0}),
        ("metrics", {"adapter": SCORES | {"interval": [1, 2, 3]}}),
        ("metrics", {"adapter": SCORES | {"interval": ["a", "b"]}}),
        ("metrics", {"adapter": SCORES | {"main": "f1"}}),
        ("metrics", {"adapter": SCORES | {"metrics": {"macro_f1": "high"}}}),
        ("metrics", {"by_language": {"de": {}}}),
        ("metrics", {"base_by_language": {"de": SCORES | {"n": 1.5}}}),
        ("metrics", {"trivial_by_language": [SCORES]}),
        ("metrics", {"trivial": SCORES | {"main": "f1"}}),
        ("metrics", {"trivial_title": 3}),
        ("metrics", {"command": 3}),
        ("created", 20250102),
        ("description", {}),
        ("decision", {"temperature": "hot"}),
        ("files", {}),
        ("files", {"adapter_config.json": "0" * 64}),
        ("files", RECORD.files | {"../../etc/passwd": "0" * 64}),
        ("files", RECORD.files | {"adapter_config.json": "short"}),
        ("files", RECORD.files | {"adapter_config.json": 5}),
    ],
)
def test_a_wrong_value_is_refused_and_named(tmp_path, field, value):
    rewrite(tmp_path, **{field: value})
    with pytest.raises(AdapterError) as caught:
        read_record(tmp_path, "own")
    message = str(caught.value)
    assert "\n" not in message
    assert field.replace("_", " ") in message.replace("_", " ") or repr(value) in message


@pytest.mark.parametrize("label", ["PER", "B-", "X-PER", "o", ""])
def test_an_adapter_for_entities_has_bio_labels(tmp_path, label):
    rewrite(tmp_path, shape="tag", labels=["O", "B-PER", "I-PER"])
    assert read_record(tmp_path, "own").labels == ("O", "B-PER", "I-PER")
    rewrite(tmp_path, shape="tag", labels=["O", label])
    with pytest.raises(AdapterError, match=f"'labels' must be O, or B- or I- and a type, such as B-PER, not '{label}'"):
        read_record(tmp_path, "own")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b'{"training": {"wall_time_s": -1%s}}' % (b"0" * 400),
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b" " * (1024 * 1024 + 1),
    ],
)
def test_what_is_no_sane_json_object_is_refused_with_the_file_named(tmp_path, content):
    (tmp_path / RECORD_FILE).write_bytes(content)
    with pytest.raises(AdapterError, match=RECORD_FILE):
        read_record(tmp_path, "own")


def test_a_folder_without_record_is_refused_by_name(tmp_path):
    with pytest.raises(AdapterError, match=f"{tmp_path.name} has no file {RECORD_FILE}"):
        read_record(tmp_path, "own")


@pytest.mark.parametrize(
    "bad",
    [
        replace(RECORD, max_length=0),
        replace(RECORD, name="Big"),
        replace(RECORD, decision={"temperature": float("nan")}),
        replace(RECORD, description="\ud800"),
        replace(RECORD, generation={"stop": object()}),
    ],
)
def test_a_record_that_could_not_be_read_is_not_written(tmp_path, bad):
    with pytest.raises(AdapterError):
        write_record(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rewrite_keeps_the_old_record(tmp_path, monkeypatch):
    write_record(RECORD, tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space left"):
        write_record(replace(RECORD, description="new"), tmp_path)
    assert read_record(tmp_path, "own").description == RECORD.description
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["a", "0", "my-reviews_2.1", "a" * 64])
def test_plain_names_are_accepted(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", "a/b", "a\\b", "A", "é", "a b", "a\n", "a" * 65, "none", 5]
)
def test_other_names_are_refused_with_a_hint(name):
    with pytest.raises(AdapterError, match="begin with a letter or a digit"):
        check_name(name)


def test_the_key_changes_with_the_weights():
    other = replace(RECORD, files=RECORD.files | {"adapter_model.safetensors": "2" * 64})
    assert other.key != RECORD.key


def test_files_are_hashed_with_sha256(tmp_path):
    (tmp_path / "adapter_config.json").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_files(tmp_path, ["adapter_config.json"]) == {"adapter_config.json": expected}
