"""Decoding through transformers, for any backbone and device: the rows of a request share one padded cache.

Shapes: B lines of the cache, V vocabulary.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from playground.adapters.record import MAX_BEAMS
from playground.backbones.loading import Backbone
from playground.engine.decode import DecodeRow, Writer
from playground.engine.lora import Routes
from playground.engine.tickets import Ticket

MAX_DECODE_ROWS = MAX_BEAMS
"""Rows of one request decoded together, each beam counted as one; the others of a long text wait, so that their caches
do not fill the memory.
"""
MAX_DECODE_GROUPS = 8
"""Requests that get their next token in turn; later ones wait."""


class Grouped:
    """Requests for text under way, one group of rows each."""

    def __init__(
        self, backbone: Backbone, routes: Routes, finish: Callable[[Ticket, BaseException | None], None]
    ) -> None:
        self._backbone = backbone
        self._routes = routes
        self._finish = finish
        self._decodes: deque[_Decode] = deque()

    @property
    def tickets(self) -> list[Ticket]:
        """Requests that are not finished."""
        return [decode.ticket for decode in self._decodes]

    def add(self, ticket: Ticket) -> None:
        self._decodes.append(_Decode(ticket, deque(ticket.decode_rows)))

    def step(self) -> None:
        """One token for the requests at the front of the line; one whose group is done goes to the end for more."""
        decodes = self._decodes
        for decode in [decode for decode in decodes if decode.ticket.cancelled.is_set()]:
            decodes.remove(decode)
            self._finish(decode.ticket, None)
        for decode in [*decodes][:MAX_DECODE_GROUPS]:
            try:
                group_is_done = decode.step(self._backbone, self._routes)
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


@dataclass(eq=False)
class _Decode:
    """A request for text under way: the rows being decoded together, and those that wait for their end."""

    ticket: Ticket
    waiting: deque[DecodeRow]
    group: "DecodeGroup | None" = None

    def step(self, backbone: Backbone, routes: Routes) -> bool:
        """Adds one token to the rows of the group, started first if need be; whether all of them are done."""
        if self.group is None:
            size = min(MAX_DECODE_ROWS // self.waiting[0].decoding.num_beams, len(self.waiting))
            self.group = DecodeGroup(backbone, routes, [self.waiting.popleft() for _ in range(size)])
        self.group.step()
        if self.group.finished:
            self.group = None
        return self.group is None


class DecodeGroup:
    """Rows that share one cache; finished and cancelled rows leave it at the next step."""

    def __init__(self, backbone: Backbone, routes: Routes, rows: Sequence[DecodeRow]) -> None:
        self.backbone = backbone
        self.routes = routes
        self.rows = list(rows)
        self.writer = Writer(backbone)
        for row in self.rows:
            self.writer.begin(row)
        width = max(len(row.prompt_ids) for row in rows)
        pad = backbone.tokenizer.pad_token_id
        self.mask = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in rows])
        self.next_ids = torch.tensor([[pad] * (width - len(r.prompt_ids)) + [*r.prompt_ids] for r in rows])
        self.mask, self.next_ids = self.mask.to(backbone.device), self.next_ids.to(backbone.device)
        self.cache = DynamicCache(config=backbone.model.config)

    @property
    def finished(self) -> bool:
        return not self.rows

    @torch.inference_mode()
    def step(self) -> None:
        """Adds one token to every live row."""
        self._drop_cancelled()
        if self.finished:
            return
        logits = self._forward()
        lines: list[int] = []
        tokens: list[int] = []
        first = 0
        of_rows = torch.split(logits, [row.num_lines for row in self.rows])
        for row, row_logits in zip(self.rows, of_rows, strict=True):
            for line, token in self.writer.advance(row, row_logits):
                lines.append(first + line)
                tokens.append(token)
            first += len(row_logits)
        self.rows = [row for row in self.rows if not row.done]
        if not lines:
            return
        self._keep(lines)
        self.next_ids = torch.tensor(tokens, device=logits.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(self.next_ids)], dim=1)

    def _forward(self) -> Tensor:
        """Logits (B, V) of the next token."""
        model = self.backbone.model
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -self.next_ids.shape[1] :]
        with self.routes.use([row.adapter for row in self._owners()], self.mask.device):
            states = model.base_model(
                input_ids=self.next_ids,
                attention_mask=self.mask,
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
            ).last_hidden_state
        logits: Tensor = model.get_output_embeddings()(states[:, -1]).float()
        return logits

    def _owners(self) -> list[DecodeRow]:
        """The row of each line of the cache."""
        return [row for row in self.rows for _ in range(row.num_lines)]

    def _drop_cancelled(self) -> None:
        for row in self.rows:
            row.done = row.cancelled.is_set()
        kept = [line for line, row in enumerate(self._owners()) if not row.done]
        self.rows = [row for row in self.rows if not row.done]
        self._keep(kept)

    def _keep(self, lines: list[int]) -> None:
        """Puts these lines in the place of all; one that several beams go on from comes several times."""
        if not lines or lines == list(range(len(self.mask))):
            return
        chosen = torch.tensor(lines, device=self.mask.device)
        if self.cache.get_seq_length():
            self.cache.reorder_cache(chosen)
        self.mask, self.next_ids = self.mask[chosen], self.next_ids[chosen]
