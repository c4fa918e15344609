import errno
import json
import shutil
import stat
import zipfile

import pytest

from playground import settings
from playground.adapters import transfer
from playground.adapters.edit import duplicate, put_back, rename, take_away
from playground.adapters.record import CARD_FILE, CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE
from playground.adapters.store import is_unchecked, list_adapters, list_broken, mark_checked, remove, verify
from playground.adapters.transfer import export_zip, import_zip
from playground.errors import AdapterError

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


@pytest.fixture
def exported(save_tiny_adapter, tmp_path):
    """The zip file of an adapter that is not installed any more."""
    record = save_tiny_adapter()
    path = export_zip(record, tmp_path)
    remove(record)
    return path


def rezip(path, *, drop=(), **added):
    """Rewrites the archive without the files in `drop` and with those in `added`, whose names are literal paths."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist() if name.split("/")[-1] not in drop}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**entries, **added}.items():
            archive.writestr(name, data)


def assert_refused(path, message):
    with pytest.raises(AdapterError, match=message) as caught:
        import_zip(path)
    assert "\n" not in str(caught.value)
    assert list_adapters() == []
    assert list_broken() == []
    assert [p for p in settings.own_adapters().rglob("*") if p.is_file()] == []


def test_export_and_import_give_the_same_adapter(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter("ner", "people", description="Names")
    path = export_zip(record, tmp_path / "mine.zip")
    remove(record)
    assert import_zip(path) == record
    verify(record)


def test_what_is_imported_is_unchecked_until_it_was_loaded(exported, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
    record = import_zip(exported)
    assert is_unchecked(record)
    assert is_unchecked(put_back(take_away(record)))
    renamed = rename(record, "second")
    assert is_unchecked(renamed)
    with zipfile.ZipFile(export_zip(renamed, exported.parent)) as archive:
        assert not any("unchecked" in name for name in archive.namelist())
    mark_checked(renamed)
    assert not is_unchecked(renamed)
    assert not is_unchecked(duplicate(renamed, "third"))


def test_into_a_folder_the_name_says_task_and_adapter_and_the_bytes_repeat(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter()
    path = export_zip(record, tmp_path)
    first = path.read_bytes()
    assert path.name == "sentiment-tiny.zip"
    assert export_zip(record, tmp_path).read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"tiny/{n}" for n in (CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE, CARD_FILE)]


def test_a_flat_archive_and_macos_extras_are_accepted(exported):
    with zipfile.ZipFile(exported) as archive:
        flat = {name.removeprefix("tiny/"): archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(exported, "w") as archive:
        for name, data in flat.items():
            archive.writestr(name, data)
        archive.writestr("__MACOSX/._playground.json.txt", b"x")
    assert import_zip(exported).name == "tiny"


def test_an_adapter_of_another_backbone_is_refused_by_name(exported):
    with pytest.raises(AdapterError, match="made for the backbone 'tiny', not for 'other'"):
        import_zip(exported, "other")
    assert list_adapters() == []
    assert import_zip(exported, "tiny").name == "tiny"


def test_an_existing_name_is_refused_and_another_one_can_be_given(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter()
    path = export_zip(record, tmp_path)
    with pytest.raises(AdapterError, match="already an adapter 'sentiment/tiny'"):
        import_zip(path)
    renamed = import_zip(path, name="tiny-2")
    assert (renamed.name, renamed.files) == ("tiny-2", record.files)
    verify(renamed)


@pytest.mark.parametrize("name", ["../evil.txt", "tiny/../../evil.txt", "/etc/evil", "..\\evil.txt", "C:/evil.txt"])
def test_a_path_out_of_the_folder_is_refused_by_name(exported, name):
    rezip(exported, **{name: b"x"})
    assert_refused(exported, "leads out of its folder")


def test_a_zip_with_backslashes_is_refused_for_what_it_is(exported):
    rezip(exported, drop=[CARD_FILE], **{f"tiny\\{CARD_FILE}": b"x"})
    assert_refused(exported, "separates folders by backslashes")


def test_a_symbolic_link_is_refused_by_name(exported):
    link = zipfile.ZipInfo("tiny/README.link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(exported, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert_refused(exported, "'tiny/README.link' is a link")


@pytest.mark.parametrize("name", ["tiny/adapter_model.bin", "tiny/x.PKL", "other/optimizer.pt"])
def test_a_pickle_is_refused_by_name(exported, name):
    rezip(exported, **{name: b"\x80\x04."})
    assert_refused(exported, f"'{name}' may be in pickle format")


def test_pickled_weights_instead_of_safetensors_are_refused_by_name(exported):
    rezip(exported, drop=[WEIGHTS_FILE], **{"tiny/adapter_model.bin": b"\x80\x04."})
    assert_refused(exported, "'tiny/adapter_model.bin' may be in pickle format")


@pytest.mark.parametrize("file_name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_refused_by_name(exported, file_name):
    rezip(exported, drop=[file_name])
    assert_refused(exported, f"lacks {file_name}")


def test_an_archive_of_something_else_is_refused(exported):
    rezip(exported, drop=[RECORD_FILE])
    assert_refused(exported, f"no {RECORD_FILE}, so it is no adapter")


def test_two_adapters_in_one_archive_are_refused(exported):
    rezip(exported, **{f"other/{RECORD_FILE}": b"{}"})
    assert_refused(exported, "several adapters")


def test_the_same_file_twice_is_refused(exported):
    with zipfile.ZipFile(exported, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"tiny/{CONFIG_FILE}", b"{}")
    assert_refused(exported, f"{CONFIG_FILE} twice")


def test_changed_weights_are_refused_by_name(exported):
    with zipfile.ZipFile(exported) as archive:
        weights = bytearray(archive.read(f"tiny/{WEIGHTS_FILE}"))
    weights[-1] ^= 1
    rezip(exported, **{f"tiny/{WEIGHTS_FILE}": bytes(weights)})
    assert_refused(exported, f"'sentiment/tiny': {WEIGHTS_FILE} was changed")


@pytest.mark.parametrize("change", [{"labels": 3}, {"name": "../../x"}, {"task": "a/b"}, {"prompt": "{a.__init__}"}])
def test_a_foreign_record_with_wrong_types_is_refused(exported, change):
    with zipfile.ZipFile(exported) as archive:
        payload = json.loads(archive.read(f"tiny/{RECORD_FILE}"))
    rezip(exported, **{f"tiny/{RECORD_FILE}": json.dumps(payload | change).encode()})
    assert_refused(exported, "label|name|task|prompt")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(exported, monkeypatch):
    monkeypatch.setattr(shutil, "copyfileobj", lambda *_: pytest.fail("something was unpacked"))
    rezip(exported, **{f"tiny/{CARD_FILE}": b"\0" * (2 * 1024 * 1024)})
    assert exported.stat().st_size < 100_000
    assert_refused(exported, f"{CARD_FILE} would have 2,097,152 bytes; at most 1,048,576")


def test_an_archive_of_very_many_files_is_refused(exported):
    rezip(exported, **{f"tiny/{i}.txt": b"" for i in range(100)})
    assert_refused(exported, "holds 104 files")


def test_an_encrypted_archive_is_refused(exported):
    data = bytearray(exported.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 8] |= 1
    exported.write_bytes(data)
    assert_refused(exported, "is encrypted")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert_refused(path, "'a.zip' is no zip file")


def test_a_cut_or_damaged_archive_is_refused(exported):
    data = exported.read_bytes()
    exported.write_bytes(data[: len(data) // 2])
    assert_refused(exported, "is no zip file or is damaged")
    damaged = bytearray(data)
    damaged[2000:2100] = b"\xff" * 100
    exported.write_bytes(damaged)
    assert_refused(exported, "is no zip file or is damaged")


def test_a_missing_archive_is_refused(tmp_path):
    assert_refused(tmp_path / "gone.zip", "'gone.zip' can't be read")


def test_a_disk_that_fills_up_while_importing_leaves_nothing_behind(exported, monkeypatch):
    copy = shutil.copyfileobj

    def fill_up(source, target, *rest):
        copy(source, target, *rest)
        if target.name.endswith(WEIGHTS_FILE):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.shutil, "copyfileobj", fill_up)
    assert_refused(exported, "can't be saved.*No space left on device")


def test_a_disk_that_fills_up_while_exporting_keeps_the_old_file_only(save_tiny_adapter, tmp_path, monkeypatch):
    record = save_tiny_adapter()
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.zip").write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.shutil, "copyfileobj", full)
    with pytest.raises(AdapterError, match=r"can't be exported.*No space left"):
        export_zip(record, folder / "a.zip")
    assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [("a.zip", b"old")]


def test_only_zip_files_are_written_and_only_sound_adapters(save_tiny_adapter, tmp_path):
    record = save_tiny_adapter()
    with pytest.raises(AdapterError, match=r"not as 'thesis\.doc'"):
        export_zip(record, tmp_path / "thesis.doc")
    (record.path / WEIGHTS_FILE).write_bytes(b"junk")
    with pytest.raises(AdapterError, match="was changed"):
        export_zip(record, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
