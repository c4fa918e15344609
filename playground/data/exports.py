"""Records as annotation tools and libraries write them, as plain rows.

Label Studio: https://labelstud.io/guide/export, Prodigy: https://prodi.gy/docs/api-interfaces, spaCy 2:
https://v2.spacy.io/api/annotation#json-input, Doccano: https://doccano.github.io/doccano/, MRQA:
https://github.com/mrqa/MRQA-Shared-Task-2019, LLaMA-Factory:
https://github.com/hiyouga/LLaMA-Factory/tree/main/data, DataTurks and GLiNER after their public samples.
"""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from playground.types import Row

_ANSWER_LABELS = frozenset({"answer", "answers", "span"})
_TASK_KEYS = ("annotations", "completions", "predictions")


def plain_rows(record: Any) -> list[Any]:
    """`record` as rows of plain fields: itself, unless a tool wrote it."""
    if isinstance(record, list):
        return _list_rows(record)
    if not isinstance(record, dict):
        return [record]
    for is_of_tool, rows in _TOOLS:
        if is_of_tool(record):
            return rows(record)
    return [record]


def was_turned_down(record: Any) -> bool:
    """Whether whoever annotated `record` in Prodigy or Label Studio rejected or skipped it, so that it gives no row."""
    return isinstance(record, dict) and (_is_prodigy(record) or _is_label_studio(record)) and not plain_rows(record)


def _list_rows(record: list[Any]) -> list[Any]:
    """SpaCy's [text, {"entities": ...}], [text, label], or a conversation without an object around it."""
    if len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], dict):
        return [_spacy_example(record[0], record[1])]
    if len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], str | int | float):
        return [{"text": record[0], "label": record[1]}]
    if record and all(isinstance(one, dict) and ("role" in one or "from" in one) for one in record):
        return [{"messages": record}]
    return [record]


def _spacy_example(text: str, annotation: Row) -> Row:
    row: Row = {"text": text}
    if isinstance(annotation.get("entities"), list):
        row["entities"] = annotation["entities"]
    if isinstance(annotation.get("cats"), dict):
        row["label"] = _chosen(annotation["cats"])
    return row if len(row) > 1 else {"text": text, **annotation}


def _is_textcat(record: Row) -> bool:
    """Whether it has the categories of a text as spaCy and Prodigy have them."""
    cats = record.get("cats")
    return isinstance(record.get("text"), str) and isinstance(cats, dict) and bool(cats) and "label" not in record


def _textcat_rows(record: Row) -> list[Any]:
    own = {key: value for key, value in record.items() if key != "cats"}
    return [own | {"label": _chosen(record["cats"])}]


def _chosen(cats: Row) -> Any:
    """The categories of spaCy's {"POS": 1.0, "NEG": 0.0} that apply."""
    chosen = [name for name, value in cats.items() if isinstance(value, int | float) and value >= 0.5]
    return chosen[0] if len(chosen) == 1 else chosen


def _is_squad(record: Row) -> bool:
    return isinstance(record.get("paragraphs"), list) and not _is_spacy_document(record)


def _squad_rows(article: Row) -> list[Any]:
    """SQuAD's nesting (https://arxiv.org/abs/1606.05250) as one row a question."""
    return [row for paragraph in article["paragraphs"] for row in plain_rows(paragraph)]


def _question_rows(paragraph: Row) -> list[Any]:
    context = {"context": paragraph.get("context")}
    return [context | _question(one) if isinstance(one, dict) else one for one in paragraph["qas"]]


def _question(question: Row) -> Row:
    found = question.get("detected_answers")
    if not isinstance(found, list):
        return question
    answers = [
        {"text": one.get("text"), "start": spans[0][0]}
        for one in found
        if isinstance(one, dict) and (spans := one.get("char_spans"))
    ]
    return {"question": question.get("question"), "answers": answers, "id": question.get("qid")}


def _is_spacy_document(record: Row) -> bool:
    paragraphs = record.get("paragraphs")
    return isinstance(paragraphs, list) and any(isinstance(one, dict) and "sentences" in one for one in paragraphs)


def _spacy_rows(document: Row) -> list[Any]:
    return [
        {
            "tokens": [str(token.get("orth", "")) for token in sentence.get("tokens", ())],
            "tags": [_spacy_tag(token.get("ner")) for token in sentence.get("tokens", ())],
        }
        for paragraph in document["paragraphs"]
        for sentence in paragraph.get("sentences", ())
        if sentence.get("tokens")
    ]


def _spacy_tag(tag: Any) -> str:
    """SpaCy writes "-" where nobody said whether the token is part of an entity."""
    return "O" if tag in (None, "", "-") else str(tag)


def _is_spacy_doc(record: Row) -> bool:
    """Whether it is what spaCy's ``Doc.to_json`` gives (https://spacy.io/api/doc#to_json)."""
    return isinstance(record.get("text"), str) and isinstance(record.get("tokens"), list) and "ents" in record


def _spacy_doc_rows(doc: Row) -> list[Any]:
    annotation = {key: value for key, value in (("entities", doc["ents"]), ("cats", doc.get("cats"))) if value}
    return [_spacy_example(doc["text"], annotation or {"entities": []})]


def _is_doccano(record: Row) -> bool:
    """Whether it has the labels of whole texts as Doccano 1.0 wrote them: by their numbers, with who gave them."""
    marks = record.get("annotations")
    return (
        "text" in record
        and isinstance(marks, list)
        and bool(marks)
        and all(isinstance(one, dict) and "label" in one and not {"start", "start_offset"} & set(one) for one in marks)
    )


def _doccano_rows(record: Row) -> list[Any]:
    labels = [one["label"] for one in record["annotations"]]
    return [{key: value for key, value in record.items() if key != "annotations"} | {"label": _single(labels)}]


def _is_label_studio(record: Row) -> bool:
    return isinstance(record.get("data"), dict) and any(isinstance(record.get(key), list) for key in _TASK_KEYS)


def _label_studio_rows(record: Row) -> list[Any]:
    """One row a task, with the first annotation that was not cancelled, else the first prediction."""
    done = [one for key in _TASK_KEYS for one in record.get(key) or () if isinstance(one, dict)]
    used = next((one for one in done if not one.get("was_cancelled")), None)
    row = dict(record["data"])
    if used is None:
        return [] if done else [row]
    results = [one for one in used.get("result") or () if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    spans = [one["value"] for one in results if one.get("type") in ("labels", "hypertextlabels")]
    name = _annotated(row, results)
    if name and name != "text" and "text" not in row:
        row["text"] = row.pop(name)
    if any(one.get("type") == "hypertextlabels" for one in results) and isinstance(row.get("text"), str):
        row["text"] = _without_tags(row["text"])
    if spans or (not results and used.get("result") is not None):
        row |= _spans(row, spans)
    for one in results:
        kind = one.get("type")
        value = next(
            (one["value"][key] for key in ("choices", "rating", "text", "taxonomy") if key in one["value"]), None
        )
        if kind == "taxonomy" and isinstance(value, list):
            value = [" / ".join(map(str, path)) if isinstance(path, list) else path for path in value]
        if kind in ("choices", "rating", "textarea", "taxonomy"):
            field = str(one.get("from_name") or one["type"])
            row[field if field not in row else f"{field}_{one['type']}"] = _single(value)
    return [row]


def _annotated(row: Row, results: list[Row]) -> str | None:
    """The field that was annotated: the one that the spans point into, else the longest text."""
    texts = {key: value for key, value in row.items() if isinstance(value, str)}
    return max(texts, key=lambda key: len(texts[key]), default=None) if results or texts else None


def _spans(row: Row, spans: list[Row]) -> Row:
    labels = {str(label).casefold() for span in spans for label in span.get("labels", ())}
    if "question" in row and labels <= _ANSWER_LABELS:
        context = row.pop("context", None) or row.pop("text", None)
        answers = [{"text": span.get("text"), "start": span.get("start")} for span in spans]
        return {"context": context, "answers": answers}
    return {"entities": [_entity(span) for span in spans]}


def _entity(span: Row) -> Row:
    """A span of Label Studio; one in a web page has its place among the page's characters beside that in its tags."""
    inside = span.get("globalOffsets")
    places = inside if isinstance(inside, dict) else span
    labels = span.get("labels") or span.get("hypertextlabels")
    return {"start": places.get("start"), "end": places.get("end"), "text": span.get("text"), "labels": labels}


def _without_tags(page: str) -> str:
    """The characters of a web page, as a browser counts them."""
    parser = _Characters()
    parser.feed(page)
    parser.close()
    return "".join(parser.parts)


class _Characters(HTMLParser):
    """Gathers what stands between the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_prodigy(record: Row) -> bool:
    return record.get("answer") in ("accept", "reject", "ignore") and "text" in record


def _prodigy_rows(record: Row) -> list[Any]:
    """Accepted answers only: what was rejected is no example of anything."""
    if record["answer"] != "accept":
        return []
    own = {key: value for key, value in record.items() if not key.startswith("_") and key not in ("answer", "tokens")}
    if isinstance(record.get("accept"), list):
        own.pop("options", None)
        own["label"] = _single(own.pop("accept"))
    elif "label" not in own:
        own["spans"] = own.get("spans", [])
    return [own]


def _is_dataturks(record: Row) -> bool:
    return "content" in record and "annotation" in record


def _dataturks_rows(record: Row) -> list[Any]:
    marks = record["annotation"] if isinstance(record["annotation"], list) else []
    spans = [
        {"start": point.get("start"), "end": (point.get("end") or 0) + 1, "label": _single(mark.get("label"))}
        for mark in marks
        if isinstance(mark, dict)
        for point in mark.get("points") or ()
    ]
    if isinstance(record["annotation"], dict):
        return [{"text": record["content"], "label": _single(record["annotation"].get("labels"))}]
    return [{"text": record["content"], "entities": spans}]


def _is_gliner(record: Row) -> bool:
    return "tokenized_text" in record and "ner" in record


def _gliner_rows(record: Row) -> list[Any]:
    tokens = record["tokenized_text"]
    tags = ["O"] * len(tokens)
    for first, last, label in record["ner"] or ():
        tags[first : last + 1] = [f"{'B' if i == first else 'I'}-{label}" for i in range(first, last + 1)]
    return [{"tokens": tokens, "tags": tags[: len(tokens)]}]


def _is_gemini(record: Row) -> bool:
    return isinstance(record.get("contents"), list) and all(
        isinstance(one, dict) and "parts" in one for one in record["contents"]
    )


def _gemini_rows(record: Row) -> list[Any]:
    messages = [
        {"role": one.get("role") or "user", "content": "\n".join(str(part.get("text", "")) for part in one["parts"])}
        for one in record["contents"]
    ]
    return [{"messages": messages}]


def _is_conversation_with_system(record: Row) -> bool:
    """Whether a system prompt stands beside the conversation, as LLaMA-Factory has it."""
    said = record.get("conversations") or record.get("messages")
    return isinstance(said, list) and isinstance(record.get("system"), str)


def _with_system(record: Row) -> list[Any]:
    name = "conversations" if record.get("conversations") else "messages"
    own = {key: value for key, value in record.items() if key != "system"}
    return [own | {name: [*_system(record), *record[name]]}]


def _system(record: Row) -> list[Row]:
    system = record.get("system")
    return [{"role": "system", "content": system}] if isinstance(system, str) and system.strip() else []


def _is_alpaca_with_more(record: Row) -> bool:
    """Whether it is LLaMA-Factory's Alpaca, with a system prompt or what was said before."""
    more = isinstance(record.get("history"), list) or isinstance(record.get("system"), str)
    return more and isinstance(record.get("instruction"), str) and isinstance(record.get("output"), str)


def _alpaca_rows(record: Row) -> list[Any]:
    """The record without them, as others of its file are: what was said before stands in front of the instruction."""
    said = [text for turn in record.get("history") or () if isinstance(turn, list) for text in turn]
    before = [*(message["content"] for message in _system(record)), *map(str, said)]
    own = {key: value for key, value in record.items() if key not in ("history", "system")}
    return [own | {"instruction": "\n\n".join([*before, record["instruction"]])}]


def _has_choices(record: Row) -> bool:
    """Whether it is a row of Label Studio's smaller JSON, in which several choices are an object."""
    return any(isinstance(value, dict) and set(value) == {"choices"} for value in record.values())


def _choice_rows(record: Row) -> list[Any]:
    return [
        {
            key: _single(value["choices"]) if isinstance(value, dict) and set(value) == {"choices"} else value
            for key, value in record.items()
        }
    ]


def _is_viewer_row(record: Row) -> bool:
    """Whether it is a row as the data set viewer of the Hub answers (https://huggingface.co/docs/dataset-viewer)."""
    return isinstance(record.get("row"), dict) and "row_idx" in record


def _is_language_list(record: Row) -> bool:
    inner = record.get("translation")
    return isinstance(inner, dict) and isinstance(inner.get("language"), list) and "translation" in inner


def _language_rows(record: Row) -> list[Any]:
    """``datasets``' translation with any number of languages as texts by language."""
    inner = record["translation"]
    texts = dict(zip(map(str, inner["language"]), inner["translation"], strict=False))
    return [{**record, "translation": texts}]


_TOOLS: list[tuple[Callable[[Row], bool], Callable[[Row], list[Any]]]] = [
    (_is_label_studio, _label_studio_rows),
    (_is_spacy_document, _spacy_rows),
    (_is_squad, _squad_rows),
    (lambda record: isinstance(record.get("qas"), list), _question_rows),
    (_is_spacy_doc, _spacy_doc_rows),
    (_is_textcat, _textcat_rows),
    (_is_doccano, _doccano_rows),
    (_is_prodigy, _prodigy_rows),
    (_is_dataturks, _dataturks_rows),
    (_is_gliner, _gliner_rows),
    (_is_gemini, _gemini_rows),
    (_is_conversation_with_system, _with_system),
    (_is_alpaca_with_more, _alpaca_rows),
    (_has_choices, _choice_rows),
    (_is_viewer_row, lambda record: [record["row"]]),
    (_is_language_list, _language_rows),
]
