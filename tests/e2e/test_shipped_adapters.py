"""The adapters that come with the app, run on the embedded backbone by PEFT alone and by the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from playground import settings
from playground.adapters import store
from playground.adapters.card import HUB_NAMES, loading_code
from playground.adapters.record import read_record
from playground.backbones.catalogue import EMBEDDED_ID

SHIPPED = sorted(path.parent for path in settings.shipped_adapters().glob("*/*/playground.json"))
TASKS_OF_THE_PAGE = ("sentiment", "ner", "qa", "summarize", "translate")
MAX_BYTES = 10_000_000
TEXTS = {
    "'A text in any language.'": "'Angela Merkel reiste nach 北京, und das Essen war herrlich.'",
    "'The question?', 'The text with the answer.'": "'Wann öffnet das Museum?', 'Das Museum öffnet um neun Uhr.'",
    "source_text='source text'": "source_text='The library opens at nine.'",
    "source_language='source language'": "source_language='English'",
    "target_language='target language'": "target_language='French'",
    "document='document'": "document='The council met on Monday. It will build a bridge over the river next year.'",
}
each_shipped = pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: f"{folder.parent.name}-{folder.name}")


@pytest.fixture(scope="module")
def engine():
    """Without quantization, as the code in the cards runs."""
    from playground.backbones.loading import load
    from playground.engine.engine import Engine

    engine = Engine(load(EMBEDDED_ID, "none", lambda fraction, message: None))
    yield engine
    engine.close()


RUN_EACH = """
import gc, json, traceback
found = []
for code in json.load(open('codes.json')):
    names = {}
    try:
        exec(code, names)
        found.append(names['found'])
    except Exception:
        found.append(traceback.format_exc())
    del names
    gc.collect()
json.dump(found, open('found.json', 'w'))
"""
"""Runs codes one after the other, since importing PEFT takes seconds; what failed leaves its traceback."""
NUM_TOKENS = 24
"""Of a text that is written twice: a difference shows early, and PEFT takes long for each."""


def code_of(record, source):
    """The code of the card on one of `TEXTS`; it leaves ids of the input and logits or output ids as ``found``."""
    code = loading_code(record).replace(repr(HUB_NAMES[EMBEDDED_ID]), repr(source))
    code = code.replace(f"model, {record.name!r}", f"model, {str(record.path)!r}")
    for general, text in TEXTS.items():
        code = code.replace(general, text)
    if record.shape != "generate":
        return f"{code}found = inputs['input_ids'][0].tolist(), logits.tolist()\n"
    code = code.replace(f"max_new_tokens={record.generation['max_new_tokens']}", f"max_new_tokens={NUM_TOKENS}")
    return f"{code}found = inputs['input_ids'][0].tolist(), output[0].tolist()\n"


@pytest.fixture(scope="module")
def by_peft_alone(engine, tmp_path_factory):
    """What the code of each card computes, by the adapter's folder, in a Python that can't import ours."""
    folder = tmp_path_factory.mktemp("peft")
    codes = [code_of(read_record(one, "shipped"), str(Path(engine.backbone.source))) for one in SHIPPED]
    (folder / "codes.json").write_text(json.dumps(codes))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-P", "-c", RUN_EACH], cwd=folder, env=environment, check=True, capture_output=True)
    return dict(zip(SHIPPED, json.loads((folder / "found.json").read_text()), strict=True))


def test_every_task_of_the_page_comes_with_an_adapter():
    assert {folder.parent.name for folder in SHIPPED} >= set(TASKS_OF_THE_PAGE)


@each_shipped
def test_a_shipped_adapter_is_whole_small_and_measured(folder):
    record = read_record(folder, "shipped")
    store.verify(record)
    assert record.backbone["id"] == EMBEDDED_ID
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    assert record.metrics["adapter"]["n"] >= 50
    assert 50 <= record.metrics["base"]["n"] <= record.metrics["adapter"]["n"]
    assert len(record.metrics["by_language"]) >= 10
    assert record.training.keys() >= {"data", "licence", "command", "seed", "wall_time_s"}


@each_shipped
def test_peft_alone_computes_what_the_engine_computes(folder, engine, by_peft_alone):
    from playground.engine.requests import Decoding, EncodeRow

    record = read_record(folder, "shipped")
    assert not isinstance(by_peft_alone[folder], str), by_peft_alone[folder]
    ids, found = by_peft_alone[folder]
    adapter = engine.adapter(record)
    if record.shape == "generate":
        ticket = engine.generate([(ids, adapter)], Decoding(max_new_tokens=NUM_TOKENS))
        ticket.wait()
        assert ticket.decode_rows[0].output_ids == [token for token in found[len(ids) :] if token != 1]
    else:
        pooled = record.shape == "classify"
        ticket = engine.encode([EncodeRow(ids, adapter, record.attention, pooled)])
        ticket.wait()
        np.testing.assert_allclose(np.asarray(ticket.logits[0]), np.asarray(found), atol=1e-2)
