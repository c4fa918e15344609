"""Tensors of a backbone's files, whole and by rows."""

import pytest
import torch
from safetensors.torch import save_file

from playground.backbones.checkpoint_tensors import CheckpointTensors


@pytest.fixture
def matrices(tmp_path):
    """Two files; the matrix of interest lies between others."""
    numbers = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(50, 8, generator=numbers) for name in ("before", "words", "zulu")}
    save_file({"before": tensors["before"]}, tmp_path / "model-1.safetensors")
    save_file({name: tensors[name] for name in ("words", "zulu")}, tmp_path / "model-2.safetensors")
    return tmp_path, tensors


@pytest.mark.parametrize("name", ["before", "words", "zulu"])
@pytest.mark.parametrize("has_pread", [True, False])
def test_rows_are_those_of_the_whole_matrix(matrices, name, has_pread, monkeypatch):
    folder, tensors = matrices
    if not has_pread:
        monkeypatch.delattr("os.pread")
    rows = CheckpointTensors(sorted(folder.glob("*.safetensors"))).rows(name)
    for ids in ([0], [49], [3, 3, 1, 40]):
        assert torch.equal(rows[ids], tensors[name][ids])
    assert [len(part) for part in rows.split(20)] == [20, 20, 10]
    assert torch.equal(torch.cat(list(rows.split(20))), tensors[name])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rows_keep_their_precision(tmp_path, dtype):
    matrix = torch.randn(5, 4).to(dtype)
    save_file({"words": matrix}, tmp_path / "model.safetensors")
    found = CheckpointTensors([tmp_path / "model.safetensors"]).rows("words")[[4, 0]]
    assert found.dtype == dtype
    assert torch.equal(found, matrix[[4, 0]])


@pytest.mark.parametrize("ids", [[50], [-1], [0, 999_999]])
def test_a_row_that_there_is_not_is_refused_and_not_read_from_the_next_matrix(matrices, ids):
    folder, _ = matrices
    rows = CheckpointTensors(sorted(folder.glob("*.safetensors"))).rows("words")
    with pytest.raises(IndexError, match="matrix with 50"):
        rows[ids]
