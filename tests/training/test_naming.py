"""Names of persons in the rows of a run, found by the shipped adapter on the embedded backbone."""

import json

import pytest

from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import automatic_quantization, load
from playground.errors import InputError
from playground.tasks import get_task
from playground.training import naming
from playground.training.config import make_config
from playground.training.material import read_material
from playground.training.naming import masking_s

SAID = (
    "Maria Okafor complained on Tuesday that parcel {} never came to her house",
    "Jonas Brandt aus Leipzig hat die Lampe Nummer {} nie bekommen",
    "The lamp with the number {} broke after two days of use",
)


@pytest.fixture(scope="module")
def embedded():
    return load(EMBEDDED_ID, automatic_quantization(), lambda *_: None)


@pytest.fixture
def loaded_once(embedded, monkeypatch):
    """The embedded backbone takes seconds to load."""
    monkeypatch.setattr(naming, "load", lambda *_: embedded)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [{"text": SAID[n % 3].format(n), "label": "ab"[n % 2]} for n in range(24)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def config_of(path, backbone=EMBEDDED_ID, **changes):
    return make_config("classify", path, "named", "best", str(backbone), **{"fixes": ["mask-names"]} | changes)


def texts_of(material):
    return [row["text"] for row in (*material.training, *material.held_out, *material.spare)]


def test_names_are_masked_before_the_split_and_counted_and_told(rows, loaded_once):
    told = []
    found = read_material(config_of(rows), get_task("classify"), lambda *said: told.append(said))
    assert found.fixes == {"mask-names": 16}
    texts = texts_of(found)
    assert len(texts) + found.duplicates == 24
    assert not any("Okafor" in text or "Brandt" in text for text in texts)
    assert sum("[NAME]" in text for text in texts) + found.duplicates >= 16
    assert "Leipzig" in " ".join(texts)
    assert "Okafor" in rows.read_text(encoding="utf-8")


def test_own_rows_to_measure_on_are_masked_too(rows, tmp_path, loaded_once):
    held = tmp_path / "held.csv"
    held.write_text("text,label\nMaria Okafor likes the new lamp,a\nNothing to say,b\n", encoding="utf-8")
    found = read_material(config_of(rows, validation=str(held)), get_task("classify"))
    assert found.fixes == {"mask-names": 16}
    assert not any("Okafor" in text or "Brandt" in text for text in texts_of(found))
    assert "[NAME] likes the new lamp" in [row["text"] for row in found.held_out]


def test_the_estimate_masks_nothing_but_says_how_long_it_takes(rows, loaded_once):
    config = config_of(rows)
    found = read_material(config, get_task("classify"), progress=None)
    assert any("Okafor" in text for text in texts_of(found))
    assert 0 < masking_s(config, found.training) < 60
    assert masking_s(config_of(rows, fixes=[]), found.training) == 0


def test_without_a_fitting_adapter_the_run_says_what_to_leave_out(rows, tiny_backbone_folder):
    with pytest.raises(InputError, match=r"with the label PER fits.*Leave 'mask-names' out"):
        read_material(config_of(rows, tiny_backbone_folder), get_task("classify"))


def test_without_the_fix_no_backbone_is_loaded(rows, monkeypatch):
    monkeypatch.setattr("playground.training.naming.load", lambda *_: pytest.fail("loaded"))
    assert read_material(config_of(rows, fixes=["mask-email"]), get_task("classify")).fixes == {"mask-email": 0}
