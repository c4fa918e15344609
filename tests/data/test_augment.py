import pytest

from playground.data.augment import augment, romanize_hindi
from playground.errors import InputError

HINDI = {"text": "फ़िल्म अच्छी थी।", "label": "positive", "lang": "hi"}


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("मुझे मज़ा आता है", "mujhe maza aata hai"),
        ("घर में कल", "ghar men kal"),
        ("सहज ही", "sahaj hi"),
        ("ज़िंदगी बड़ी है।", "zindagi badi hai."),
        ("१२ OK", "12 OK"),
        ("", ""),
    ],
)
def test_hindi_reads_as_it_is_typed_on_a_latin_keyboard(written, typed):
    assert romanize_hindi(written) == typed


def test_only_hindi_is_romanized_and_labels_stay():
    rows = [HINDI, {"text": "Schön", "label": "positive", "lang": "de"}]
    found = augment(rows, {"romanized": 1.0}, seed=0)
    assert found == [{**HINDI, "text": "film achchhi thi."}, rows[1]]
    assert rows[0] is HINDI


def test_a_share_of_the_rows_gets_the_marks_of_posts():
    rows = [{"text": f"Text {number}", "lang": "en"} for number in range(400)]
    found = augment(rows, {"social": 0.5}, seed=1)
    changed = [row["text"] for row, new in zip(rows, found, strict=True) if row != new]
    assert 150 < len(changed) < 250
    assert all("text" in row["text"].lower() for row in found)
    assert any(row["text"].startswith("@user ") for row in found)
    assert any(row["text"].endswith(" http") for row in found)
    assert found == augment(rows, {"social": 0.5}, seed=1) != augment(rows, {"social": 0.5}, seed=2)


def test_no_share_changes_nothing():
    assert augment([HINDI], {}, seed=0) == [HINDI]


def test_an_unknown_augmentation_is_named():
    with pytest.raises(InputError, match="no augmentation 'typos'; there are romanized, social"):
        augment([HINDI], {"typos": 0.1}, seed=0)
