import pytest

from playground.data.columns import propose
from playground.data.rows import map_table
from playground.data.wordrows import MAX_SENTENCE_TOKENS
from playground.errors import DataError

WORDS = ["Ada", "Lovelace", "lived", "in", "London", "."]
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
OTHER = [["NNP", "NNP", "VBD", "IN", "NNP", "."], ["B-NP", "I-NP", "B-VP", "B-PP", "B-NP", "O"]]


def sentence(num_columns, delimiter):
    columns = [WORDS, *OTHER[: num_columns - 2], TAGS]
    return "\n".join(delimiter.join(cells) for cells in zip(*columns, strict=True)) + "\n"


@pytest.mark.parametrize("num_columns", [2, 3, 4])
@pytest.mark.parametrize("delimiter", ["\t", " "])
@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.txt"])
def test_two_to_four_columns_are_read(read_as, num_columns, delimiter, name):
    one = sentence(num_columns, delimiter)
    table = read_as(name, f"-DOCSTART- {'-X- ' * (num_columns - 2)}O\n\n{one}\n{one}")
    assert table.rows == [{"tokens": WORDS, "tags": TAGS}] * 2
    assert (table.format, table.rejected) == ("conll", [])


@pytest.mark.parametrize("others", [[], ["counter"], ["counter", "pos"]])
def test_tags_may_stand_in_front_of_all_else(read_as, others):
    columns = {"counter": [str(i) for i in range(1, 7)], "pos": OTHER[0]}
    lines = zip(TAGS, *(columns[name] for name in others), WORDS, strict=True)
    one = "\n".join(map("\t".join, lines)) + "\n\n"
    assert read_as("a.conll", one * 3).rows == [{"tokens": WORDS, "tags": TAGS}] * 3


def test_comments_are_no_tokens(read_as):
    table = read_as(
        "a.conll", f"# sent_id = 1\n# text = Ada\n{sentence(2, chr(9))}\n# sent_id = 2\n{sentence(2, chr(9))}"
    )
    assert table.rows == [{"tokens": WORDS, "tags": TAGS}] * 2
    assert table.lines == [3, 11]


def test_comments_need_no_space_behind_their_mark(read_as):
    one = sentence(2, "\t").replace("Ada\t", "#Ada\t")
    table = read_as("a.conll", f"#sent 1\n{one}\n#sent 2\n{one}")
    assert table.rows == [{"tokens": ["#Ada", *WORDS[1:]], "tags": TAGS}] * 2


def test_tags_may_be_in_small_letters(read_as):
    table = read_as("a.conll", "\n".join([sentence(2, "\t").lower()] * 2))
    assert map_table(table, propose(table)).rows[0]["entities"] == [
        {"start": 0, "end": 12, "label": "per"},
        {"start": 22, "end": 28, "label": "loc"},
    ]


def test_the_sources_of_germeval_are_no_tokens(read_as):
    one = "#\thttp://de.wikipedia.org/wiki/Ada [2009-10-17]\n1\tAda\tB-PER\tO\n2\tin\tO\tO\n3\tRom\tB-LOC\tO\n\n"
    table = read_as("NER-de-train.tsv", one * 3)
    assert table.rows == [{"tokens": ["Ada", "in", "Rom"], "tags": ["B-PER", "O", "B-LOC"]}] * 3


@pytest.mark.parametrize("tags", ["B-PER O O B-LOC", '"B-PER,O,O,B-LOC"'])
@pytest.mark.parametrize("header", ["text,labels", "sentence,word_labels"])
def test_a_table_of_sentences_with_their_tags_is_no_file_of_tokens(read_as, header, tags):
    table = read_as("ner.csv", f"{header}\n" + f"Ada went to Rome,{tags}\n" * 9)
    found = map_table(table, propose(table))
    assert found.rows[0]["entities"] == [
        {"start": 0, "end": 3, "label": "PER"},
        {"start": 12, "end": 16, "label": "LOC"},
    ]


def test_types_in_small_letters_with_a_part_are_tags(read_as):
    table = read_as(
        "supervised.txt", "Ada\tperson-scholar\nwas\tO\nin\tO\nRome\tlocation-GPE\n\n".lower().replace("\to", "\tO") * 3
    )
    assert table.rows[0]["tags"] == ["person-scholar", "O", "O", "location-gpe"]


def test_counted_tokens_and_the_entities_of_conll_u_are_read(read_as):
    line = "{}\t{}\t_\t_\t_\t_\t_\t_\t_\t{}"
    rows = [line.format(i, word, f"NER={tag}") for i, (word, tag) in enumerate(zip(WORDS, TAGS, strict=True), 1)]
    assert read_as("a.conllu", "\n".join(rows) + "\n").rows == [{"tokens": WORDS, "tags": TAGS}]


def test_a_bad_line_costs_its_sentence_and_is_named(read_as):
    good = sentence(2, "\t") + "\n"
    table = read_as("a.conll", good + "Berlin\tB-LOC\nbroken\n\n" + good * 4)
    assert len(table.rows) == 5
    assert [(one.line, one.raw) for one in table.rejected] == [(9, "broken")]
    assert "has no IOB tag such as O" in table.rejected[0].reason


def test_a_file_that_only_promises_tags_says_what_is_missing(read_as):
    with pytest.raises(DataError, match="each line needs a token, a tab and a tag"):
        read_as("a.conll", "Ada lived in London.\nShe wrote programs.\n")


@pytest.mark.parametrize(("name", "header"), [("a.conll", ""), ("a.csv", "word,tag\n")])
def test_a_sentence_without_end_is_set_aside_by_its_line(read_as, name, header):
    delimiter = "," if header else "\t"
    word, place = f"word{delimiter}O\n", f"Rome{delimiter}B-LOC\n"
    table = read_as(name, header + place + word * MAX_SENTENCE_TOKENS + "\n" + place + word)
    assert table.rows[-1] == {"tokens": ["Rome", "word"], "tags": ["B-LOC", "O"]}
    assert [one.line for one in table.rejected] == [2 if header else 1]
    assert "put an empty line after each sentence" in table.rejected[0].reason


def test_a_table_of_words_may_have_its_tags_in_small_letters(read_as):
    lines = [f"{word},{tag.lower()}" for word, tag in zip(WORDS, TAGS, strict=True)]
    table = read_as("ner.csv", "\n".join(["word,tag", *lines]))
    assert map_table(table, propose(table)).rows[0]["entities"] == [
        {"start": 0, "end": 12, "label": "per"},
        {"start": 22, "end": 28, "label": "loc"},
    ]


def test_a_table_of_words_becomes_sentences(read_as):
    rows = zip(["1", "1", "1", "1", "1", "1"], WORDS, TAGS, strict=True)
    content = "Sentence #,Word,Tag\n" + "".join(",".join(row) + "\n" for row in rows) + "2,Rome,B-LOC\n"
    table = read_as("ner.csv", content)
    assert table.rows == [{"tokens": WORDS, "tags": TAGS}, {"tokens": ["Rome"], "tags": ["B-LOC"]}]
