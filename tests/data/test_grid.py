import io
from datetime import datetime

import openpyxl
import pytest

from playground.data.rows import load_training_rows

ROWS = [{"Review": "Great phone", "Stars": 5}, {"Review": "Broke at once", "Stars": 1}, {"Review": "Fine", "Stars": 3}]


def book(rows, merged=(), title="Reviews"):
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    for area in merged:
        made.active.merge_cells(area)
    return made


def saved(made):
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def cells(rows):
    return [list(row.values()) for row in rows]


def test_title_rows_above_the_header_are_left_out_with_a_note(read_as):
    content = [["Reviews of 2024"], [], ["Exported by Sam"], ["Review", "Stars"], *cells(ROWS)]
    table = read_as("a.xlsx", saved(book(content, merged=["A1:B1"])))
    assert table.rows == ROWS
    assert table.lines == [5, 6, 7]
    assert "Reviews of 2024; Exported by Sam" in " ".join(table.notes)


def test_title_rows_of_a_csv_are_left_out_too(read_as):
    table = read_as("a.csv", "Reviews of 2024;\n;\nReview;Stars\nGreat phone;5\nBroke at once;1\n")
    assert table.rows == [{"Review": "Great phone", "Stars": "5"}, {"Review": "Broke at once", "Stars": "1"}]


def test_merged_cells_hold_for_all_their_rows(read_as):
    content = [["Label", "Text"], ["good", "I love it"], [None, "I like it"], ["bad", "I hate it"]]
    table = read_as("a.xlsx", saved(book(content, merged=["A2:A3"])))
    assert [row["Label"] for row in table.rows] == ["good", "good", "bad"]


@pytest.mark.parametrize("merged", [[], ["C5:XFD1048576"]])
def test_a_stray_cell_at_the_end_of_the_sheet_costs_nothing(read_as, merged):
    made = book([["Review", "Stars"], *cells(ROWS)])
    if merged:
        made.active.merged_cells.add(merged[0])
    else:
        made.active.cell(1 << 20, 1 << 14).value = "stray"
    table = read_as("a.xlsx", saved(made))
    assert table.rows == ROWS
    assert [one.line for one in table.rejected] == ([] if merged else [1 << 20])


def test_a_line_of_totals_is_left_out_with_a_note(read_as):
    table = read_as("a.xlsx", saved(book([["Review", "Stars"], *cells(ROWS), ["Total", 9]])))
    assert table.rows == ROWS
    assert "Line 5 holds totals" in " ".join(table.notes)


def test_empty_columns_at_the_margins_do_not_count(read_as):
    table = read_as(
        "a.xlsx", saved(book([[None, "Review", "Stars", None], *([None, *row, " "] for row in cells(ROWS))]))
    )
    assert table.rows == ROWS
    table = read_as("a.csv", "text,label,,\ngood one,x,,\nbad one,y\n")
    assert table.rows == [{"text": "good one", "label": "x"}, {"text": "bad one", "label": "y"}]


def test_numbers_become_the_same_label_whatever_the_sheet_makes_of_them(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(saved(book([["Review", "Stars"], ["Great phone", 5], ["Good phone", 5.0], ["Bad phone", "1"]])))
    assert [row["label"] for row in load_training_rows(path, "classify").rows] == ["5", "5", "1"]


def test_dates_and_errors_in_cells_are_plain_values(read_as):
    day = datetime(2024, 3, 11)  # noqa: DTZ001  sheets have no time zones
    table = read_as("a.xlsx", saved(book([["text", "when", "n"], ["a b", day, "#N/A"], ["c d", day, 2.5]])))
    assert table.rows == [
        {"text": "a b", "when": "2024-03-11", "n": None},
        {"text": "c d", "when": "2024-03-11", "n": 2.5},
    ]


def test_a_hidden_sheet_is_not_taken_and_the_others_are_named(read_as):
    made = book([["secret", "x"], ["a", "b"]], title="Hidden")
    made.active.sheet_state = "hidden"
    shown = made.create_sheet("Data")
    for row in [["Review", "Stars"], *cells(ROWS)]:
        shown.append(row)
    table = read_as("a.xlsx", saved(made))
    assert table.rows == ROWS
    assert "'Data' is used, 'Hidden' is not" in " ".join(table.notes)


def test_white_space_around_headers_goes_and_repeated_ones_are_numbered(read_as):
    table = read_as("a.csv", "\ufeff  text \t;  label;label ;text\na b;x;y;z\n")
    assert table.columns == ["text", "label", "label_2", "text_2"]
    assert sum("are called" in note for note in table.notes) == 2


@pytest.mark.parametrize("declared", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_that_declares_a_delimiter_is_no_row(read_as, declared):
    table = read_as("a.csv", f"{declared}\r\ntext;label\r\na, b;x\r\nc, d;y\r\n")
    assert table.rows == [{"text": "a, b", "label": "x"}, {"text": "c, d", "label": "y"}]


def test_row_names_of_r_get_a_column(read_as):
    table = read_as("a.csv", '"text","label"\n"1","a b","x"\n"2","c d","y"\n')
    assert [row["text"] for row in table.rows] == ["a b", "c d"]


def test_a_table_in_markdown_is_read(read_as):
    table = read_as("a.txt", "| text | label |\n|------|-------|\n| a b  | x |\n| c, d | y |\n")
    assert table.rows == [{"text": "a b", "label": "x"}, {"text": "c, d", "label": "y"}]


def test_a_header_that_is_repeated_is_no_row(read_as):
    one = "text,label\nI love it,good\nI hate it,bad\n"
    table = read_as("all.csv", one * 2)
    assert [row["label"] for row in table.rows] == ["good", "bad"] * 2
    assert [(rejected.line, rejected.reason) for rejected in table.rejected] == [(4, "repeats the header")]


def test_names_of_columns_lose_what_nobody_sees_and_marks_of_formulas(read_as):
    table = read_as("a.csv", "\u200btext\u200b,=label\nI love it,good\nI hate it,bad\n")
    assert table.columns == ["text", "label"]


def test_formulas_without_a_result_are_told(read_as):
    made = book([["text", "label"], *([f"Row {i} is fine", '=IF(1>0,"good","bad")'] for i in range(3))])
    table = read_as("a.xlsx", saved(made))
    assert "Formulas in a.xlsx have no result saved" in " ".join(table.notes)
    assert "Formulas" not in " ".join(read_as("b.xlsx", saved(book([["text", "label"], ["Good", "yes"]]))).notes)


def test_questions_of_a_survey_are_names_of_columns(read_as):
    answers = "".join(
        f"2024/01/02 10:0{n}:00,It was rather long {n},{n % 5},{'Yes' if n % 2 else 'No'}\n" for n in range(9)
    )
    table = read_as("survey.csv", f"Timestamp,What did you think of it?,Rating (1-5),Would you come again?\n{answers}")
    assert table.columns[1] == "What did you think of it?"
    assert len(table.rows) == 9
    long = "Please say in some words what you think about our service and why you think so"
    table = read_as("survey.csv", f"{long},How is that to be sorted?\n" + "It is fine,pos\nIt is not,neg\n" * 5)
    assert table.columns == [long, "How is that to be sorted?"]


def test_a_first_row_with_a_rare_label_is_no_header(read_as):
    table = read_as("a.csv", "It is odd.,rare thing\n" + "It is fine.,pos\nIt is not.,neg\n" * 5)
    assert len(table.rows) == 11


def test_a_name_of_a_column_that_never_ends_is_shortened(read_as):
    table = read_as("a.csv", f"{'long ' * 2000},label\n" + "It is fine,pos\nIt is not,neg\n" * 5)
    assert len(table.columns[0]) <= 120
