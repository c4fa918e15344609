def test_labels_of_fasttext_are_taken_off(read_as):
    table = read_as("a.txt", "__label__good I love it\n__label__bad I hate it\n__label__good __label__short Nice one\n")
    assert table.rows[0] == {"text": "I love it", "label": "good"}
    assert table.rows[2]["label"] == ["good", "short"]


def test_words_with_their_tags_are_taken_apart(read_as):
    table = read_as("a.txt", "Ada/B-PER sang/O 1/2/O\nBob/B-PER slept/O\n")
    assert table.rows[0] == {"tokens": ["Ada", "sang", "1/2"], "tags": ["B-PER", "O", "O"]}


def test_translations_between_bars_are_taken_apart(read_as):
    table = read_as("a.txt", "Hello ||| Hallo\nBye ||| Tschüss\n")
    assert table.rows == [
        {"source_text": "Hello", "target_text": "Hallo"},
        {"source_text": "Bye", "target_text": "Tschüss"},
    ]
