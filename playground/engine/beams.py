"""Beam search: several beginnings of a text grow side by side, and the likeliest whole text wins.

The rules are those of `transformers` with ``early_stopping=False``, so that both find the same tokens:
https://huggingface.co/docs/transformers/main_classes/text_generation (``num_beams``, ``length_penalty``)
Shapes: N live beams, V vocabulary.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter

import torch
from torch import Tensor

from playground.engine.requests import Decoding


@dataclass(frozen=True)
class Hypothesis:
    """A text, or the beginning of one."""

    ids: tuple[int, ...]
    """Its tokens, without the end token."""
    log_chance: float
    """Sum of the log-probabilities of its tokens and, if it has one, of its end token."""
    score: float
    """``log_chance / length ** length_penalty``; the end token counts as one of the length."""


class Beams:
    """The hypotheses of one row: at most ``num_beams`` live ones, likeliest first, and as many finished ones."""

    def __init__(
        self, decoding: Decoding, stop_ids: Collection[int], has_stop: Callable[[Sequence[int]], bool]
    ) -> None:
        """`has_stop` says whether the text of some tokens holds one of ``decoding.stop``."""
        self.decoding = decoding
        self.stop_ids = stop_ids
        self.has_stop = has_stop
        self.length = 0
        self.best = Hypothesis((), 0.0, 0.0)
        self.live = [self.best]
        self.finished: list[Hypothesis] = []

    def advance(self, log_chances: Tensor) -> list[tuple[int, int]]:
        """Grows the live beams by one token.

        Args:
            log_chances: (N, V) log-probabilities of each beam's next token.

        Returns:
            For each beam that is live now, the beam it grew from and its new token; nothing when the search is over.
        """
        self.length += 1
        live: list[Hypothesis] = []
        grown: list[tuple[int, int]] = []
        for rank, (parent, token, log_chance, score) in enumerate(self._candidates(log_chances)):
            is_end = token in self.stop_ids
            ids = self.live[parent].ids if is_end else (*self.live[parent].ids, token)
            hypothesis = Hypothesis(ids, log_chance, score)
            if is_end or self.length >= self.decoding.max_new_tokens or self.has_stop(ids):
                # Less likely ends are not as good as the beams that go on.
                if rank < self.decoding.num_beams:
                    self.finished.append(hypothesis)
            elif len(live) < self.decoding.num_beams:
                live.append(hypothesis)
                grown.append((parent, token))
        self._settle(live)
        return grown if self.live else []

    def _candidates(self, log_chances: Tensor) -> list[tuple[int, int, float, float]]:
        """Parent, token, log-chance and score of the likeliest continuations, enough that some of them go on."""
        so_far = torch.tensor([hypothesis.log_chance for hypothesis in self.live], device=log_chances.device)
        chances = (log_chances + so_far[:, None]).flatten()
        most = max(2, 1 + len(self.stop_ids)) * self.decoding.num_beams
        likeliest = chances.topk(min(most, len(chances)))
        # As tensors: a length penalty beyond all reason then gives infinity, not an error.
        scores = likeliest.values / torch.tensor(float(self.length)).pow(float(self.decoding.length_penalty))
        vocabulary = log_chances.shape[-1]
        found = zip(likeliest.indices.tolist(), likeliest.values.tolist(), scores.tolist(), strict=True)
        allowed = takewhile(lambda one: one[1] > -torch.inf, found)
        return [(*divmod(index, vocabulary), log_chance, score) for index, log_chance, score in allowed]

    def _settle(self, live: list[Hypothesis]) -> None:
        """Ends the search when no live beam, at its present length, beats the worst of enough finished ones."""
        num_beams = self.decoding.num_beams
        self.finished = sorted(self.finished, key=_score, reverse=True)[:num_beams]
        is_full = len(self.finished) == num_beams
        can_improve = not is_full or any(hypothesis.score > self.finished[-1].score for hypothesis in live)
        self.live = live if can_improve else []
        # Where every token is forbidden there are neither, and the best stays what it was.
        self.best = max([*self.finished, *self.live], key=_score, default=self.best)


_score = attrgetter("score")
