import math

import numpy as np
import pytest

from playground.backbones.loading import load_tokenizer
from playground.exporting.probes import MAX_PROBE_TOKENS, NUM_PROBES, difference, probe_ids, thinned

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


def test_the_difference_is_a_share_of_the_largest_logit():
    assert difference([[10.0, 0.0], [5.0]], [[10.0, 1.0], [5.0]]) == pytest.approx(0.1)
    assert difference([[0.1]], [[0.2]]) == pytest.approx(0.1)  # below 1 the difference itself counts
    assert difference([[3.0, -4.0]], [[3.0, -4.0]]) == 0


@pytest.mark.parametrize("found", [[[1.0, math.nan]], [[1.0, math.inf]], [[1.0]], [], [[1.0, 2.0], [1.0]]])
def test_what_can_not_be_compared_is_infinitely_different(found):
    assert difference([[1.0, 2.0]], found) == math.inf


def test_thinning_keeps_the_same_places_and_few_of_them():
    long = np.arange(262_144, dtype=np.float32)
    assert thinned(long)[:3] == [0.0, 2048.0, 4096.0]
    assert len(thinned(long)) == 128
    assert thinned(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("task", ["sentiment", "classify", "ner", "qa", "summarize", "translate", "instruct"])
def test_every_task_has_different_short_probe_rows(task, save_tiny_adapter, tiny_backbone_folder):
    prompts = {"summarize": "{document}\nSummary:", "translate": "{source_language}: {source_text}"}
    record = save_tiny_adapter(task, prompt=prompts.get(task, "{prompt}" if task == "instruct" else ""))
    ids = probe_ids(record, load_tokenizer(str(tiny_backbone_folder)))
    assert len({tuple(one) for one in ids}) == len(ids) == NUM_PROBES
    assert all(8 < len(one) <= MAX_PROBE_TOKENS for one in ids)


def test_a_prompt_with_fields_of_its_own_is_filled(save_tiny_adapter, tiny_backbone_folder):
    record = save_tiny_adapter("instruct", prompt="{topic} in {year}")
    assert len(probe_ids(record, load_tokenizer(str(tiny_backbone_folder)))) == NUM_PROBES
