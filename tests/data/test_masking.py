from playground.data.masking import mask_row, texts_of
from playground.data.pii import find_details


def test_entities_point_at_the_same_words_after_masking():
    text = "Anna (anna@example.com, +49 171 1234567) lives in Rome."
    words = ("Anna", "+49 171 1234567", "Rome")
    entities = [{"start": text.index(w), "end": text.index(w) + len(w), "label": w[:1]} for w in words]
    row = mask_row("ner", {"text": text, "entities": entities}, find_details)
    assert row["text"] == "Anna ([EMAIL], [PHONE]) lives in Rome."
    assert [row["text"][e["start"] : e["end"]] for e in row["entities"]] == ["Anna", "[PHONE]", "Rome"]


def test_an_entity_that_a_detail_cuts_grows_to_the_tag_and_a_second_one_there_goes():
    text = "mail anna@example.com"
    entities = [{"start": 5, "end": 9, "label": "PER"}, {"start": 10, "end": 21, "label": "ORG"}]
    row = mask_row("ner", {"text": text, "entities": entities}, find_details)
    assert (row["text"], row["entities"]) == ("mail [EMAIL]", [{"start": 5, "end": 12, "label": "PER"}])


def test_answers_stay_at_their_place_in_the_context():
    context = "Write to a.very.long.address@example.com or come to Sfax; the card is 4111 1111 1111 1111."
    answers = [{"text": piece, "start": context.index(piece)} for piece in ("Sfax", "4111 1111 1111 1111")]
    row = mask_row("qa", {"context": context, "question": "Is it a@b.com?", "answers": answers}, find_details)
    assert [answer["text"] for answer in row["answers"]] == ["Sfax", "[CARD]"]
    for answer in row["answers"]:
        assert row["context"].startswith(answer["text"], answer["start"])
    assert row["question"] == "Is it [EMAIL]?"


def test_input_and_output_of_written_tasks_are_masked_and_labels_are_not():
    assert mask_row("summarize", {"document": "a@b.com", "summary": "a@b.com"}, find_details) == {
        "document": "[EMAIL]",
        "summary": "[EMAIL]",
    }
    row = mask_row("classify", {"text": "x a@b.com", "label": "a@b.com", "author": "a@b.com"}, find_details)
    assert row == {"text": "x [EMAIL]", "label": "a@b.com", "author": "a@b.com"}


def test_conversations_are_masked_message_by_message():
    row = {"messages": [{"role": "user", "content": "I am a@b.com"}, {"role": "assistant", "content": "Hello a@b.com"}]}
    masked = mask_row("instruct", row, find_details)
    assert texts_of("instruct", masked) == ["I am [EMAIL]", "Hello [EMAIL]"]
    assert texts_of("instruct", row) == ["I am a@b.com", "Hello a@b.com"]


def test_a_row_without_details_is_the_same_object():
    row = {"text": "In 2024, order 12345", "label": "x"}
    assert mask_row("classify", row, find_details) is row
    assert mask_row("classify", {"text": "a@b.com", "label": "x"}, lambda text: [])["text"] == "a@b.com"
