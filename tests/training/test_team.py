"""Two processes that train together come to what one alone comes to."""

import json
import os
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from playground.adapters import store
from playground.training.command import command_line
from playground.training.finetune import finetune
from playground.training.team import ALONE
from tests.training.together import learn

REPOSITORY = Path(__file__).resolve().parents[2]
MOST_S = 300.0


def launch(folder, arguments):
    """Two processes with the environment that ``accelerate launch`` and ``torchrun`` give; what each one printed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.together", str(folder), *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        printed = [process.communicate(timeout=MOST_S) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], printed
    return printed


def test_two_processes_learn_what_one_alone_would(make_run_config, tmp_path, full_precision):
    # A last batch of one row leaves nothing for the second process.
    config = make_run_config(name="alone", batch_size=5, epochs=1.0, learning_rate=1e-2)
    arguments = shlex.split(command_line(replace(config, name="together")))[3:]
    printed = launch(tmp_path, [*arguments, "--data", config.data])

    main, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    alone = learn(tmp_path / "alone", ALONE)
    assert main == other
    assert main["weights"] == pytest.approx(alone["weights"], abs=1e-5)
    for together, whole in zip(main["steps"], alone["steps"], strict=True):
        assert [step[0] for step in together] == [step[0] for step in whole]
        assert [step[1:3] for step in together] == [pytest.approx(step[1:3], rel=1e-4, abs=1e-6) for step in whole]
    halved = [note for note in main["notes"] if note.startswith("Memory ran out")]
    assert [note for note in main["notes"] if note not in halved] == alone["notes"]
    assert halved[0] == "Memory ran out, so 2 rows instead of 4 go through the backbone at once."

    one = load_file(finetune(config, lambda _: None, lambda: "").path / "adapter_model.safetensors")
    two = load_file(store.find("classify", "together").path / "adapter_model.safetensors")
    for name in (name for name in one if "lora_B" in name):  # these begin at zero
        assert (two[name] - one[name]).float().norm() < 0.02 * one[name].float().norm(), name
    assert "Saved classify/together" in printed[0][0]
    assert "Saved" not in printed[1][0]
    assert "step" not in printed[1][1]
