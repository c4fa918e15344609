"""Which task a table is for, and which of its columns holds which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from playground.data.entities import has_inline_entities, has_listed_entities
from playground.data.headers import is_about, language_in, language_of, normal_name, role_score
from playground.data.profile import (
    Column,
    first_columns,
    holds_messages,
    holds_spans,
    holds_tags,
    holds_transcripts,
    holds_words,
    is_label_like,
    language_keys,
    named,
    spoken_language,
    tagged_words,
    text_column,
)
from playground.data.table import Table
from playground.errors import InputError

_FIELDS = {
    "sentiment": (("text",), ("label",)),
    "classify": (("text",), ("label",)),
    "ner": (("text",), ("entities",)),
    "qa": (("context", "question"), ("answers",)),
    "summarize": (("document",), ("summary",)),
    "translate": (("source_text",), ("target_text", "source_lang", "target_lang")),
    "instruct": (("prompt",), ("completion",)),
}
_OPTIONAL = {
    "ner": ("tokens", "tags"),
    "qa": ("answer_start",),
    "instruct": ("messages", "prompt_input"),
}
_STANDS_FOR = {"tokens": ("text",), "tags": ("entities",), "messages": ("prompt", "completion")}
_POLARITY = frozenset(
    "positive|negative|neutral|pos|neg|neu|positiv|negativ|neutre|positif|négatif|positivo|negativo|neutro"
    "|positief|negatief|neutraal|pozytywny|negatywny|neutralny|положительный|отрицательный|нейтральный"
    "|позитив|негатив|olumlu|olumsuz|nötr|إيجابي|سلبي|محايد|सकारात्मक|नकारात्मक|तटस्थ|正面|负面|中性|正面的|好评|差评"
    "|ポジティブ|ネガティブ|ニュートラル|긍정|부정|중립|positif|negatif|netral|tích cực|tiêu cực|บวก|ลบ|กลาง".split("|")
)
_TITLES = frozenset("title titel titre título titolo заголовок 标题 タイトル 제목 عنوان".split())
_BODIES = frozenset("body content inhalt contenu contenido conteúdo contenuto текст 内容 本文 내용 article".split())
_LETTERS = ("q", "a")
_TURNS = (
    ("user", "assistant"),
    ("human", "assistant"),
    ("user", "bot"),
    ("human", "bot"),
    ("human", "gpt"),
    _LETTERS,
)
"""Names that say only together what the columns hold."""
_SENTIMENT_NAMES = frozenset("sentiment polarity stimmung sentimento sentimiento duygu тональность 情感 감정".split())
_QUESTION_MARKS = ("?", "？", "؟", "՞", ";", "፧")
"""Greek ends its questions with what looks like a semicolon."""
_AFTERWARDS = frozenset("explanation rationale reasoning solution".split())
"""Names of texts that hold the answer since they were written after it."""


@dataclass(frozen=True)
class ColumnMap:
    task: str
    columns: dict[str, str]
    """Column by row field. A value that begins with "=" is no column but the same value for all rows: "=de"."""
    why: dict[str, str] = field(default_factory=dict)
    """What speaks for each of `columns` that was found: how a sentence on it ends."""
    remarks: list[str] = field(default_factory=list)
    """More on the choice, in sentences."""

    @property
    def reasons(self) -> list[str]:
        """Why, in sentences for the person."""
        return self.reasons_with({})

    def reasons_with(self, titles: Mapping[str, str]) -> list[str]:
        """`reasons` with the fields called as in `titles`, where they are there."""
        found = {titles.get(name, name): (self.columns[name], why) for name, why in self.why.items()}
        return [
            f"{name} is {column[1:]} for all rows, {why}."
            if column.startswith("=")
            else f"{name} comes from the column '{column}', {why}."
            for name, (column, why) in found.items()
        ] + self.remarks


def required_fields(task: str) -> tuple[str, ...]:
    """The row fields without which `task` can't be trained.

    Raises:
        InputError: an unknown task.
    """
    inputs, targets = _fields(task)
    return inputs + targets


def input_fields(task: str) -> tuple[str, ...]:
    """The row fields that `task` needs for a prediction.

    Raises:
        InputError: an unknown task.
    """
    return _fields(task)[0]


def known_fields(task: str) -> tuple[str, ...]:
    """All fields a column may be chosen for: the required ones and what can stand in for them.

    Raises:
        InputError: an unknown task.
    """
    return required_fields(task) + _OPTIONAL.get(task, ())


def missing_fields(task: str, columns: dict[str, str]) -> list[str]:
    """The required fields that neither have a column in `columns` nor another field to stand in for them.

    Raises:
        InputError: an unknown task.
    """
    covered = {field for name in columns if name in known_fields(task) for field in _STANDS_FOR.get(name, ())}
    return [name for name in required_fields(task) if name not in columns and name not in covered]


def propose(table: Table, task: str | None = None) -> ColumnMap:
    """The likeliest task and columns, from the names in the header (in many languages) and from the values.

    Args:
        task: look for the columns of this task only; what isn't found is left out of the map.

    Raises:
        InputError: an unknown task.
    """
    columns = first_columns(table)
    if task is not None:
        found = _loosely(task, columns)
        return ColumnMap(task, found, _explained(found))
    for candidate in ("qa", "ner", "translate", "instruct", "summarize", "sentiment"):
        found = _match(candidate, columns)
        if _is_complete(candidate, found):
            remarks = _unused(found, columns) if candidate == "sentiment" else []
            chosen_task = _polarity_or_class(candidate, found, columns)
            if chosen_task == "sentiment":
                remarks.append(f"'{found['label']}' speaks of good and bad.")
            return ColumnMap(chosen_task, found, _explained(found), remarks)
    found = _loosely("sentiment", columns)
    unlabelled = [] if "label" in found else ["No column looks like a label; choose the task and the columns."]
    remarks = [*unlabelled, *_unused(found, columns)]
    return ColumnMap(_polarity_or_class("sentiment", found, columns), found, _explained(found), remarks)


def _unused(found: dict[str, str], columns: list[Column]) -> list[str]:
    """That a text stands beside the one that is read, as in pairs of sentences."""
    others = [c for c in columns if c.name not in found.values() and c.is_text() and not is_label_like(c)]
    others = [c for c in others if not c.holds_times()]
    others = [c for c in others if _has_words(c) and sum(" " in text for text in c.scalars()) > 0.3 * len(c.values)]
    longest = max((c for c in columns if c.name == found.get("text")), key=Column.mean_chars, default=None)
    texts = [c.name for c in others if longest and not is_about(c.name) and c.mean_chars() > 0.3 * longest.mean_chars()]
    return [f"Only '{found['text']}' is read; put '{texts[0]}' into the same column if it is needed."] if texts else []


def input_columns(table: Table, task: str) -> dict[str, str]:
    """Column by input field of `task`; a lone column, or the longest texts, whatever it is called.

    Raises:
        InputError: an unknown task.
    """
    columns = first_columns(table)
    fields = input_fields(task)
    found = _found(**{name: named(columns, name, 3) for name in fields})
    for name in fields:
        rest = [column for column in columns if column.name not in found.values()]
        column = found.get(name) or named(rest, name) or text_column(rest)
        if column:
            found[name] = column
    return found


def _fields(task: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if task not in _FIELDS:
        raise InputError(f"There is no data format for the task '{task}'; there is one for {', '.join(_FIELDS)}.")
    return _FIELDS[task]


def _match(task: str, columns: list[Column]) -> dict[str, str]:
    matchers = {"classify": _text_and_label, "sentiment": _text_and_label, "ner": _ner, "qa": _qa}
    matchers |= {"translate": _translation, "instruct": _instruction, "summarize": _summary}
    return matchers[task](columns)


def _loosely(task: str, columns: list[Column]) -> dict[str, str]:
    """Like `_match`, with columns called exactly as the fields, whatever they hold, and the column of texts as first
    input where no name speaks for one.
    """
    found = _match(task, columns)
    names = {column.name for column in columns} - set(found.values())
    found |= {name: name for name in missing_fields(task, found) if name in names}
    first = input_fields(task)[0]
    rest = (column for column in columns if column.is_text() and column.name not in found.values())
    text = text_column(rest) if first in missing_fields(task, found) else None
    return _found(**{first: text}) | found


def _text_and_label(columns: list[Column]) -> dict[str, str]:
    plain = [column for column in columns if not column.is_nested()]
    words = [column for column in plain if column.is_text() and not column.holds_times()]
    texts = [column for column in words if not is_label_like(column) or _is_called_text(column)]
    # A few texts that come back, as where rows were made by a program, are no labels beside names and numbers.
    repeated = [column for column in words if column.is_readable() and role_score(column.name, "label") < 3]
    own_name = [column for column in plain if normal_name(column.name) == "text"]
    readable = [column for column in texts if column.is_readable()]
    text = text_column(own_name or readable or repeated or texts or plain)
    rest = [column for column in plain if column.name != text]
    label = named((column for column in rest if column.mean_chars() <= 60), "label")
    if label is None:
        listed = [column for column in columns if holds_words(column) and column.mean_chars() <= 60]
        label = named(listed, "label", 2)
    if label is None:
        repeating = [
            column for column in rest if is_label_like(column) and column.varies() and not is_about(column.name)
        ]
        repeating.sort(key=lambda column: (not column.is_text(), len(set(column.scalars()))))
        label = repeating[0].name if repeating else None
    return _found(text=text, label=label)


def _is_called_text(column: Column) -> bool:
    """Whether its name says text and its values have words, however often they come back."""
    return role_score(column.name, "text") == 3 and any(" " in text for text in column.scalars())


def _ner(columns: list[Column]) -> dict[str, str]:
    nested = [column for column in columns if column.is_nested() or not column.values]
    plain = [column for column in columns if not column.is_nested()]
    text = text_column(column for column in plain if column.is_text())
    tokens, tags = named(nested, "tokens", 2), named(columns, "tags", 3)
    if tokens and tags:
        return {"tokens": tokens, "tags": tags}
    if tagged := tagged_words(columns):
        return {"tokens": tagged[0], "tags": tagged[1]}
    entities = (
        named(nested, "entities", 2)
        or named([column for column in nested if holds_spans(column)], "label", 2)
        or named((column for column in plain if _lists_entities(column)), "entities", 2)
    )
    is_for_labels = not any(column.values for column in nested if column.name == entities)
    if text and entities and not (is_for_labels and "label" in _text_and_label(plain)):
        return {"text": text, "entities": entities}
    if text and tags and tags != text and holds_tags(columns, tags):
        return {"text": text, "tags": tags}
    inline = next((column.name for column in plain if _holds_markup(column)), None)
    return _found(text=inline, entities=inline)


def _lists_entities(column: Column) -> bool:
    texts = column.scalars() if role_score(column.name, "entities") >= 2 else []
    return bool(texts) and sum(has_listed_entities(text) for text in texts) > 0.5 * len(texts)


def _holds_markup(column: Column) -> bool:
    texts = column.scalars()
    return sum(map(has_inline_entities, texts)) > 0.1 * len(texts)


def _qa(columns: list[Column]) -> dict[str, str]:
    question, answers = _turns(columns, (_LETTERS,)) or _question_and_answers(columns)
    rest = [column for column in columns if column.name not in (question, answers)]
    context = named(rest, "context") or (_passage(columns, question, answers) if question and answers else None)
    return _found(context=context, question=question, answers=answers, answer_start=named(rest, "answer_start", 3))


def _question_and_answers(columns: list[Column]) -> tuple[str | None, str | None]:
    """By their names, or where none says it by what they hold."""
    question = named(columns, "question")
    answers = named([column for column in columns if column.name != question], "answers", 2)
    return (question, answers) if question or answers else _asked(columns) or (None, None)


def _asked(columns: list[Column]) -> tuple[str, str] | None:
    """Columns of texts with question marks and of what a third one holds of each row, whatever they are called."""
    questions = [column.name for column in columns if column.is_text() and column.share_ending(_QUESTION_MARKS) > 0.5]
    others = [column.name for column in columns if not column.is_nested() and not is_label_like(column)]
    pairs = [(question, answers) for question in questions for answers in others if answers != question]
    return next((pair for pair in pairs if _passage(columns, *pair)), None)


def _passage(columns: list[Column], question: str, answers: str) -> str | None:
    """The column of texts, longer than the questions, that hold the answers of their rows, whatever it is called."""
    by_name = {column.name: column for column in columns}
    texts = [
        column
        for column in columns
        if column.name not in (question, answers) and normal_name(column.name) not in _AFTERWARDS and column.is_text()
    ]
    longer = [column for column in texts if column.mean_chars() > by_name[question].mean_chars()]
    holding = [column for column in longer if column.share_holding(by_name[answers]) > 0.5]
    return max(holding, key=Column.mean_chars).name if holding else None


def _translation(columns: list[Column]) -> dict[str, str]:
    for column in columns:
        if keys := language_keys(column):
            return {
                "source_text": column.name,
                "target_text": column.name,
                "source_lang": f"={keys[0]}",
                "target_lang": f"={keys[1]}",
            }
    source, target = named(columns, "source_text", 3), named(columns, "target_text", 2)
    by_language = [(column.name, language_of(column.name)) for column in columns if language_of(column.name)]
    if source and target:
        langs = {"source_lang": named(columns, "source_lang", 3), "target_lang": named(columns, "target_lang", 3)}
        spoken = {} if any(langs.values()) else _spoken(columns, source, target)
        return _found(source_text=source, target_text=target, **langs) | spoken
    if len(by_language) >= 2:
        (source, source_lang), (target, target_lang) = by_language[:2]
        langs = {"source_lang": f"={source_lang}", "target_lang": f"={target_lang}"}
        return _found(source_text=source, target_text=target, **langs)
    pair = _by_suffix(columns) or _by_spoken(columns)
    return pair or _found(source_text=source or named(columns, "text", 2), target_text=target)


def _spoken(columns: list[Column], source: str, target: str) -> dict[str, str]:
    """The languages that the texts are in, where they are two."""
    by_name = {column.name: column for column in columns}
    source_lang, target_lang = spoken_language(by_name[source]), spoken_language(by_name[target])
    if source_lang is None or target_lang is None or source_lang == target_lang:
        return {}
    return {"source_lang": f"={source_lang}", "target_lang": f"={target_lang}"}


def _by_suffix(columns: list[Column]) -> dict[str, str] | None:
    """Two columns whose names differ in their language, such as "text_en" and "text_de"."""
    pairs = [(column, parts) for column in columns if (parts := language_in(column.name))]
    for i, (column, (stem, language)) in enumerate(pairs):
        for other, (other_stem, other_language) in pairs[i + 1 :]:
            if stem == other_stem and language != other_language:
                return _pair(column, other, language, other_language)
    return None


def _by_spoken(columns: list[Column]) -> dict[str, str] | None:
    """The first two of at most three columns of texts, when they are in two languages and no name says otherwise."""
    texts = [column for column in columns if column.is_text() and not is_label_like(column) and _has_words(column)]
    if not 2 <= len(texts) <= 3 or any(_says_more(column) for column in columns):
        return None
    spoken = [(column, spoken_language(column)) for column in texts]
    (source, source_lang), (target, target_lang) = spoken[:2]
    if not 0.4 <= source.mean_chars() / target.mean_chars() <= 2.5:
        return None
    if source_lang is None or target_lang is None or source_lang == target_lang:
        return None
    return _pair(source, target, source_lang, target_lang)


def _pair(source: Column, target: Column, source_lang: str, target_lang: str) -> dict[str, str]:
    langs = {"source_lang": f"={source_lang}", "target_lang": f"={target_lang}"}
    return {"source_text": source.name, "target_text": target.name, **langs}


def _says_more(column: Column) -> bool:
    """Whether a name speaks for another task."""
    return any(role_score(column.name, role) >= 3 for role in ("label", "question", "summary", "answers", "completion"))


def _has_words(column: Column) -> bool:
    texts = column.scalars()
    return sum(any(char.isalpha() for char in text) for text in texts) > 0.8 * len(texts) and column.mean_chars() >= 4


def _instruction(columns: list[Column]) -> dict[str, str]:
    nested = [column for column in columns if column.is_nested()]
    messages = named(nested, "messages", 2) or _spoken_messages(columns, nested)
    if messages:
        return {"messages": messages}
    spoken = next((column.name for column in columns if holds_transcripts(column)), None)
    if spoken:
        return {"messages": spoken}
    if turns := _turns(columns, _TURNS):
        return {"prompt": turns[0], "completion": turns[1]}
    prompt = named(columns, "prompt", 2) or named(columns, "question", 3)
    if prompt is None and len(columns) == 2 and all(column.is_text() for column in columns):
        prompt = named(columns, "text", 3)
    rest = [column for column in columns if column.name != prompt]
    completion = named(rest, "completion", 3) or named(rest, "answers", 3)
    extra = named([column for column in rest if column.name != completion], "prompt_input", 3)
    return _found(prompt=prompt, completion=completion, prompt_input=extra if prompt and completion else None)


def _turns(columns: list[Column], pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The columns that have the names of the first of `pairs` that is there."""
    by_name = {normal_name(column.name): column.name for column in columns}
    return next(((by_name[one], by_name[other]) for one, other in pairs if {one, other} <= by_name.keys()), None)


def _spoken_messages(columns: list[Column], nested: list[Column]) -> str | None:
    """A column of conversations by what it holds; of those to prefer and to avoid, the preferred; no prompt alone."""
    conversations = [column for column in nested if holds_messages(column)]
    if named(columns, "prompt", 2) in {column.name for column in conversations}:
        return None
    return named(conversations, "completion") or next((column.name for column in conversations), None)


def _summary(columns: list[Column]) -> dict[str, str]:
    summary = named(columns, "summary")
    rest = [column for column in columns if column.name != summary and column.is_text()]
    if summary is None and (body := named(rest, "document", 3) or _body(rest)) and not named(columns, "label"):
        summary = next((column.name for column in rest if normal_name(column.name) in _TITLES), None)
        return _found(document=body, summary=summary)
    return _found(document=text_column(rest, "document"), summary=summary)


def _body(columns: list[Column]) -> str | None:
    return next((column.name for column in columns if normal_name(column.name) in _BODIES), None)


def _found(**columns: str | None) -> dict[str, str]:
    return {name: column for name, column in columns.items() if column}


def _is_complete(task: str, found: dict[str, str]) -> bool:
    missing = missing_fields(task, found)
    return not missing or (task == "translate" and missing == ["source_lang", "target_lang"])


def _polarity_or_class(task: str, found: dict[str, str], columns: list[Column]) -> str:
    if task != "sentiment" or "label" not in found:
        return "classify" if task == "sentiment" else task
    label = next(column for column in columns if column.name == found["label"])
    values = {value.casefold() for value in label.words()}
    if (values and values <= _POLARITY) or normal_name(label.name) in _SENTIMENT_NAMES:
        return "sentiment"
    return "classify"


def _explained(found: Mapping[str, str]) -> dict[str, str]:
    """What speaks for each column, see `ColumnMap.why`."""
    return {name: _why(name, column) for name, column in found.items()}


def _why(name: str, column: str) -> str:
    if column.startswith("="):
        return "after the name or the texts of its column"
    is_named = role_score(column, name) or normal_name(column) == name.replace("_", " ")
    return "after its name" if is_named else "after what it holds"
