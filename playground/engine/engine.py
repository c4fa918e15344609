"""The engine: one thread that runs all rows through the one backbone, each with its own adapter.

Requests wait in one line. Between two decoding steps every waiting single-pass request gets its turn, so a long
answer for one person never blocks a short one for another.
"""

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from playground import settings
from playground.adapters.record import AdapterRecord
from playground.adapters.store import verify
from playground.adapters.weights import load_weights
from playground.backbones.loading import Backbone
from playground.engine.decode import DecodeGroup, DecodeRow
from playground.engine.encode import encode
from playground.engine.lora import Delta, LoadedAdapter, install
from playground.engine.requests import Decoding, EncodeRow
from playground.errors import AdapterError, BackboneError, BusyError, Cancelled

MAX_PASS_TOKENS = 2048
"""Padded tokens in one single pass: bounds its memory and how long others wait for it."""
MAX_DECODE_ROWS = 16


@dataclass(eq=False)
class Ticket:
    """A request in the engine's hands."""

    encode_rows: list[EncodeRow] = field(default_factory=list)
    decode_rows: list[DecodeRow] = field(default_factory=list)
    logits: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def cancel(self) -> None:
        self.cancelled.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the request is finished by now; raises what stopped it."""
        if not self.finished.wait(timeout_s):
            return False
        if self.failure is not None:
            raise self.failure
        return True


class Engine:
    """Runs rows through `backbone`; safe to call from any number of threads."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._routes = install(backbone.model)
        self._adapters: OrderedDict[tuple[str, str], LoadedAdapter] = OrderedDict()
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._open: set[Ticket] = set()
        self._open_lock = threading.Lock()
        self._adapters_lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _revive(self) -> None:
        """After a fork (ZeroGPU): the weights are inherited, the thread is not, and locks are as they were."""
        if self._process != os.getpid():
            self._start()

    def close(self) -> None:
        """Ends the thread; requests under way are stopped."""
        with self._open_lock:
            for ticket in self._open:
                ticket.cancel()
        self._waiting.put(None)
        self._thread.join()

    def adapter(self, record: AdapterRecord) -> LoadedAdapter:
        """The tensors of `record`, loaded at its first use; the least recently used ones make room.

        Raises:
            AdapterError: made for another backbone, broken, tampered with, or without the head its task needs.
        """
        self._revive()
        key = (str(record.path), record.files.get("adapter_model.safetensors", ""))
        with self._adapters_lock:
            if key in self._adapters:
                self._adapters.move_to_end(key)
                return self._adapters[key]
        loaded = self._load(record)
        with self._adapters_lock:
            self._adapters[key] = loaded
            while len(self._adapters) > settings.MAX_LOADED_ADAPTERS:
                self._adapters.popitem(last=False)
        return loaded

    def _load(self, record: AdapterRecord) -> LoadedAdapter:
        check_backbone(record, self.backbone)
        verify(record)
        weights = load_weights(record)
        known = {name for name, _ in self.backbone.model.named_modules()}
        foreign = next((layer for layer in weights.lora if layer not in known), None)
        if foreign:
            raise AdapterError(f"Adapter '{record.name}' has weights for '{foreign}', which this backbone lacks.")
        device = self.backbone.device
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        deltas = {
            layer: Delta(pair.a.to(device, dtype), (pair.b * pair.scale).to(device, dtype))
            for layer, pair in weights.lora.items()
        }
        head = None if weights.head is None else weights.head.to(device, torch.float32)
        bias = None if weights.head_bias is None else weights.head_bias.to(device, torch.float32)
        return LoadedAdapter(record.name, deltas, head, bias)

    def encode(self, rows: Sequence[EncodeRow]) -> Ticket:
        """Starts single passes; ``logits[i]`` of the ticket belongs to row i. Raises BusyError."""
        if not self.backbone.can_encode:
            raise BackboneError(f"The backbone '{self.backbone.id}' can't classify or tag; choose another one.")
        return self._submit(Ticket(encode_rows=list(rows)))

    def generate(self, rows: Sequence[tuple[Sequence[int], LoadedAdapter | None]], decoding: Decoding) -> Ticket:
        """Starts decoding (prompt ids, adapter) rows; texts grow in ``decode_rows``. Raises BusyError."""
        self._must_generate()
        ticket = Ticket()
        ticket.decode_rows = [DecodeRow(ids, adapter, decoding, ticket.cancelled) for ids, adapter in rows]
        return self._submit(ticket)

    def choose(self, prompt_ids: Sequence[int], choices: Sequence[int], adapter: LoadedAdapter | None = None) -> Ticket:
        """Starts one pass that gives the chances of `choices` as next token, in ``decode_rows[0].chances``."""
        self._must_generate()
        ticket = Ticket()
        ticket.decode_rows = [DecodeRow(prompt_ids, adapter, Decoding(), ticket.cancelled, choices=tuple(choices))]
        return self._submit(ticket)

    def generate_text(
        self, prompt_ids: Sequence[int], decoding: Decoding, adapter: LoadedAdapter | None = None
    ) -> Iterator[str]:
        """The growing text after one prompt, at least every quarter of a second; closing it frees the row."""
        ticket = self.generate([(prompt_ids, adapter)], decoding)
        try:
            while not ticket.wait(0.25):
                yield ticket.decode_rows[0].text
            yield ticket.decode_rows[0].text
        finally:
            ticket.cancel()

    def _must_generate(self) -> None:
        if not self.backbone.can_generate:
            raise BackboneError(f"The backbone '{self.backbone.id}' can't write text; choose a decoder.")

    def _submit(self, ticket: Ticket) -> Ticket:
        self._revive()
        with self._open_lock:
            if len(self._open) >= settings.MAX_WAITING_REQUESTS:
                raise BusyError(
                    f"{len(self._open)} requests are waiting already, the most that fit; try again in a minute."
                )
            self._open.add(ticket)
        self._waiting.put(ticket)
        return ticket

    def _work(self) -> None:
        passes: deque[Ticket] = deque()
        groups: deque[tuple[Ticket, DecodeGroup]] = deque()
        while True:
            arrived = self._arrivals(block=not passes and not groups)
            if None in arrived:
                for ticket in [*passes, *(ticket for ticket, _ in groups), *filter(None, arrived)]:
                    self._finish(ticket, Cancelled("The app is shutting down."))
                return
            for ticket in filter(None, arrived):
                if ticket.decode_rows:
                    groups.extend((ticket, group) for group in self._groups(ticket))
                else:
                    passes.append(ticket)
            if passes:
                self._guarded(passes, self._one_pass)
            for _ in range(len(groups)):
                ticket, group = groups.popleft()
                self._guarded([ticket], lambda group=group: group.step())
                if not ticket.finished.is_set() and not group.finished:
                    groups.append((ticket, group))
                elif all(row.done for row in ticket.decode_rows):
                    self._finish(ticket, None)

    def _arrivals(self, *, block: bool) -> list[Ticket | None]:
        arrived = [self._waiting.get()] if block else []
        while not self._waiting.empty():
            arrived.append(self._waiting.get())
        return arrived

    def _groups(self, ticket: Ticket) -> list[DecodeGroup]:
        rows = ticket.decode_rows
        order = sorted(rows, key=lambda row: len(row.prompt_ids))
        return [
            DecodeGroup(self.backbone, self._routes, order[start : start + MAX_DECODE_ROWS])
            for start in range(0, len(rows), MAX_DECODE_ROWS)
        ]

    def _one_pass(self, passes: deque[Ticket]) -> None:
        """One batch of windows from the front of the line, of one attention mode, of any adapters and requests."""
        for ticket in [ticket for ticket in passes if ticket.cancelled.is_set()]:
            passes.remove(ticket)
            self._finish(ticket, None)
        batch = _next_batch(passes)
        if batch:
            results = encode(self.backbone, self._routes, [ticket.encode_rows[index] for ticket, index in batch])
            for (ticket, index), logits in zip(batch, results, strict=True):
                ticket.logits[index] = logits
        for ticket in [ticket for ticket in passes if len(ticket.logits) == len(ticket.encode_rows)]:
            passes.remove(ticket)
            self._finish(ticket, None)

    def _guarded(self, tickets: Any, work: Callable[..., None]) -> None:
        """Runs `work`; whatever it raises ends the requests concerned, never the engine."""
        try:
            work(tickets) if isinstance(tickets, deque) else work()
        except Exception as err:  # noqa: BLE001 - whatever it is, it goes to the callers through their tickets
            for ticket in list(tickets):
                self._finish(ticket, err)
            if isinstance(tickets, deque):
                tickets.clear()

    def _finish(self, ticket: Ticket, failure: BaseException | None) -> None:
        ticket.failure = failure or (Cancelled("Stopped.") if ticket.cancelled.is_set() else None)
        with self._open_lock:
            self._open.discard(ticket)
        ticket.finished.set()


def check_backbone(record: AdapterRecord, backbone: Backbone) -> None:
    """Raises AdapterError when `record` was made for another backbone."""
    made_for = record.backbone
    if (made_for["id"], made_for["checksum"]) != (backbone.id, backbone.checksum):
        raise AdapterError(
            f"Adapter '{record.name}' was made for the backbone '{made_for['id']}' "
            f"({made_for['checksum'][:8]}), but '{backbone.id}' ({backbone.checksum[:8]}) is loaded."
        )


def _next_batch(passes: Sequence[Ticket]) -> list[tuple[Ticket, int]]:
    """Open rows of the first request's attention mode, of similar lengths, within the token limit."""
    open_rows = [
        (ticket, index) for ticket in passes for index in range(len(ticket.encode_rows)) if index not in ticket.logits
    ]
    if not open_rows:
        return []
    lead_ticket, lead_index = open_rows[0]
    lead = lead_ticket.encode_rows[lead_index]

    def row_of(entry: tuple[Ticket, int]) -> EncodeRow:
        return entry[0].encode_rows[entry[1]]

    alike = [entry for entry in open_rows if row_of(entry).attention == lead.attention]
    alike.sort(key=lambda entry: abs(len(row_of(entry).input_ids) - len(lead.input_ids)))
    batch: list[tuple[Ticket, int]] = []
    width = 0
    for entry in alike:
        width = max(width, len(row_of(entry).input_ids))
        if batch and width * (len(batch) + 1) > MAX_PASS_TOKENS:
            break
        batch.append(entry)
    return batch
