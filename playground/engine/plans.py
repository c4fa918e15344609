"""Plans: what one row needs of the engine, step by step.

A plan is a generator that yields requests, is sent their results, and returns the row's output.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from playground.adapters.record import AdapterRecord
from playground.data.dialogue import as_instruction
from playground.data.text import clean_text
from playground.engine.requests import Decoding, EncodeRow
from playground.errors import AdapterError, BackboneError, InputError
from playground.tasks import Task, guess, shape_classify, shape_generate, shape_span, shape_tag
from playground.tasks.languages import base_code
from playground.tasks.windows import tokenize
from playground.types import Row

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine
    from playground.engine.lora import LoadedAdapter
    from playground.engine.tickets import Ticket

GREEDY = Decoding()
BASE_NOTE = "The base has no head for this task; this is a guess from a prompt with a few examples."
FEW_SHOT_NOTE = "The base answers from a prompt with a few examples."


@dataclass(frozen=True)
class Request:
    """What a plan asks of the engine: passes through heads, or texts, or the chances of some next tokens."""

    windows: Sequence[EncodeRow] = ()
    prompts: Sequence[Sequence[int]] = ()
    adapter: LoadedAdapter | None = None
    decoding: Decoding = GREEDY
    choices: tuple[int, ...] = ()
    join: Callable[[list[str]], str] | None = None
    """How the texts so far become the output a person watches grow; None: nothing to watch."""

    def __len__(self) -> int:
        return len(self.windows) or len(self.prompts)

    def submit(self, engine: Engine) -> Ticket:
        if self.windows:
            return engine.encode(self.windows)
        if self.choices:
            return engine.choose(self.prompts, self.choices, self.adapter)
        return engine.generate([(ids, self.adapter) for ids in self.prompts], self.decoding)

    def results(self, ticket: Ticket) -> list[Any]:
        """For each window its logits, for each prompt its text or the chances of its choices."""
        if self.windows:
            return [ticket.logits[index] for index in range(len(self.windows))]
        if self.choices:
            return [row.chances for row in ticket.decode_rows]
        return [row.text for row in ticket.decode_rows]


@dataclass(frozen=True)
class Outcome:
    fields: Row
    is_guess: bool = False
    note: str = ""


Plan = Generator[Request, list[Any], Outcome]


def clean_row(task: Task, row: Row) -> Row:
    """`row` with the task's inputs made safe for the tokenizer.

    Raises:
        InputError: an input is missing, empty, too long, or no language code.
    """
    cleaned = dict(as_instruction(row) if task.name == "instruct" else row)
    for wanted in task.inputs:
        if wanted.name not in cleaned:
            needed = ", ".join(f.name for f in task.inputs)
            raise InputError(f"The row has no '{wanted.name}'; {task.name} needs {needed}.")
        if wanted.kind == "language":
            base_code(cleaned[wanted.name])
        else:
            cleaned[wanted.name] = clean_text(cleaned[wanted.name], wanted.label.lower())
    return cleaned


def make_plan(
    engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None, num_beams: int | None = None
) -> Plan:
    """The plan of a cleaned row.

    Args:
        num_beams: of a task that writes text; None leaves it to the adapter.

    Raises:
        AdapterError: the adapter does not fit the task or the backbone, or is broken.
        BackboneError: the backbone can't do it.
    """
    if adapter is not None:
        _check_task(adapter, task)
    if task.shape == "generate":
        engine.must_generate()
        return _generate_plan(engine, task, row, adapter, num_beams)
    if adapter is None:
        if not engine.backbone.can_generate:
            raise BackboneError(
                f"The backbone '{engine.backbone.id}' has no head for {task.name} and can't write a guess; "
                "choose an adapter or train one."
            )
        return _guess_plan(engine, task, row)
    return {"classify": _classify_plan, "tag": _tag_plan, "span": _span_plan}[task.shape](engine, row, adapter)


def _check_task(adapter: AdapterRecord, task: Task) -> None:
    fits = adapter.shape == task.shape and (
        task.shape != "generate" or adapter.task in (task.name, *task.also_adapters_of)
    )
    if not fits:
        raise AdapterError(f"Adapter '{adapter.name}' was made for {adapter.task}; choose one for {task.name}.")


def _window_tokens(engine: Engine, adapter: AdapterRecord) -> int:
    return min(adapter.max_length, engine.backbone.max_positions)


def _encode_rows(engine: Engine, adapter: AdapterRecord, windows: Sequence[Any], *, pooled: bool) -> Request:
    loaded = engine.adapter(adapter)
    return Request(windows=[EncodeRow(w.input_ids, loaded, adapter.attention, pooled) for w in windows])


def _classify_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    parts = shape_classify.windows(engine.backbone.tokenizer, row, _window_tokens(engine, adapter))
    logits = yield _encode_rows(engine, adapter, parts, pooled=True)
    temperature = float(adapter.decision.get("temperature", 1.0))
    return Outcome(shape_classify.decode(parts, logits, adapter.labels, temperature))


def _tag_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    tokens, parts = shape_tag.windows(engine.backbone.tokenizer, row, _window_tokens(engine, adapter))
    logits = yield _encode_rows(engine, adapter, parts, pooled=False)
    temperature = float(adapter.decision.get("temperature", 1.0))
    return Outcome(shape_tag.decode(row, tokens, parts, logits, adapter.labels, temperature))


def _span_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    tokens, parts = shape_span.windows(engine.backbone.tokenizer, row, _window_tokens(engine, adapter))
    logits = yield _encode_rows(engine, adapter, parts, pooled=False)
    usual = {"no_answer_threshold": 0.0, "temperature": 1.0, "score_bias": 0.0}
    found = shape_span.decode(
        row, tokens, parts, logits, *(float(adapter.decision.get(name, value)) for name, value in usual.items())
    )
    return Outcome({"answer": found["answer"]}, note="" if found["answer"] else "The text does not answer it.")


def _generate_plan(engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None, num_beams: int | None) -> Plan:
    tokenizer = engine.backbone.tokenizer
    loaded = engine.adapter(adapter) if adapter else None
    decoding = adapter_decoding(task, adapter, num_beams)
    room = engine.backbone.max_positions - decoding.max_new_tokens

    def ids_of(part: Row) -> list[int]:
        template = adapter.prompt or task.prompt if adapter else ""
        prompt = shape_generate.fill_prompt(template, part) if template else guess.generate_prompt(task, part)
        return shape_generate.prompt_ids(tokenizer, prompt)

    around = len(ids_of({**row, task.inputs[0].name: ""}))
    wanted = max(adapter.max_length if adapter else task.max_length, task.reads_at_once)
    max_length = min(wanted, max(room - around, 1))
    steps = shape_generate.steps(task, row, tokenizer, max_length)
    rows = next(steps)
    while True:
        prompts = [ids_of(part) for part in rows]
        longest = max(len(ids) for ids in prompts)
        if longest > room:
            raise InputError(f"The prompt has {longest:,} tokens; the backbone has room for {room:,}. Shorten it.")
        texts = yield Request(
            prompts=prompts, adapter=loaded, decoding=decoding, join=shape_generate.joiner(task, rows)
        )
        try:
            rows = steps.send([text.strip() for text in texts])
        except StopIteration as end:
            return Outcome({task.output: end.value}, note="" if adapter else FEW_SHOT_NOTE)


def adapter_decoding(task: Task, adapter: AdapterRecord | None, num_beams: int | None = None) -> Decoding:
    """Decoding settings of an adapter, or of the base's few-shot prompt.

    Args:
        num_beams: in place of what the adapter says.

    Raises:
        InputError: these settings can't go together.
    """
    wish = {} if num_beams is None else {"num_beams": num_beams}
    if adapter is None:
        stop = ("\n",) if task.name != "instruct" else ("\n\n",)
        return Decoding(max_new_tokens=task.max_new_tokens, stop=stop, repetition_penalty=1.05, **wish)
    chosen: dict[str, Any] = {"max_new_tokens": task.max_new_tokens, **adapter.generation, **wish}
    if "stop" in chosen:
        chosen["stop"] = tuple(chosen["stop"])
    known = Decoding.__dataclass_fields__
    return Decoding(**{key: value for key, value in chosen.items() if key in known})


def _guess_plan(engine: Engine, task: Task, row: Row) -> Plan:
    """A guess of the bare backbone for a task that needs a head."""
    tokenizer = engine.backbone.tokenizer
    text_field = task.inputs[0].name
    # A prompt holds one window; the guess looks at its beginning and says so.
    tokens = tokenize(tokenizer, row[text_field])
    cut = len(tokens.ids) > task.max_length
    short = {**row, text_field: row[text_field][: tokens.offsets[task.max_length][0]]} if cut else row
    note = BASE_NOTE + (f" It read only the first {task.max_length} tokens." if cut else "")
    if task.shape == "classify":
        prompt = shape_generate.prompt_ids(tokenizer, guess.classify_prompt(short, task.shots, task.labels))
        endings = {
            label: tuple(tokenize(tokenizer, guess.label_ending(label)).ids)
            for label in task.labels or guess.DEFAULT_LABELS
        }
        scores = yield from _label_chances(prompt, endings)
        return Outcome({"label": next(iter(scores)), "scores": scores}, is_guess=True, note=note)
    prompt_text = guess.tag_prompt(short) if task.shape == "tag" else guess.span_prompt(short)
    prompt = shape_generate.prompt_ids(tokenizer, prompt_text)
    decoding = Decoding(max_new_tokens=96, stop=("\n\n",) if task.shape == "tag" else ("\n",))
    (text,) = yield Request(prompts=[prompt], decoding=decoding)
    if task.shape == "tag":
        return Outcome({"entities": guess.read_entities(short["text"], text)}, is_guess=True, note=note)
    return Outcome({"answer": guess.read_answer(short["context"], text)}, is_guess=True, note=note)


def _label_chances(
    prompt: Sequence[int], endings: Mapping[str, tuple[int, ...]]
) -> Generator[Request, list[Any], dict[str, float]]:
    """How likely the backbone goes on with each label after `prompt`, among these; the likeliest first.

    Labels that begin alike are told apart by their next tokens only while they may still be the likeliest together:
    those that can't be share what they have.

    Args:
        endings: tokens of each label; none is the beginning of another's.
    """
    groups: list[tuple[float, tuple[str, ...]]] = [(1.0, tuple(endings))]
    while len(groups[0][1]) > 1:
        chance, labels = groups.pop(0)
        columns = zip(*(endings[label] for label in labels), strict=False)
        shared = [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]
        after: dict[int, list[str]] = {}
        for label in labels:
            after.setdefault(endings[label][len(shared)], []).append(label)
        (chances,) = yield Request(prompts=[[*prompt, *shared]], choices=tuple(after))
        groups += [(chance * one, tuple(found)) for one, found in zip(chances, after.values(), strict=True)]
        groups.sort(key=lambda group: -group[0])
    scores = {label: chance / len(labels) for chance, labels in groups for label in labels}
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))
