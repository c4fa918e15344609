"""Asking a named endpoint over HTTP, and what the process that answers costs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PATIENCE_S = 600.0


@dataclass(frozen=True)
class Answer:
    event: str
    """``complete``, ``error``, or ``refused`` where the request was not taken at all."""
    data: Any
    """The row; what the error says."""

    @property
    def is_complete(self) -> bool:
        return self.event == "complete"

    @property
    def words(self) -> str:
        """What an error says."""
        said = self.data.get("error") or self.data.get("detail") if isinstance(self.data, dict) else self.data
        return str(said)


async def ask(client: httpx.AsyncClient, endpoint: str, given: Sequence[Any]) -> Answer:
    """The last event that `endpoint` sends for the inputs `given`; `client` knows the address of the app."""
    path = f"/gradio_api/call/{endpoint}"
    sent = await client.post(path, json={"data": list(given)}, timeout=PATIENCE_S)
    if sent.status_code != httpx.codes.OK:
        return Answer("refused", f"{sent.status_code} {sent.text[:300]}")
    event, said = "", ""
    async with client.stream("GET", f"{path}/{sent.json()['event_id']}", timeout=PATIENCE_S) as stream:
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                said = value
    data = json.loads(said) if said else None
    return Answer(event, data[0] if event == "complete" else data)


def memory_mb(pid: int | str) -> dict[str, float]:
    """Resident memory of a process and its peak so far, from Linux's /proc."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {name: int(fields[key].split()[0]) / 1024 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}
