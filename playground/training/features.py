"""Rows as token ids with what is to be learnt from them."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from playground.data.dialogue import replies
from playground.errors import DataError, InputError
from playground.tasks import Task, shape_classify, shape_generate, shape_span, shape_tag
from playground.tasks.windows import tokenize
from playground.types import Row

IGNORED = shape_tag.IGNORED
Group = tuple[Any, Any]
"""Language and source of a row, None where it does not say."""
EMPTY_SHARE = 0.2
"""Share of the answered questions that also give a window without the answer."""


@dataclass(frozen=True)
class Feature:
    """One training example.

    `labels` holds a class index (classify), one tag a position (tag), first and last answer position (span), or
    the next-token targets a position (generate).
    """

    input_ids: list[int]
    labels: list[int]
    offsets: list[float] = field(default_factory=list)
    """Added to the logits of each class while training (classify); empty: nothing is."""


@dataclass(frozen=True)
class Features:
    features: list[Feature]
    num_truncated: int
    """Rows of which only the beginning fits into training."""


def head_labels(task: Task, rows: Sequence[Row], known: Sequence[str] = ()) -> tuple[str, ...]:
    """Names for the outputs of the head: labels, BIO labels, start and end, or none for generate tasks.

    Args:
        known: those of the adapter to go on from, which keep their places.

    Raises:
        DataError: fewer than two labels, or no entity at all, so that nothing can be learnt.
    """
    if task.shape == "classify":
        found = _joined(known, sorted({row["label"] for row in rows}))
        if len(found) < 2:
            raise DataError(f"All {len(rows)} rows have the label '{found[0]}'; at least two labels are needed.")
        return found
    if task.shape == "tag":
        types = sorted({entity["label"] for row in rows for entity in row["entities"]})
        if not types and not known:
            raise DataError(f"None of the {len(rows)} rows marks an entity; mark some to learn from.")
        return _joined(known, shape_tag.bio_labels(types))
    return shape_span.LABELS if task.shape == "span" else ()


def _joined(known: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return (*known, *(label for label in new if label not in known))


def with_known_labels(task: Task, rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    """Those of `rows` that say nothing which the head has no output for.

    Rows of the person's own to measure on, or the newest ones, may have labels that no row to learn from has: they
    are measured, as answers that are wrong, but no loss can be taken of them.
    """
    if task.shape == "classify":
        return [row for row in rows if row["label"] in labels]
    if task.shape == "tag":
        return [row for row in rows if all(f"B-{entity['label']}" in labels for entity in row["entities"])]
    return list(rows)


@dataclass(frozen=True)
class _Recipe:
    """What all rows of a run have in common."""

    task: Task
    tokenizer: Any
    labels: Sequence[str]
    max_length: int
    chance: random.Random
    offsets: Mapping["Group", list[float]]


def build_features(
    task: Task,
    rows: Sequence[Row],
    tokenizer: Any,
    labels: Sequence[str],
    max_length: int,
    seed: int,
    *,
    logit_adjustment: bool = False,
) -> Features:
    """Training examples of `rows`; long rows of tag and span tasks give several, and conversations one a reply."""
    offsets = log_shares(rows, labels) if logit_adjustment and task.shape == "classify" else {}
    recipe = _Recipe(task, tokenizer, labels, max_length, random.Random(seed), offsets)
    features: list[Feature] = []
    truncated = 0
    for row in rows:
        made, whole = zip(*(_BUILDERS[task.shape](recipe, one) for one in replies(row)), strict=True)
        features += chain.from_iterable(made)
        truncated += not all(whole)
    return Features(features, truncated)


def group(row: Row) -> Group:
    return row.get("lang"), row.get("source")


def log_shares(rows: Sequence[Row], labels: Sequence[str]) -> dict[Group, list[float]]:
    """Logarithm of the share of each label among the rows of one language and source, one row a label added.

    Added to the logits while training, they explain what is frequent where, so that the head has to learn from the
    text alone: a language whose rows are never neutral does not forbid neutral texts in it. Logit adjustment, Menon et
    al. 2021, https://arxiv.org/abs/2007.07314.
    """
    counts: dict[Group, Counter[str]] = {}
    for row in rows:
        counts.setdefault(group(row), Counter())[row["label"]] += 1
    return {
        key: [math.log((found[label] + 1) / (found.total() + len(labels))) for label in labels]
        for key, found in counts.items()
    }


def _classify(recipe: _Recipe, row: Row) -> tuple[list[Feature], bool]:
    windows = shape_classify.windows(recipe.tokenizer, row, recipe.max_length)
    goal = [shape_classify.target(row, recipe.labels)]
    return [Feature(windows[0].input_ids, goal, recipe.offsets.get(group(row), []))], len(windows) == 1


def _tag(recipe: _Recipe, row: Row) -> tuple[list[Feature], bool]:
    tokens, windows = shape_tag.windows(recipe.tokenizer, row, recipe.max_length)
    made = [
        Feature(window.input_ids, shape_tag.target(tokens, window, row["entities"], recipe.labels))
        for window in windows
    ]
    return made, True


def _span(recipe: _Recipe, row: Row) -> tuple[list[Feature], bool]:
    try:
        context, windows = shape_span.windows(recipe.tokenizer, row, recipe.max_length)
    except InputError:  # a question that leaves no room for the text: such a row teaches nothing
        return [], False
    targets = [shape_span.target(context, window, row["answers"]) for window in windows]
    holding = [i for i, found in enumerate(targets) if found != (0, 0)]
    empty = [i for i, found in enumerate(targets) if found == (0, 0)]
    # A few windows without the answer teach "not here" as well as all of them would.
    with_empty = not holding or recipe.chance.random() < EMPTY_SHARE
    kept = recipe.chance.sample(holding, min(1, len(holding)))
    kept += recipe.chance.sample(empty, min(1, len(empty))) if with_empty else []
    return [Feature(windows[i].input_ids, list(targets[i])) for i in kept], True


def _generate(recipe: _Recipe, row: Row) -> tuple[list[Feature], bool]:
    task, tokenizer = recipe.task, recipe.tokenizer
    longest = task.new_tokens(recipe.max_length) * 2
    whole = shape_generate.target_ids(tokenizer, row[task.target], longest + 1)
    target = shape_generate.shortened(whole, longest)
    text_field = task.inputs[0].name
    prompt = shape_generate.prompt_ids(tokenizer, shape_generate.fill_prompt(task.prompt, row))
    surplus = len(prompt) + len(target) - recipe.max_length - longest // 2
    if surplus > 0:
        left, _ = shortened_text(tokenizer, row[text_field], surplus, keeps_end=bool(row.get("messages")))
        shorter = {**row, text_field: left}
        prompt = shape_generate.prompt_ids(tokenizer, shape_generate.fill_prompt(task.prompt, shorter))
    return [Feature(prompt + target, [IGNORED] * len(prompt) + target)], target == whole and surplus <= 0


def shortened_text(tokenizer: Any, text: str, num_tokens: int, *, keeps_end: bool) -> tuple[str, str]:
    """`text` without `num_tokens` of its tokens, one is always kept, and what was cut off.

    Args:
        keeps_end: cut at the beginning, as what was said last is what a reply answers.
    """
    offsets = tokenize(tokenizer, text).offsets
    kept = max(len(offsets) - num_tokens, 1)
    if keeps_end:
        start = offsets[-kept][0]
        return text[start:], text[:start]
    end = offsets[kept - 1][1]
    return text[:end], text[end:]


_BUILDERS = {"classify": _classify, "tag": _tag, "span": _span, "generate": _generate}
