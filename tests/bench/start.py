"""How long a start takes, each in a fresh process: to the page, to a usable page, to the first answer.

    python -m tests.bench.start --repeats 5 --conversions 1 --json start.json

A conversion is a start without the converted backbone. Seconds count from the start of the process. The files are in
the system's cache after the first start, as they are on a machine on which the app was started before.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.bench.asking import ask, memory_mb
from tests.running_app import LOOK_EVERY_S, RunningApp, running_app

QUESTION = ("classify", ["The soup was cold.", None])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description="Times the start of the app.")
    parser.add_argument("--repeats", type=int, default=5, help="starts with a converted backbone")
    parser.add_argument("--conversions", type=int, default=1, help="starts without one")
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    figures = {"start": [start() for _ in range(options.repeats)]}
    figures["conversion"] = [start(with_conversion=True) for _ in range(options.conversions)]
    summary = {kind: medians(rows) for kind, rows in figures.items() if rows}
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps({"medians": summary, "all": figures}, indent=1), encoding="utf-8")


def start(*, with_conversion: bool = False) -> dict[str, float]:
    """Figures of one start: seconds to each stage, and the memory after the first answer in MB."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        chosen = {"PLAYGROUND_BACKBONES": str(home / "backbones")} if with_conversion else {}
        began = time.monotonic()
        with running_app(home, Path(scratch) / "log", **chosen) as app:
            _reached(app, "/")
            figures = {"page_s": time.monotonic() - began}
            config = _reached(app, "/config").json()
            _reached(app, "/gradio_api/info")
            figures["usable_s"] = time.monotonic() - began
            app.wait_until_ready()
            asyncio.run(_first_answer(app.address))
            figures["answer_s"] = time.monotonic() - began
            figures["num_components"] = len(config["components"])
            return figures | {f"memory_{when}_mb": size for when, size in memory_mb(app.process.pid).items()}


def _reached(app: RunningApp, path: str) -> httpx.Response:
    """The response at `path`, once there is one.

    Raises:
        EOFError: the app ended.
    """
    while True:
        app.must_run()
        try:
            return httpx.get(f"{app.address}{path}", timeout=60).raise_for_status()
        except httpx.TransportError:
            time.sleep(LOOK_EVERY_S)


async def _first_answer(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await ask(client, *QUESTION)
    if not answer.is_complete:
        raise SystemExit(f"The first answer failed: {answer.words}")


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


if __name__ == "__main__":
    main()
