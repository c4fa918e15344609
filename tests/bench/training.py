"""Our training against a plain ``Trainer`` with ``peft``: rows a second, memory and losses, each in a fresh process.

    python -m tests.bench.training --shapes classify --rows 240 --json training.json

Rows, tokens, rank, batch, epochs, schedule and seed are the same. Rows a second count the training loop alone, memory
is the highest resident one of the process, and the loss on held-out rows is that of the saved adapter in plain PEFT.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

from playground.backbones.loading import fast_bfloat16
from playground.training.config import PRESETS, ROWS_A_STEP

CONTESTANTS = ("plain", "ours", "ours_fp32")
SHAPES = ("classify", "tag", "generate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.training", description="Times the training.")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("--preset", choices=list(PRESETS), default="quick", help="of ours")
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    found = [
        compete(contestant, shape, options)
        for shape in options.shapes.split(",")
        for contestant in options.contestants.split(",")
    ]
    for one in found:
        print(in_words(one))
    if options.json:
        machine = {"processor": platform.processor(), "threads": options.threads, "bfloat16": fast_bfloat16()}
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        options.json.write_text(json.dumps({**machine, **versions, "runs": found}, indent=1), encoding="utf-8")


def compete(contestant: str, shape: str, options: argparse.Namespace) -> dict:
    """What `contestant` reports, with its settings."""
    names = ("rows", "epochs", "rank", "learning_rate", "seed", "threads", "preset")
    settings = {name: getattr(options, name) for name in names} | {"shape": shape}
    settings |= {"alpha": 2 * options.rank, "batch_size": ROWS_A_STEP[shape]}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.training_{contestant}", json.dumps(settings)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    outcome = json.loads(done.stdout.splitlines()[-1])
    return {"contestant": contestant, **settings, "rows_per_s": outcome["rows"] / outcome["seconds"], **outcome}


def in_words(run: dict) -> str:
    tail = run["losses"][-max(len(run["losses"]) // 4, 1) :]
    return (
        f"{run['shape']:9} {run['contestant']:9} {run['preset']:9} {run['rows_per_s']:7.2f} rows/s  "
        f"{run['peak_mb']:6.0f} MB  "
        f"loss first {run['losses'][0]:.3f}, last quarter {sum(tail) / len(tail):.3f}, "
        f"held out {run['held_out_loss']:.3f}"
    )


if __name__ == "__main__":
    main()
