"""The engine: one thread that runs all rows through the one backbone, each with its own adapter.

Requests wait in one line. Between two decoding steps every waiting single-pass request gets its turn, so a long
answer for one person never blocks a short one for another.
"""

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from playground import settings
from playground.adapters.record import MAX_BEAMS, AdapterRecord
from playground.backbones.loading import Backbone
from playground.engine.adapters import load_adapter
from playground.engine.decode import DecodeGroup, DecodeRow
from playground.engine.encode import encode
from playground.engine.lora import LoadedAdapter, Routes, install
from playground.engine.requests import Decoding, EncodeRow
from playground.errors import BackboneError, BusyError, Cancelled
from playground.types import Stream

MAX_PASS_TOKENS = 2048
"""Padded tokens in one single pass: bounds its memory and how long others wait for it."""
MAX_DECODE_ROWS = MAX_BEAMS
"""Rows of one request decoded together, each beam counted as one; the others of a long text wait, so that their caches
do not fill the memory.
"""
MAX_DECODE_GROUPS = 8
"""Requests that get their next token in turn; later ones wait."""


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
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _revive(self) -> None:
        """After a fork (ZeroGPU): the weights are inherited, the thread is not, and locks are as they were."""
        if self._process != os.getpid():
            self._start()

    def close(self) -> None:
        """Ends the thread; requests under way are stopped."""
        with self._open_lock:
            self._closed = True
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
        loaded = load_adapter(record, self.backbone, self._routes.sizes)
        with self._adapters_lock:
            self._adapters[key] = loaded
            while len(self._adapters) > settings.MAX_LOADED_ADAPTERS:
                self._adapters.popitem(last=False)
        return loaded

    def encode(self, rows: Sequence[EncodeRow]) -> Ticket:
        """Starts single passes; ``logits[i]`` of the ticket belongs to row i. Raises BusyError."""
        if not self.backbone.can_encode:
            raise BackboneError(f"The backbone '{self.backbone.id}' can't classify or tag; choose another one.")
        return self._submit(Ticket(encode_rows=list(rows)))

    def generate(self, rows: Sequence[tuple[Sequence[int], LoadedAdapter | None]], decoding: Decoding) -> Ticket:
        """Starts decoding (prompt ids, adapter) rows; texts grow in ``decode_rows``. Raises BusyError."""
        self.must_generate()
        ticket = Ticket()
        ticket.decode_rows = [DecodeRow(ids, adapter, decoding, ticket.cancelled) for ids, adapter in rows]
        return self._submit(ticket)

    def choose(
        self, prompts: Sequence[Sequence[int]], choices: Sequence[int], adapter: LoadedAdapter | None = None
    ) -> Ticket:
        """Starts passes that give each row's ``chances`` of `choices` as next token. Raises BusyError."""
        self.must_generate()
        ticket = Ticket()
        ticket.decode_rows = [
            DecodeRow(ids, adapter, Decoding(), ticket.cancelled, choices=tuple(choices)) for ids in prompts
        ]
        return self._submit(ticket)

    def generate_text(
        self, prompt_ids: Sequence[int], decoding: Decoding, adapter: LoadedAdapter | None = None
    ) -> Stream[str]:
        """The growing text after one prompt, at least every quarter of a second; closing it frees the row."""
        ticket = self.generate([(prompt_ids, adapter)], decoding)
        try:
            while not ticket.wait(0.25):
                yield ticket.decode_rows[0].text
            yield ticket.decode_rows[0].text
        finally:
            ticket.cancel()

    def must_generate(self) -> None:
        """Raises BackboneError when the backbone can't write text."""
        if not self.backbone.can_generate:
            raise BackboneError(f"The backbone '{self.backbone.id}' can't write text; choose a decoder.")

    def _submit(self, ticket: Ticket) -> Ticket:
        self._revive()
        with self._open_lock:
            if self._closed:
                raise Cancelled("The app is shutting down.")
            if len(self._open) >= settings.MAX_WAITING_REQUESTS:
                raise BusyError(
                    f"{len(self._open)} requests are waiting already, the most that fit; try again in a minute."
                )
            self._open.add(ticket)
            self._waiting.put(ticket)
        return ticket

    def _work(self) -> None:
        passes: deque[Ticket] = deque()
        decodes: deque[_Decode] = deque()
        while True:
            arrived = self._arrivals(block=not passes and not decodes)
            if None in arrived:
                for ticket in [*passes, *(decode.ticket for decode in decodes), *filter(None, arrived)]:
                    self._finish(ticket, Cancelled("The app is shutting down."))
                return
            for ticket in filter(None, arrived):
                if ticket.decode_rows:
                    decodes.append(_Decode(ticket, deque(ticket.decode_rows)))
                else:
                    passes.append(ticket)
            self._one_pass(passes)
            self._decode_steps(decodes)

    def _arrivals(self, *, block: bool) -> list[Ticket | None]:
        arrived = [self._waiting.get()] if block else []
        while not self._waiting.empty():
            arrived.append(self._waiting.get())
        return arrived

    def _one_pass(self, passes: deque[Ticket]) -> None:
        """One batch of windows from the front of the line, of one attention mode, of any adapters and requests."""
        for ticket in [ticket for ticket in passes if ticket.cancelled.is_set()]:
            passes.remove(ticket)
            self._finish(ticket, None)
        self._run_batch(_next_batch(passes))
        for ticket in [ticket for ticket in passes if len(ticket.logits) == len(ticket.encode_rows)]:
            self._finish(ticket, None)
        # The next request leads the next batch, so that the many windows of one long text hold up nobody.
        passes.rotate(-1)
        for ticket in [ticket for ticket in passes if ticket.finished.is_set()]:
            passes.remove(ticket)

    def _run_batch(self, batch: Sequence[tuple[Ticket, int]]) -> None:
        """Fills in the logits of `batch`; should it fail, only the requests that also fail by themselves end."""
        if not batch:
            return
        try:
            results = encode(self.backbone, self._routes, [ticket.encode_rows[index] for ticket, index in batch])
        except Exception as err:  # noqa: BLE001 - whatever it is, it goes to the callers through their tickets
            tickets = list(dict.fromkeys(ticket for ticket, _ in batch))
            if len(tickets) == 1:
                self._finish(tickets[0], err)
                return
            for ticket in tickets:
                self._run_batch([entry for entry in batch if entry[0] is ticket])
            return
        for (ticket, index), logits in zip(batch, results, strict=True):
            ticket.logits[index] = logits

    def _decode_steps(self, decodes: deque["_Decode"]) -> None:
        """One token for the requests at the front of the line; one whose group is done goes to the end for more."""
        for decode in [decode for decode in decodes if decode.ticket.cancelled.is_set()]:
            decodes.remove(decode)
            self._finish(decode.ticket, None)
        for decode in [*decodes][:MAX_DECODE_GROUPS]:
            try:
                group_is_done = decode.step(self.backbone, self._routes)
            except Exception as err:  # noqa: BLE001 - whatever it is, it goes to the caller through the ticket
                decodes.remove(decode)
                self._finish(decode.ticket, err)
                continue
            if group_is_done:
                decodes.remove(decode)
                if decode.waiting:
                    decodes.append(decode)
                else:
                    self._finish(decode.ticket, None)

    def _finish(self, ticket: Ticket, failure: BaseException | None) -> None:
        ticket.failure = failure or (Cancelled("Stopped.") if ticket.cancelled.is_set() else None)
        with self._open_lock:
            self._open.discard(ticket)
        ticket.finished.set()


@dataclass(eq=False)
class _Decode:
    """A request for text under way: the rows being decoded together, and those that wait for their end."""

    ticket: Ticket
    waiting: deque[DecodeRow]
    group: DecodeGroup | None = None

    def step(self, backbone: Backbone, routes: Routes) -> bool:
        """Adds one token to the rows of the group, started first if need be; whether all of them are done."""
        if self.group is None:
            size = min(MAX_DECODE_ROWS // self.waiting[0].decoding.num_beams, len(self.waiting))
            self.group = DecodeGroup(backbone, routes, [self.waiting.popleft() for _ in range(size)])
        self.group.step()
        if self.group.finished:
            self.group = None
        return self.group is None


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
