"""Datasets over HTTP, from a small Hub on this machine."""

import io
import zipfile

import polars as pl
import pytest

from playground import settings
from playground.data.reading import read_table
from playground.errors import AdapterError, DataError, InputError
from playground.training import hub_dataset
from playground.training.hub_dataset import fetch, find, kept
from tests.fake_hub import CONVERTED_COMMIT, Dataset, fake_hub

ID = "somebody/lamps"
CSV = b"text,label\nIt flickers,quality\nIt came late,delivery\n"


def parquet(*texts):
    out = io.BytesIO()
    pl.DataFrame({"text": texts, "label": ["a"] * len(texts)}).write_parquet(out)
    return out.getvalue()


@pytest.fixture
def served():
    with fake_hub() as found:
        yield found


@pytest.fixture
def serve(served):
    """Puts a dataset there."""

    def put(files=(), converted=None, **more):
        served.datasets[ID] = Dataset({"README.md": b"# Lamps", **dict(files)}, converted, **more)

    return put


@pytest.fixture
def got(served, tmp_path):
    """The texts of the dataset that was asked for."""

    def get(text=ID):
        api = served.api(None)
        return [row["text"] for row in read_table(fetch(find(text, api), tmp_path, api)).rows]

    return get


COPY = {
    "ax/test/0000.parquet": parquet("ax"),
    "german/test/0000.parquet": parquet("Test"),
    "german/train/0000.parquet": parquet("eins"),
    "german/train/0001.parquet": parquet("zwei"),
    "zulu/partial-train/0000.parquet": parquet("kunye"),
}


def test_the_rows_for_training_come_from_all_shards_of_the_parquet_copy(serve, served, got, tmp_path):
    serve({"lamps.py": b"raise SystemExit", "data.csv": CSV}, COPY)
    assert got() == ["eins", "zwei"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["lamps-german-train.zip"]
    asked = [path for path in served.asked if "/resolve/" in path]
    assert {path.split("/resolve/")[1] for path in asked} == {
        f"{CONVERTED_COMMIT}/german/train/{name}.parquet" for name in ("0000", "0001")
    }


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        (f" {ID}@german ", ["eins", "zwei"]),
        (f"{ID}@german/test", ["Test"]),
        (f"{ID}@zulu", ["kunye"]),
        (f"{ID}@ax", ["ax"]),
        (f"{ID}@/test", ["Test"]),
        (f"https://huggingface.co/datasets/{ID}", ["eins", "zwei"]),
        (f"https://huggingface.co/datasets/{ID}/viewer/german/test?row=1", ["Test"]),
        (f"https:/huggingface.co/datasets/{ID}/", ["eins", "zwei"]),
    ],
)
def test_config_and_split_can_be_named_and_pages_of_datasets_too(serve, got, text, texts):
    serve({}, COPY)
    assert got(text) == texts


def test_a_default_config_comes_first_and_is_no_part_of_the_name(serve, served):
    serve({}, {"all/train/0000.parquet": parquet("x"), "default/train/0000.parquet": parquet("y")})
    found = find(ID, served.api(None))
    assert (found.part, found.file_name) == (("default", "train"), "lamps-train.parquet")
    assert str(found).startswith(f"{ID}@default/train: 1 file, ")
    assert str(found).endswith(" MB. Other parts: all/train.")
    assert find(found.name, served.api(None)) == found


@pytest.mark.parametrize(
    ("files", "texts", "name"),
    [
        ({"data/lamps.csv": CSV, "config.json": b"{}", "LICENSE.txt": CSV * 2}, ["It flickers", "It came late"], "csv"),
        ({"train.csv": CSV, "test.csv": b"text,label\nno,no\n"}, ["It flickers", "It came late"], "csv"),
        ({"train/a.csv": CSV, "train/b.csv": CSV}, ["It flickers", "It came late"] * 2, "zip"),
        ({"a.parquet": parquet("x", "y"), "same.csv": b"text,label\nx,a\n"}, ["x", "y"], "parquet"),
    ],
)
def test_without_a_parquet_copy_its_own_files_of_one_kind_are_taken(serve, got, tmp_path, files, texts, name):
    serve({**files, "lamps.py": b"raise SystemExit"})
    assert got() == texts
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [f".{name}"]


def test_a_zip_keeps_the_folders_of_own_files_for_they_may_be_labels(serve, served, tmp_path):
    serve({f"{label}/{number}.txt": b"A text." for label in ("good", "bad") for number in range(3)})
    api = served.api(None)
    path = fetch(find(ID, api), tmp_path, api)
    assert "good/0.txt" in zipfile.ZipFile(path).namelist()
    assert {row["label"] for row in read_table(path).rows} == {"good", "bad"}


def test_a_private_dataset_is_there_for_those_who_may_see_it(serve, served, tmp_path):
    serve({"lamps.jsonl.gz": b"x"}, private=True)
    assert find(ID, served.api()).file_name == "lamps.jsonl.gz"
    with pytest.raises(DataError, match=r"There is no dataset 'somebody/lamps' on the Hub, or it is private; correct"):
        find(ID, served.api(None))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"'' is no id of the Hub; it looks like owner/name\."),
        ("squad", "'squad' is no id"),
        ("../lamps", "is no id"),
        (f"{ID}/data/train.csv", "is no id"),
        (f"{ID}@french", r"has no config 'french'; it has ax, german, zulu\."),
        (f"{ID}@german/dev", r"has no split 'dev' in the config 'german'; it has test, train\."),
    ],
)
def test_what_is_no_id_or_no_part_is_refused(serve, served, text, message):
    serve({}, COPY)
    with pytest.raises(InputError, match=message):
        find(text, served.api(None))


def test_own_files_have_no_parts(serve, served):
    serve({"a.csv": CSV})
    with pytest.raises(InputError, match="leave out what follows the @"):
        find(f"{ID}@german", served.api(None))


def test_a_gated_dataset_says_what_to_do(serve, served, tmp_path):
    serve({}, COPY, is_gated=True)
    api = served.api(None)
    with pytest.raises(DataError, match=r"is gated; accept its conditions on the Hub and log in .*upload them\.$"):
        fetch(find(ID, api), tmp_path, api)
    assert not list(tmp_path.iterdir())


def test_there_may_be_nothing_to_read(serve, served):
    serve({"lamps.py": b"raise SystemExit", "model.bin": b"x"})
    with pytest.raises(DataError, match=r"no file with rows .*, but README.md, lamps.py, model.bin; save its rows as"):
        find(ID, served.api(None))


def test_a_large_dataset_is_refused_before_anything_is_fetched(serve, served, monkeypatch):
    serve({}, COPY | {"german/train/0002.parquet": b"x" * 3 * settings.MEGABYTE})
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", settings.MEGABYTE)
    with pytest.raises(DataError, match=r"@german/train has 3 MB; the limit is 1 MB .* smaller part \(ax/test, .*"):
        find(ID, served.api(None))
    assert find(f"{ID}@ax", served.api(None))
    assert not any("/resolve/" in path for path in served.asked)


def test_what_comes_may_be_no_larger_either(serve, served, monkeypatch, tmp_path):
    serve({}, COPY)
    api = served.api(None)
    found = find(ID, api)
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 700)
    with pytest.raises(DataError, match="the limit is"):
        fetch(found, tmp_path, api)
    assert not list(tmp_path.iterdir())


def test_too_many_files_are_refused(serve, served, monkeypatch):
    monkeypatch.setattr(hub_dataset, "MAX_FILES", 1)
    serve({"a.csv": CSV, "b.csv": CSV})
    with pytest.raises(DataError, match=r"has 2 files; at most 1 are fetched\."):
        find(ID, served.api(None))


def test_without_the_hub_there_is_one_sentence(served):
    api = served.api(None)
    served.is_down = True
    with pytest.raises(AdapterError, match=r"^The Hub answered 503 for 'somebody/lamps': try again later\.$"):
        find(ID, api)
    api.endpoint = "http://127.0.0.1:9"
    with pytest.raises(AdapterError, match=r"^The Hub can't be reached for .*; try again later\.$"):
        find(ID, api)


def test_a_fetched_dataset_is_kept_for_the_next_command(serve, served, playground_home):
    serve({}, COPY)
    api = served.api(None)
    path = kept(find(ID, api), api)
    assert path.is_relative_to(settings.datasets())
    served.asked.clear()
    assert kept(find(ID, api), api) == path
    assert not any("/resolve/" in asked for asked in served.asked)
