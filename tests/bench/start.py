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
from tests.running_app import RunningApp, running_app

LOOK_EVERY_S = 0.05
QUESTION = ("classify", ["The soup was cold.", None])
NOT_READY = "still being prepared"


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
            try:
                return asyncio.run(_stages(app, began))
            except EOFError as gone:
                raise SystemExit(f"{gone}:\n{(Path(scratch) / 'log').read_text()[-3000:]}") from gone


async def _stages(app: RunningApp, began: float) -> dict[str, float]:
    figures = {}
    async with httpx.AsyncClient(base_url=app.address, timeout=60) as client:
        await _reached(app, client, "/")
        figures["page_s"] = time.monotonic() - began
        config = (await _reached(app, client, "/config")).json()
        await _reached(app, client, "/gradio_api/info")
        figures["usable_s"] = time.monotonic() - began
        figures["num_components"] = len(config["components"])
        while not (answer := await ask(client, *QUESTION)).is_complete:
            if NOT_READY not in answer.words:
                raise SystemExit(f"The first answer failed: {answer.words}")
            await asyncio.sleep(LOOK_EVERY_S)
        figures["answer_s"] = time.monotonic() - began
    return figures | {f"memory_{when}_mb": size for when, size in memory_mb(app.process.pid).items()}


async def _reached(app: RunningApp, client: httpx.AsyncClient, path: str) -> httpx.Response:
    """The response at `path`, once there is one.

    Raises:
        EOFError: the app ended.
    """
    while app.process.poll() is None:
        try:
            response = await client.get(path)
        except httpx.TransportError:
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            response.raise_for_status()
            return response
    raise EOFError(f"The app ended with {app.process.returncode}")


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


if __name__ == "__main__":
    main()
