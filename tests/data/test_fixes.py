from collections import Counter
from copy import deepcopy

import pytest

from playground.data.fixes import FIXES, MAX_REPEATS, balance_labels, check_fixes, fix_rows, keeping_all
from playground.errors import InputError

LONG = "The council voted on Tuesday to close the High Street to cars from next spring, said the mayor"


def rows(*pairs):
    return [{"text": text, "label": label} for text, label in pairs]


def test_each_fix_says_how_many_rows_it_changed_and_where_the_others_were():
    given = rows((LONG, "a"), (LONG, "a"), (f"{LONG}!", "a"), ("x", "a"), ("X", "b"), ("call a@b.com", "b"))
    before = deepcopy(given)
    fixed = fix_rows(
        "classify",
        given,
        ["drop-conflicts", "mask-email", "drop-near-duplicates", "drop-exact-duplicates", "mask-phone"],
    )
    assert fixed.counts == {
        "mask-email": 1,
        "mask-phone": 0,
        "drop-exact-duplicates": 1,
        "drop-conflicts": 2,
        "drop-near-duplicates": 1,
    }
    assert fixed.places == [0, 5]
    assert fixed.rows == rows((LONG, "a"), ("call [EMAIL]", "b"))
    assert given == before


def test_rows_that_differ_in_what_is_masked_alone_become_duplicates():
    given = rows(("call a@b.com", "x"), ("call d@e.com", "x"))
    assert fix_rows("classify", given, ["drop-exact-duplicates"]).places == [0, 1]
    assert fix_rows("classify", given, ["drop-exact-duplicates", "mask-pii"]).places == [0]


def test_all_details_can_be_masked_at_once():
    (row,) = fix_rows("classify", rows(("a@b.com or +49 171 1234567", "x")), ["mask-pii"]).rows
    assert row["text"] == "[EMAIL] or [PHONE]"


def test_an_unknown_fix_is_named():
    with pytest.raises(InputError, match="no fix 'drop-all'; there are mask-pii"):
        fix_rows("classify", [], ["drop-all"])


def test_fixes_are_done_in_one_order_whatever_the_order_of_the_switches():
    assert check_fixes(list(FIXES)[::-1]) == list(FIXES)
    assert fix_rows("classify", rows(("Anna Schmidt", "x")), ["mask-names"]).counts == {}
    assert keeping_all(["drop-conflicts", "mask-names", "mask-ip", "mask-pii"]) == ["mask-ip", "mask-pii"]


def test_rare_labels_are_repeated_up_to_the_commonest_or_the_limit():
    given = rows(*((f"a{n}", "a") for n in range(40)), *((f"b{n}", "b") for n in range(15)), ("c", "c"))
    made = balance_labels(given, seed=1)
    assert Counter(row["label"] for row in made) == {"a": 40, "b": 40, "c": MAX_REPEATS}
    assert made[: len(given)] == given
    repeats = Counter(row["text"] for row in made if row["label"] == "b")
    assert set(repeats.values()) == {2, 3}
    assert balance_labels(given, seed=1) == made != balance_labels(given, seed=2)


def test_rows_without_labels_stay_as_they_are():
    given = [{"document": "x", "summary": "y"}]
    assert balance_labels(given, seed=0) == given
