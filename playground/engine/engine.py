"""The engine: one thread that runs all rows through the one backbone, each with its own adapter.

Requests wait in one line. Between two decoding steps every waiting single-pass request gets its turn, so a long
answer for one person never blocks a short one for another.
"""

import atexit
import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from playground import settings
from playground.adapters.record import AdapterRecord
from playground.backbones.apart import apart
from playground.backbones.loading import Backbone
from playground.backbones.release import release
from playground.engine.adapters import load_adapter
from playground.engine.continuous import Continuous
from playground.engine.decode import DecodeRow
from playground.engine.encode import encode
from playground.engine.grouped import Grouped
from playground.engine.lora import LoadedAdapter, Routes, install, layer_sizes
from playground.engine.requests import Decoding, EncodeRow
from playground.engine.tickets import Ticket
from playground.errors import BackboneError, BusyError, Cancelled
from playground.types import Stream

IDLE_S = 2.0
"""After so long without a request memory is given back."""
MAX_PASS_TOKENS = 2048
"""Padded tokens in one single pass: bounds its memory and how long others wait for it."""
MAX_LEAN_PASS_TOKENS = 512
"""The same of the lean layers, for which larger passes are no faster."""


class Engine:
    """Runs rows through `backbone`; safe to call from any number of threads."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._sizes = layer_sizes(backbone.model)
        self._routes = Routes() if backbone.lean else install(backbone.model)
        self._adapters: OrderedDict[tuple[str, str], LoadedAdapter] = OrderedDict()
        self._start()
        # Python ends a thread that is still at work by force, which torch answers by aborting the process.
        atexit.register(self.close)

    def _start(self) -> None:
        self._process = os.getpid()
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._open: set[Ticket] = set()
        self._open_lock = threading.Lock()
        self._adapters_lock = threading.Lock()
        self._loading_lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def _revive(self) -> None:
        """After a fork (ZeroGPU): the weights are inherited, the thread is not, and locks are as they were."""
        if self._process != os.getpid():
            self._start()

    def close(self) -> None:
        """Ends the thread; requests under way are stopped."""
        atexit.unregister(self.close)
        if self._process != os.getpid():
            return
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
        if found := self._loaded(key):
            return found
        # One at a time: of the many that ask for a new one at once, the first loads it for all.
        with self._loading_lock:
            return self._loaded(key) or self._keep(key, apart(lambda: load_adapter(record, self.backbone, self._sizes)))

    def _loaded(self, key: tuple[str, str]) -> LoadedAdapter | None:
        with self._adapters_lock:
            if key in self._adapters:
                self._adapters.move_to_end(key)
            return self._adapters.get(key)

    def _keep(self, key: tuple[str, str], loaded: LoadedAdapter) -> LoadedAdapter:
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
        texts = self._texts()
        while True:
            arrived = self._arrivals(block=not passes and not texts.tickets)
            if None in arrived:
                for ticket in [*passes, *texts.tickets, *filter(None, arrived)]:
                    self._finish(ticket, Cancelled("The app is shutting down."))
                return
            for ticket in filter(None, arrived):
                if ticket.decode_rows:
                    texts.add(ticket)
                else:
                    passes.append(ticket)
            self._one_pass(passes)
            texts.step()

    def _texts(self) -> Continuous | Grouped:
        if self.backbone.lean:
            return Continuous(self.backbone, self.backbone.lean, self._finish)
        return Grouped(self.backbone, self._routes, self._finish)

    def _arrivals(self, *, block: bool) -> list[Ticket | None]:
        arrived = [self._wait()] if block else []
        while not self._waiting.empty():
            arrived.append(self._waiting.get())
        return arrived

    def _wait(self) -> Ticket | None:
        """The next request; while there is none, memory goes back to the system."""
        try:
            return self._waiting.get(timeout=IDLE_S)
        except queue.Empty:
            release()
            return self._waiting.get()

    def _one_pass(self, passes: deque[Ticket]) -> None:
        """One batch of windows from the front of the line, of one attention mode, of any adapters and requests."""
        for ticket in [ticket for ticket in passes if ticket.cancelled.is_set()]:
            passes.remove(ticket)
            self._finish(ticket, None)
        self._run_batch(_next_batch(passes, MAX_LEAN_PASS_TOKENS if self.backbone.lean else MAX_PASS_TOKENS))
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

    def _finish(self, ticket: Ticket, failure: BaseException | None) -> None:
        ticket.failure = failure or (Cancelled("Stopped.") if ticket.cancelled.is_set() else None)
        with self._open_lock:
            self._open.discard(ticket)
        ticket.finished.set()


def _next_batch(passes: Sequence[Ticket], max_tokens: int) -> list[tuple[Ticket, int]]:
    """Open rows of the first request's attention mode, of similar lengths, within `max_tokens` if it can be."""
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
        if batch and width * (len(batch) + 1) > max_tokens:
            break
        batch.append(entry)
    return batch
