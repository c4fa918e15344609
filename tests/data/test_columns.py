import pytest

from playground.data.columns import ColumnMap, input_columns, propose, required_fields
from playground.data.table import Table
from playground.errors import InputError
from playground.types import Row


def table(rows: list[Row]) -> Table:
    return Table(list(rows[0]), rows, [], [], "csv", list(range(2, len(rows) + 2)), "a.csv")


REVIEWS = ["It broke after two days of use.", "I love how light it is!", "Does what it says, no more.", "Never again."]


def labelled(text: str, label: str, labels: tuple[str, ...] = ("good", "bad", "good", "bad")) -> list[Row]:
    return [{"nr": str(i), text: t, label: v} for i, (t, v) in enumerate(zip(REVIEWS, labels, strict=True))]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("text", "label"),
        ("Review", "verdict"),
        ("reviewText", "Stars"),
        ("customer_review", "my_category"),
        ("Kommentar", "Bewertung"),
        ("Kundenbewertung", "Note"),
        ("comentario", "etiqueta"),
        ("Avis", "Catégorie"),
        ("Текст отзыва", "Оценка"),
        ("评论", "标签"),
        ("レビュー", "評価"),
        ("리뷰", "라벨"),
        ("التعليق", "التصنيف"),
        ("समीक्षा", "श्रेणी"),
        ("yorum", "etiket"),
        ("ข้อความ", "ป้ายกำกับ"),
        ("szöveg", "címke"),
        ("உரை", "வகை"),
        ("xyzzy", "plugh"),
    ],
)
def test_text_and_label_are_found_under_names_of_many_languages(text: str, label: str) -> None:
    found = propose(table(labelled(text, label)))
    assert found.columns == {"text": text, "label": label}
    assert found.task == "classify"
    assert any(label in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("title", "document", "summary"),
    [
        ("title", "article", "summary"),
        ("العنوان", "المقال", "الملخص"),
        ("عنوان المقال", "نص المقال", "خلاصة"),
        ("عنوان", "متن", "چکیده"),
        ("כותרת", "כתבה", "תקציר"),
    ],
)
def test_a_text_and_its_summary_are_found_with_or_without_an_article_and_beside_a_title(
    title: str, document: str, summary: str
) -> None:
    rows: list[Row] = [
        {title: f"{text} {i}", document: f"{text} {i} " * 9, summary: f"{text} {i} " * 2}
        for i, text in enumerate(REVIEWS)
    ]
    found = propose(table(rows))
    assert (found.task, found.columns) == ("summarize", {"document": document, "summary": summary})


def test_a_label_of_numbers_is_found_beside_other_words_that_come_back() -> None:
    rows: list[Row] = [{"ข้อความ": text, "ป้ายกำกับ": i % 2, "hotel": "AB"[i % 2]} for i, text in enumerate(REVIEWS)]
    assert propose(table(rows)).columns["label"] == "ป้ายกำกับ"


def test_what_is_the_same_in_all_rows_or_speaks_of_them_is_no_label() -> None:
    rows: list[Row] = [
        {"query": "none", "lang": "ab"[i % 2], "text": text, "spam": str(i % 2)} for i, text in enumerate(REVIEWS)
    ]
    assert propose(table(rows)).columns == {"text": "text", "label": "spam"}


def test_a_few_lists_among_labels_do_not_hide_them() -> None:
    rows: list[Row] = labelled("text", "mood") + labelled("text", "mood")
    rows[0]["mood"] = ["good", "new"]
    assert propose(table(rows)).columns == {"text": "text", "label": "mood"}


@pytest.mark.parametrize("name", ["chosen", "items", "turns"])
def test_conversations_are_found_by_what_they_hold(name: str) -> None:
    said = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]
    rows: list[Row] = [{"prompt": "Hi there", name: said, "rejected": said, "score": 1.5}] * 3
    found = propose(table(rows))
    assert (found.task, found.columns) == ("instruct", {"messages": name})


def test_reasons_say_whether_a_name_or_the_values_decided() -> None:
    rows: list[Row] = labelled("Review", "plugh", ("positive", "negative", "positive", "negative"))
    assert propose(table(rows)).reasons == [
        "text comes from the column 'Review', after its name.",
        "label comes from the column 'plugh', after what it holds.",
        "'plugh' speaks of good and bad.",
    ]


def test_a_second_text_that_is_not_read_is_named() -> None:
    rows: list[Row] = [
        {"premise": text, "hypothesis": text[::-1], "label": "ab"[i % 2]} for i, text in enumerate(REVIEWS)
    ]
    assert propose(table(rows)).reasons[-1].startswith("Only 'premise' is read; put 'hypothesis' into the same column")


def test_a_column_called_bewertung_is_text_when_it_holds_texts() -> None:
    rows = [{"Bewertung": text, "Kategorie": "x"} for text in REVIEWS]
    assert propose(table(rows)).columns == {"text": "Bewertung", "label": "Kategorie"}


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ("verdict", ("Positive", "negative", "Positive", "neutral")),
        ("标签", ("好评", "差评", "好评", "差评")),
        ("sentiment", ("1", "0", "1", "0")),
    ],
)
def test_polarity_labels_propose_the_sentiment_task(header: str, labels: tuple[str, ...]) -> None:
    assert propose(table(labelled("text", header, labels))).task == "sentiment"


def test_a_table_without_label_says_so() -> None:
    found = propose(table([{"Review": text} for text in REVIEWS]))
    assert found.columns == {"text": "Review"}
    assert "No column looks like a label" in found.reasons[-1]


SPANS = [{"start": 0, "end": 3, "label": "PER"}]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"text": "Ada wrote", "entities": SPANS}], ColumnMap("ner", {"text": "text", "entities": "entities"})),
        ([{"text": "Ada wrote", "label": [[0, 3, "PER"]]}], ColumnMap("ner", {"text": "text", "entities": "label"})),
        ([{"text": "Ada wrote", "spans": '[{"start": 0}]'}], ColumnMap("ner", {"text": "text", "entities": "spans"})),
        ([{"tokens": ["Ada"], "ner_tags": ["B-PER"]}], ColumnMap("ner", {"tokens": "tokens", "tags": "ner_tags"})),
        ([{"text": "['Ada', 'x']", "label": "['B-PER', 'O']"}], ColumnMap("ner", {"tokens": "text", "tags": "label"})),
        ([{"s": ["Ada", "x"], "t": ["PER-B", "O"]}], ColumnMap("ner", {"tokens": "s", "tags": "t"})),
        ([{"sentence": "Ada wrote", "tags": "B-PER O"}], ColumnMap("ner", {"text": "sentence", "tags": "tags"})),
        ([{"s": "[Ada](PER) wrote it"}], ColumnMap("ner", {"text": "s", "entities": "s"})),
        (
            [{"context": "Ada wrote.", "question": "Who?", "answers": []}],
            ColumnMap("qa", {"context": "context", "question": "question", "answers": "answers"}),
        ),
        (
            [{"Frage": "Wer?", "Kontext": "Ada schrieb.", "Antwort": "Ada"}],
            ColumnMap("qa", {"context": "Kontext", "question": "Frage", "answers": "Antwort"}),
        ),
        (
            [{"article": "Long.", "highlights": "S."}],
            ColumnMap("summarize", {"document": "article", "summary": "highlights"}),
        ),
        (
            [{"en": "Hello", "de": "Hallo"}],
            ColumnMap(
                "translate", {"source_text": "en", "target_text": "de", "source_lang": "=en", "target_lang": "=de"}
            ),
        ),
        (
            [{"English": "Hello", "日本語": "こんにちは"}],
            ColumnMap(
                "translate",
                {"source_text": "English", "target_text": "日本語", "source_lang": "=en", "target_lang": "=ja"},
            ),
        ),
        (
            [{"translation": {"en": "Hello", "fr": "Bonjour"}}],
            ColumnMap(
                "translate",
                {
                    "source_text": "translation",
                    "target_text": "translation",
                    "source_lang": "=en",
                    "target_lang": "=fr",
                },
            ),
        ),
        (
            [{"prompt": "Say", "completion": "Hi"}],
            ColumnMap("instruct", {"prompt": "prompt", "completion": "completion"}),
        ),
        (
            [{"instruction": "Say", "input": "x", "output": "Hi"}],
            ColumnMap("instruct", {"prompt": "instruction", "completion": "output", "prompt_input": "input"}),
        ),
        ([{"question": "Why?", "answer": "So"}], ColumnMap("instruct", {"prompt": "question", "completion": "answer"})),
        ([{"messages": [{"role": "user", "content": "Hi"}]}], ColumnMap("instruct", {"messages": "messages"})),
    ],
)
def test_tasks_are_recognised_by_their_columns(rows: list[Row], expected: ColumnMap) -> None:
    found = propose(table(rows))
    assert (found.task, found.columns) == (expected.task, expected.columns)
    assert found.reasons


@pytest.mark.parametrize(
    "header",
    [("text", "question", "answer"), ("पाठ", "प्रश्न", "उत्तर"), ("अनुच्छेद", "प्रश्न", "उत्तर"), ("x", "frage", "antwort")],
)
def test_a_text_that_holds_the_answers_is_what_the_questions_are_on(header: tuple[str, str, str]) -> None:
    rows = [
        dict(zip(header, (f"Ada founded {n} schools, all in Oslo.", "Where?", "Oslo"), strict=True)) for n in range(9)
    ]
    found = propose(table(rows))
    assert (found.task, found.columns) == ("qa", dict(zip(("context", "question", "answers"), header, strict=True)))


@pytest.mark.parametrize("header", [("पैराग्राफ", "सवाल", "जवाब"), ("متن", "سوال", "جواب")])
def test_questions_need_no_mark_where_their_column_is_called_so(header: tuple[str, str, str]) -> None:
    rows = [
        dict(zip(header, (f"Ada founded {n} schools, all in Oslo.", f"Where did {n} stand", "Oslo"), strict=True))
        for n in range(9)
    ]
    found = propose(table(rows))
    assert (found.task, found.columns) == ("qa", dict(zip(("context", "question", "answers"), header, strict=True)))


def test_an_explanation_of_the_answer_is_no_text_to_find_it_in() -> None:
    rows: list[Row] = [{"question": "Where?", "answer": "Oslo", "explanation": "All know that it is Oslo."}] * 4
    assert propose(table(rows)).task == "instruct"


def test_reasons_call_the_fields_as_they_are_called_elsewhere() -> None:
    found = propose(table([{"article": "Long.", "highlights": "S."}]))
    assert found.reasons_with({"document": "“Text”"}) == [
        "“Text” comes from the column 'article', after its name.",
        "summary comes from the column 'highlights', after its name.",
    ]


def test_a_given_task_is_kept_even_when_columns_are_missing() -> None:
    found = propose(table([{"passage": "Ada wrote a note.", "frage": "Who?"}]), "qa")
    assert (found.task, found.columns) == ("qa", {"context": "passage", "question": "frage"})


@pytest.mark.parametrize(
    "name", ["Review", "Bewertung", "comentario", "评论", "Отзывы", "text", "col1", "What did you think?"]
)
def test_a_lone_column_is_the_input_whatever_it_is_called(name: str) -> None:
    rows = table([{name: text} for text in REVIEWS])
    assert input_columns(rows, "sentiment") == {"text": name}
    assert input_columns(rows, "summarize") == {"document": name}
    assert input_columns(rows, "translate") == {"source_text": name}


def test_the_input_is_the_column_of_texts_among_ids_addresses_and_dates() -> None:
    rows: list[Row] = [
        {
            "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "url": f"https://example.org/some/long/path/{i}",
            "was": text,
            "at": "2024-01-01",
        }
        for i, text in enumerate(REVIEWS)
    ]
    assert input_columns(table(rows), "classify") == {"text": "was"}


def test_question_and_context_are_told_apart() -> None:
    rows = table([{"pregunta": "¿Quién escribió la nota más larga de todas?", "contexto": "Ada."}])
    assert input_columns(rows, "qa") == {"context": "contexto", "question": "pregunta"}
    assert input_columns(table([{"frage": "Wer?", "artikel": "Ada schrieb."}]), "qa") == {
        "context": "artikel",
        "question": "frage",
    }


@pytest.mark.parametrize("num_rows", [1, 12])
@pytest.mark.parametrize("task", [None, "classify"])
def test_a_column_called_label_is_it_however_long_the_labels_are(num_rows: int, task: str | None) -> None:
    label = "a label that is a whole sentence, as people write them down when they are asked what a message is about"
    rows: list[Row] = [{"text": f"客服让我等了{n}个小时。", "label": f"{label} {n % 2}"} for n in range(num_rows)]
    found = propose(table(rows), task)
    assert (found.task, found.columns) == ("classify", {"text": "text", "label": "label"})


def test_unknown_tasks_are_refused_with_the_known_ones() -> None:
    assert required_fields("sentiment") == ("text", "label")
    with pytest.raises(InputError, match=r"'sentimnet'; there is one for sentiment"):
        required_fields("sentimnet")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("user", "assistant"),
        ("Q", "A"),
        ("problem", "generated_solution"),
        ("inputs", "targets"),
        ("Frage", "Antwort"),
        ("pregunta", "respuesta"),
        ("вопрос", "ответ"),
        ("سؤال", "جواب"),
        ("问题", "回答"),
        ("指令", "输出"),
    ],
)
def test_what_is_asked_and_what_is_said_are_prompt_and_completion(asked: str, said: str) -> None:
    proposed = propose(table([{"id": i, asked: f"{text} Why?", said: text} for i, text in enumerate(REVIEWS)]))
    assert (proposed.task, proposed.columns) == ("instruct", {"prompt": asked, "completion": said})


def test_entities_may_be_written_into_a_cell() -> None:
    proposed = propose(table([{"text": text, "entities": "It: X; use: Y"} for text in REVIEWS]))
    assert (proposed.task, proposed.columns) == ("ner", {"text": "text", "entities": "entities"})


def test_texts_that_come_back_are_still_no_labels_beside_dates_and_numbers() -> None:
    rows: list[Row] = [
        {"nr": f"T-{i}", "made": f"{i + 1:02d}.01.2024", "said": REVIEWS[i % 4], "kind": "ab"[i % 2]} for i in range(24)
    ]
    assert propose(table(rows)).columns == {"text": "said", "label": "kind"}


def test_dates_with_words_in_them_are_no_texts() -> None:
    rows: list[Row] = [
        {"a": "04"[i % 2], "b": f"Mon Apr {i + 1:02d} 22:19:45 PDT 2009", "c": f"@{i} awww"} for i in range(24)
    ]
    assert propose(table(rows)).columns == {"text": "c", "label": "a"}


def test_entities_that_nobody_marked_leave_the_intents_to_learn() -> None:
    rows: list[Row] = [{"text": text, "intent": "ab"[i % 2], "entities": []} for i, text in enumerate(REVIEWS)]
    assert propose(table(rows)).columns == {"text": "text", "label": "intent"}


def test_a_text_and_its_completion_are_a_prompt_and_what_is_said_and_beside_a_label_they_are_not() -> None:
    rows: list[Row] = [{"text": text, "completion": f"So it is: {text} Number {i}."} for i, text in enumerate(REVIEWS)]
    found = propose(table(rows))
    assert (found.task, found.columns) == ("instruct", {"prompt": "text", "completion": "completion"})
    rated = propose(table([row | {"stars": i % 2} for i, row in enumerate(rows)]))
    assert (rated.task, rated.columns) == ("classify", {"text": "text", "label": "stars"})


def test_questions_and_answers_may_be_called_by_their_letters() -> None:
    rows: list[Row] = [{"reading": f"{text} {i} times, it said.", "q": f"How often {i}?", "a": f"{i} times"}
                       for i, text in enumerate(REVIEWS)]  # fmt: skip
    found = propose(table(rows))
    assert (found.task, found.columns) == ("qa", {"context": "reading", "question": "q", "answers": "a"})


@pytest.mark.parametrize("mark", ["?", "؟", "？"])
def test_questions_on_a_text_are_known_by_what_they_hold_whatever_they_are_called(mark: str) -> None:
    rows: list[Row] = [
        {"உரை": f"{text} {i + 7} times, it said.", "கேள்வி": f"How often {i}{mark}", "பதில்": f"{i + 7} times"}
        for i, text in enumerate(REVIEWS)
    ]
    found = propose(table(rows))
    assert (found.task, found.columns) == ("qa", {"context": "உரை", "question": "கேள்வி", "answers": "பதில்"})


def test_a_question_with_its_kind_is_no_question_on_a_text() -> None:
    rows: list[Row] = [
        {"mail": f"{text} The {kind} again.", "subject": f"Why {i}?", "topic": kind}
        for i, (text, kind) in enumerate(zip(REVIEWS, ("bill", "lamp", "bill", "lamp"), strict=True))
    ]
    assert propose(table(rows)).task == "classify"
