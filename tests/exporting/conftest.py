"""Adapters of the tiny backbone that a process without the tests' fixtures can load too."""

import pytest


@pytest.fixture
def portable(save_tiny_adapter, tiny_backbone_folder):
    """``portable(task="sentiment", **fields)``: an adapter whose record names the tiny backbone by its folder."""
    from playground.backbones.loading import checksum, read_config

    source = str(tiny_backbone_folder)
    backbone = {"id": source, "checksum": checksum(source, source, read_config(source))}

    def save(task="sentiment", name="tiny", **fields):
        prompt = {"prompt": "{prompt}"} if task == "instruct" else {}
        return save_tiny_adapter(task, name, **{"backbone": backbone} | prompt | fields)

    return save
