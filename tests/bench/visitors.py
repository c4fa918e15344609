"""Many simulated visitors at once, each asking one thing after the other over HTTP on all endpoints.

    python -m tests.bench.visitors --visitors 50 --seconds 300 --json visitors.json

Counts answers, honest refusals (the app says that it is busy) and errors; seconds until the answer by task; how evenly
visitors are served; and the app's memory over time. Texts are rows of data/dev in all their languages.
"""

import argparse
import asyncio
import gzip
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from playground import settings
from tests.bench.asking import Answer, ask, memory_mb
from tests.running_app import running_app

BUSY = ("requests are waiting already", "Queue is full")
"""In the words of an app that has too much to do: of the engine, and of Gradio's queue."""
GRACE_S = 30
"""How long visitors still wait after the last question; then they leave, as people do."""
ROWS_EACH = 8
"""Rows taken from each file of data/dev."""
FIELDS = {
    "classify": ("sentiment", ("text",)),
    "ner": ("ner", ("text",)),
    "qa": ("qa", ("context", "question")),
    "summarize": ("summarization", ("document",)),
    "translate": ("translation", ("source_text", "source_lang", "target_lang")),
}
"""Of each endpoint: the folder of its rows, and which of their fields it takes."""
CHAT_COMMANDS = ("/sentiment", "/entities", "/summarize", "/translate en")


@dataclass(frozen=True)
class Crowd:
    visitors: int
    seconds: float
    think: float = 2.0
    """Mean seconds between an answer and the next question."""
    seed: int = 0


@dataclass(frozen=True)
class Asked:
    visitor: int
    endpoint: str
    outcome: str
    """``ok``, ``busy`` or what went wrong."""
    seconds: float
    at_s: float
    """When the answer came, since the visitors came."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.visitors", description="Many visitors at once.")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument(
        "--think", type=float, default=Crowd.think, help="mean seconds between an answer and the next question"
    )
    parser.add_argument("--seed", type=int, default=Crowd.seed)
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    found = visit(Crowd(options.visitors, options.seconds, options.think, options.seed))
    print(json.dumps(found["summary"], indent=1))
    if options.json:
        rows = [vars(one) for one in found["asked"]]
        options.json.write_text(json.dumps(found | {"asked": rows}), encoding="utf-8")
    sys.exit(1 if found["summary"]["errors"] else 0)


def visit(crowd: Crowd) -> dict[str, Any]:
    """What a fresh app gave the `crowd`: ``summary``, everything ``asked``, and its ``memory`` every second."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with running_app(Path(scratch) / "home", log) as app:
            app.wait_until_ready()
            asked, memory = asyncio.run(_visit(app.address, app.process.pid, crowd))
            summary = summarize(asked, memory)
            summary["tracebacks_in_log"] = log.read_text(encoding="utf-8").count("Traceback")
    return {"summary": summary, "asked": asked, "memory": memory}


async def _visit(address: str, pid: int, crowd: Crowd) -> tuple[list[Asked], list[tuple[float, dict[str, float]]]]:
    """Everything that was asked, and the app's memory every second."""
    questions = _questions()
    asked: list[Asked] = []
    memory: list[tuple[float, dict[str, float]]] = []
    began = time.monotonic()

    async def visitor(number: int) -> None:
        chance = random.Random(crowd.seed * 1000 + number)
        endpoints = _round_and_round(list(questions), chance)
        async with httpx.AsyncClient(base_url=address) as client:
            while time.monotonic() - began < crowd.seconds:
                await asyncio.sleep(chance.expovariate(1 / crowd.think) if crowd.think else 0)
                endpoint = next(endpoints)
                sent = time.monotonic()
                try:
                    outcome = outcome_of(await ask(client, endpoint, chance.choice(questions[endpoint])))
                except httpx.TransportError as err:
                    outcome = f"the connection was lost: {err!r}"
                now = time.monotonic()
                asked.append(Asked(number, endpoint, outcome, now - sent, now - began))

    async def watch() -> None:
        while True:
            memory.append((time.monotonic() - began, memory_mb(pid)))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    visitors = [asyncio.create_task(visitor(number)) for number in range(crowd.visitors)]
    done, impatient = await asyncio.wait(visitors, timeout=crowd.seconds + GRACE_S)
    for task in (*impatient, watching):
        task.cancel()
    for task in done:
        task.result()
    return asked, memory


def _round_and_round(names: list[str], chance: random.Random) -> Iterator[str]:
    """All of them again and again, from a random one on, so that everybody asks for the same mix."""
    chance.shuffle(names)
    return itertools.cycle(names)


def _questions() -> dict[str, list[list[Any]]]:
    """What visitors ask, by endpoint; a text that is too long for a visitor's patience is cut."""
    found: dict[str, list[list[Any]]] = {}
    for endpoint, (folder, fields) in FIELDS.items():
        rows = [row for path in sorted((settings.REPOSITORY / "data/dev" / folder).glob("*.gz")) for row in _rows(path)]
        found[endpoint] = [[row[field][:1500] for field in fields] + [None] for row in rows]
    texts = [given[0] for given in found["classify"]]
    found["chat"] = [
        [f"{CHAT_COMMANDS[number % len(CHAT_COMMANDS)]} {text}", None] for number, text in enumerate(texts)
    ]
    return found


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for _, line in zip(range(ROWS_EACH), lines, strict=False):
            yield json.loads(line)


def outcome_of(answer: Answer) -> str:
    if answer.is_complete:
        return "ok"
    return "busy" if any(word in answer.words for word in BUSY) else f"{answer.event}: {answer.words[:200]}"


def summarize(asked: Sequence[Asked], memory: Sequence[tuple[float, dict[str, float]]]) -> dict[str, Any]:
    served = [one for one in asked if one.outcome == "ok"]
    wrong = Counter(one.outcome for one in asked if one.outcome not in ("ok", "busy"))
    resident = [size["now"] for _, size in memory]
    third = max(1, len(resident) // 3)
    return {
        "ok": len(served),
        "busy": sum(one.outcome == "busy" for one in asked),
        "errors": wrong.total(),
        "error_words": dict(wrong),
        "answers_per_s": round(len(served) / max(one.at_s for one in asked), 2),
        "all": _times(served),
        "tasks": {name: _times([one for one in served if one.endpoint == name]) for name in (*FIELDS, "chat")},
        "visitors": _fairness(asked, served),
        "memory_mb": {
            "start": round(resident[0]),
            "middle_third": round(statistics.median(resident[third : 2 * third] or resident)),
            "last_third": round(statistics.median(resident[-third:])),
            "end": round(resident[-1]),
            "peak": round(memory[-1][1]["peak"]),
        },
    }


def _fairness(asked: Sequence[Asked], served: Sequence[Asked]) -> dict[str, Any]:
    """How evenly visitors are served: their answers, and how long each waits beside the median of the same task."""
    usual = {name: statistics.median(one.seconds for one in served if one.endpoint == name) for name in _names(served)}
    answers, waits = [], []
    for number in _numbers(asked):
        own = [one for one in served if one.visitor == number]
        answers.append(len(own))
        waits += [statistics.mean(one.seconds / usual[one.endpoint] for one in own)] if own else []
    return {
        "answers": _spread(answers),
        "best_to_worst_answers": round(max(answers) / max(1, min(answers)), 2),
        "wait_beside_the_usual": _spread(waits),
        "p95_s": _spread([_times([one for one in served if one.visitor == n])["p95_s"] for n in _numbers(served)]),
    }


def _names(asked: Sequence[Asked]) -> set[str]:
    return {one.endpoint for one in asked}


def _numbers(asked: Sequence[Asked]) -> set[int]:
    return {one.visitor for one in asked}


def _times(asked: Sequence[Asked]) -> dict[str, float]:
    """Seconds until the answer."""
    took = sorted(one.seconds for one in asked)
    if not took:
        return {"n": 0, "p50_s": 0.0, "p95_s": 0.0}
    return {
        "n": len(took),
        "p50_s": round(statistics.median(took), 2),
        "p95_s": round(took[min(len(took) - 1, int(0.95 * len(took)))], 2),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        "least": round(min(values), 2),
        "median": round(statistics.median(values), 2),
        "most": round(max(values), 2),
    }


if __name__ == "__main__":
    main()
