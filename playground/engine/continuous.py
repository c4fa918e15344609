"""Continuous batching over the lean layers: each pass takes the next token of every text under way, of any adapter.

A new request joins at the next pass; a long prompt goes through in parts, so that nobody waits for the whole of it.
What a prompt has in common with a recent one of the same adapter is taken from there (`playground.engine.prefixes`),
and where a text repeats what stands before it, several tokens are checked in one pass (`playground.engine.drafts`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from playground.adapters.record import MAX_BEAMS
from playground.backbones.lean import Cache, Decoder, Piece
from playground.backbones.loading import Backbone
from playground.engine.decode import DecodeRow, Writer
from playground.engine.drafts import draft
from playground.engine.prefixes import Prefixes
from playground.engine.runs import Blends
from playground.engine.tickets import Ticket

MAX_LINES = 2 * MAX_BEAMS
"""Texts of all requests that grow side by side, each beam counted as one; the others wait."""
MAX_REQUEST_LINES = MAX_BEAMS
"""The same of one request."""
PROMPT_TOKENS = 256
"""Tokens of prompts in one pass, of all requests together: what those who write already wait for."""


@dataclass(eq=False)
class _Line:
    """A row under way: the caches of its lines, and the tokens that are still to go through the layers."""

    ticket: Ticket
    row: DecodeRow
    caches: list[Cache]
    prompt: Sequence[int]
    """What is left of the prompt."""
    next_ids: list[int] = field(default_factory=list)
    """The next token of each line, once the prompt is through."""
    drafted: list[int] = field(default_factory=list)
    """Tokens that may follow the next one, to be checked in this pass."""

    @property
    def width(self) -> int:
        """Lines that it has, or will have."""
        return self.row.decoding.num_beams


class Continuous:
    """Requests for text under way."""

    def __init__(
        self, backbone: Backbone, decoder: Decoder, finish: Callable[[Ticket, BaseException | None], None]
    ) -> None:
        self._decoder = decoder
        self._writer = Writer(backbone)
        self._finish = finish
        self._prefixes = Prefixes()
        self._blends = Blends()
        self._waiting: deque[tuple[Ticket, deque[DecodeRow]]] = deque()
        self._lines: list[_Line] = []

    @property
    def tickets(self) -> list[Ticket]:
        """Requests that are not finished."""
        found = [line.ticket for line in self._lines] + [ticket for ticket, _ in self._waiting]
        return list(dict.fromkeys(found))

    def add(self, ticket: Ticket) -> None:
        self._waiting.append((ticket, deque(ticket.decode_rows)))

    def step(self) -> None:
        """One pass: a token for every text whose prompt is through, and a part of the prompts."""
        self._drop_cancelled()
        self._admit()
        chosen = list(self._in_this_pass())
        try:
            self._run(chosen)
        except Exception:  # noqa: BLE001 - one request's fault is found by running each by itself
            self._run_apart(chosen)
        self._close([line for line, _ in chosen])

    def _drop_cancelled(self) -> None:
        for ticket in self.tickets:
            if ticket.cancelled.is_set():
                self._end(ticket, None)

    def _end(self, ticket: Ticket, failure: BaseException | None) -> None:
        self._lines = [line for line in self._lines if line.ticket is not ticket]
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not ticket)
        self._finish(ticket, failure)

    def _admit(self) -> None:
        """Lets rows in while there is room, of each waiting request in turn."""
        stuck = 0
        while self._waiting and stuck < len(self._waiting):
            ticket, rows = self._waiting.popleft()
            width = rows[0].decoding.num_beams
            mine = sum(line.width for line in self._lines if line.ticket is ticket)
            everyone = sum(line.width for line in self._lines)
            if mine + width > MAX_REQUEST_LINES or everyone + width > MAX_LINES:
                self._waiting.append((ticket, rows))
                stuck += 1
                continue
            stuck = 0
            self._lines.append(self._begin(ticket, rows.popleft()))
            if rows:
                self._waiting.append((ticket, rows))

    def _begin(self, ticket: Ticket, row: DecodeRow) -> _Line:
        self._writer.begin(row)
        cache = self._prefixes.find(row.adapter, row.prompt_ids) or self._decoder.new_cache()
        return _Line(ticket, row, [cache], row.prompt_ids[cache.length :])

    def _in_this_pass(self) -> Iterator[tuple[_Line, list[Piece]]]:
        """Lines and their tokens, neighbours of one adapter, the prompts in turn as far as the pass has room."""
        room = PROMPT_TOKENS
        num_written = sum(len(line.next_ids) for line in self._lines if not line.prompt)
        most_drafted = self._decoder.cheap_rows // max(num_written, 1) - 1
        for line in sorted(self._lines, key=lambda line: id(line.row.adapter)):
            if not line.prompt:
                line.drafted = draft(line.row, most_drafted)
                pieces = zip(line.next_ids, line.caches, strict=True)
                yield line, [Piece([token, *line.drafted], cache) for token, cache in pieces]
        for line in [*self._lines]:
            if line.prompt and room:
                part = line.prompt[:room]
                room -= len(part)
                # The next one leads in the next pass.
                self._lines.remove(line)
                self._lines.append(line)
                yield line, [Piece(part, line.caches[0])]

    def _run(self, chosen: Sequence[tuple[_Line, list[Piece]]]) -> None:
        pieces = [piece for _, of_line in chosen for piece in of_line]
        if not pieces:
            return
        owners = [line.row.adapter for line, of_line in chosen for _ in of_line]
        states = self._decoder.states(pieces, self._blends.updates(owners, [len(piece.ids) for piece in pieces]))
        spoken = [(line, of_line) for line, of_line in chosen if len(of_line[0].ids) >= len(line.prompt)]
        for line, of_line in chosen:
            line.prompt = line.prompt[len(of_line[0].ids) :] if line.prompt else line.prompt
        if not spoken:
            return
        wanted = [
            place
            for line, of_line in spoken
            for piece in of_line
            for place in range(piece.span.stop - 1 - len(line.drafted), piece.span.stop)
        ]
        logits = self._decoder.logits(states[wanted])
        sizes = [len(of_line) * (1 + len(line.drafted)) for line, of_line in spoken]
        for (line, _), of_line_logits in zip(spoken, torch.split(logits, sizes), strict=True):
            self._advance(line, of_line_logits)

    def _advance(self, line: _Line, logits: Tensor) -> None:
        """Writes down what the logits of its lines, or of its next token and the drafted ones, say."""
        if not line.next_ids:
            self._prefixes.keep(line.row.adapter, line.row.prompt_ids, line.caches[0])
        if not line.drafted:
            grown = self._writer.advance(line.row, logits)
            line.caches = _follow(line.caches, [parent for parent, _ in grown])
            line.next_ids = [token for _, token in grown]
            return
        cache = line.caches[0]
        before = cache.length - 1 - len(line.drafted)
        for checked, drafted in enumerate([*line.drafted, None]):
            grown = self._writer.advance(line.row, logits[checked : checked + 1])
            line.next_ids = [token for _, token in grown]
            cache.length = before + 1 + checked
            if line.next_ids != [drafted]:
                break

    def _run_apart(self, chosen: Sequence[tuple[_Line, list[Piece]]]) -> None:
        """Each request by itself; those that fail alone end. Caches grow at the end of a pass only, so none is half."""
        for ticket in dict.fromkeys(line.ticket for line, _ in chosen):
            try:
                self._run([entry for entry in chosen if entry[0].ticket is ticket])
            except Exception as err:  # noqa: BLE001 - whatever it is, it goes to the caller through the ticket
                self._end(ticket, err)

    def _close(self, lines: Sequence[_Line]) -> None:
        """Takes out the rows that are done, and finishes the requests without others."""
        self._lines = [line for line in self._lines if not line.row.done]
        for ticket in dict.fromkeys(line.ticket for line in lines if line.row.done):
            if ticket not in self.tickets and not ticket.finished.is_set():
                self._finish(ticket, None)


def _follow(caches: Sequence[Cache], parents: Sequence[int]) -> list[Cache]:
    """The caches of the lines that `parents` go on as; a parent of several is copied."""
    taken: set[int] = set()
    followed = []
    for parent in parents:
        followed.append(caches[parent].copy() if parent in taken else caches[parent])
        taken.add(parent)
    return followed
