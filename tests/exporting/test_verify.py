"""Loading adapters again in fresh processes; each takes some seconds to import torch."""

from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file

from playground.adapters.record import WEIGHTS_FILE, hash_files, read_record, write_record
from playground.adapters.store import is_unchecked, mark_unchecked
from playground.backbones.loading import load_exact
from playground.errors import AdapterError
from playground.exporting.fresh import compare
from playground.exporting.probes import as_probe, probe_ids
from playground.exporting.publish import publish
from playground.exporting.reference import engine_outputs
from playground.exporting.verify import must_say_the_same, verify_outputs
from tests.fake_hub import fake_hub

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


def with_probe(record):
    """`record` as a training leaves it: with its own outputs on the probe rows."""
    backbone = load_exact(record.backbone["id"], lambda *_: None)
    ids = probe_ids(record, backbone.tokenizer)
    probed = replace(record, probe=as_probe(ids, engine_outputs(backbone, record, ids), "none", "float32"))
    write_record(probed, record.path)
    return read_record(record.path, "own")


def with_other_weights(record, change):
    """`record` with changed weights that it vouches for all the same."""
    weights = load_file(record.path / WEIGHTS_FILE)
    save_file({name: change(name, tensor) for name, tensor in weights.items()}, record.path / WEIGHTS_FILE)
    write_record(replace(record, files=hash_files(record.path)), record.path)
    return read_record(record.path, "own")


def test_an_adapter_that_says_what_it_said_is_the_same_and_checked_then(portable):
    record = with_probe(portable("ner", attention="bidirectional"))
    mark_unchecked(record.path)
    verdict = must_say_the_same(record, lambda _: None)
    assert not is_unchecked(record)
    assert verdict.is_same
    assert (verdict.num_rows, verdict.reader) == (3, "the engine")
    assert "same outputs on 3 probe rows" in str(verdict)


def test_an_adapter_whose_weights_were_lost_on_the_way_is_another_one(portable, without_fresh_process):
    record = with_other_weights(
        with_probe(portable("instruct")), lambda name, tensor: tensor * (0 if "q_proj.lora_B" in name else 1)
    )
    verdict = verify_outputs(record, lambda _: None)
    assert not verdict.is_same
    assert "OTHER outputs" in str(verdict)


def test_without_outputs_of_its_making_plain_peft_is_held_against_the_engine(portable):
    verdict = verify_outputs(portable("qa", attention="bidirectional"), lambda _: None)
    assert verdict.is_same
    assert verdict.reader == "plain PEFT"


def test_changed_files_are_refused_before_anything_is_loaded(portable):
    record = with_probe(portable())
    with (record.path / WEIGHTS_FILE).open("ab") as weights:
        weights.write(b"\0")
    with pytest.raises(AdapterError, match="was changed or damaged"):
        verify_outputs(record, lambda _: None)


def test_what_can_not_be_loaded_is_said_in_one_sentence(portable, without_fresh_process):
    record = portable(backbone={"id": "/nowhere/at-all", "checksum": "0" * 64})
    with pytest.raises(AdapterError, match="There is no backbone '/nowhere/at-all'") as caught:
        compare("peft", record.path, [[2, 5]], [[0.0]])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ({"dtype": "int8"}, "'dtype' must be one of"),
        ({"outputs": [[1.0]]}, "must belong together"),
        ({"ids": [["a"], [1]]}, "lists of numbers only"),
        ({"ids": [[-1], [1]]}, "no id may be below 0"),
        ({"ids": [], "outputs": []}, "must be 1 to"),
    ],
)
def test_a_probe_from_elsewhere_is_checked(portable, probe, message):
    sound = {"ids": [[2], [3]], "outputs": [[0.5], [1.0]], "quantization": "none", "dtype": "float32"}
    record = portable()
    write_record(replace(record, probe=sound), record.path)
    with pytest.raises(AdapterError, match=message):
        write_record(replace(record, probe=sound | probe), record.path)


def test_a_probe_with_a_token_that_does_not_exist_is_refused(portable):
    backbone = load_exact((record := portable()).backbone["id"], lambda *_: None)
    with pytest.raises(AdapterError, match="the token 9999"):
        engine_outputs(backbone, record, [[2, 9999]])


@pytest.mark.slow
def test_what_was_pushed_is_fetched_again_and_compared(portable):
    with fake_hub() as served:
        record = portable("instruct")
        assert publish(record, "somebody/lamps", served.api(), lambda _: None).is_same
        assert served.repositories["somebody/lamps"].private
