"""Pushing and fetching over HTTP, to a small Hub on this machine."""

import errno
import json

import pytest
from huggingface_hub import HfApi

from playground.adapters import hub, store
from playground.adapters.hub import check_id, connect, downloaded, import_from_hub, is_hub_id, parse_source, push
from playground.adapters.record import CARD_FILE, CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE
from playground.errors import AdapterError, InputError
from tests.fake_hub import COMMIT, TOKEN, Repository, fake_hub

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")
REPOSITORY = "somebody/lamps"


@pytest.fixture
def served():
    with fake_hub() as found:
        yield found


@pytest.fixture
def pushed(served, save_tiny_adapter):
    """The adapter in `REPOSITORY`, which is not installed any more."""
    record = save_tiny_adapter("ner", "people", description="Names")
    push(record, REPOSITORY, served.api())
    store.remove(record)
    return record


def refused(served, message, backbone="tiny"):
    with pytest.raises(AdapterError, match=message) as caught:
        import_from_hub(REPOSITORY, served.api(), backbone)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert store.list_adapters() == store.list_broken() == []


def test_a_push_makes_a_private_repository_with_the_adapter_and_its_card(served, save_tiny_adapter):
    record = save_tiny_adapter()
    (record.path / "notes.txt").write_text("stays here")
    assert push(record, f" {REPOSITORY} ", served.api()) == COMMIT
    repository = served.repositories[REPOSITORY]
    assert repository.private
    assert set(repository.files) == {CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE, CARD_FILE}
    assert repository.files[WEIGHTS_FILE] == (record.path / WEIGHTS_FILE).read_bytes()
    assert repository.files[CARD_FILE].startswith(b"---\n")


def test_a_public_repository_is_pushed_to_only_when_that_was_said(served, save_tiny_adapter):
    record = save_tiny_adapter()
    served.repositories[REPOSITORY] = Repository(private=False)
    with pytest.raises(AdapterError, match="is a public repository"):
        push(record, REPOSITORY, served.api())
    assert served.repositories[REPOSITORY].files == {}
    push(record, REPOSITORY, served.api(), public=True)
    push(record, "somebody/new", served.api(), public=True)
    assert not served.repositories["somebody/new"].private


@pytest.mark.parametrize("name", ["model.safetensors", "adapter_model.bin"])
def test_a_repository_of_something_else_is_left_as_it_is(served, save_tiny_adapter, name):
    files = {".gitattributes": b"", CARD_FILE: b"# Mine", name: b"weights"}
    if name.endswith(".bin"):
        files[RECORD_FILE] = b"{}"
    served.repositories[REPOSITORY] = Repository(private=True, files=dict(files))
    with pytest.raises(AdapterError, match=f"holds something else already .{name}"):
        push(save_tiny_adapter(), REPOSITORY, served.api())
    assert served.repositories[REPOSITORY].files == files


def test_a_private_repository_is_not_taken_for_a_public_one(served, save_tiny_adapter):
    record = save_tiny_adapter()
    push(record, REPOSITORY, served.api())
    with pytest.raises(AdapterError, match="is a private repository and stays one"):
        push(record, REPOSITORY, served.api(), public=True)


def test_the_folders_of_this_machine_stay_here(served, save_tiny_adapter):
    command = "python -m playground train ner --data '/home/me/my rows.csv' --validation dev/rows.csv --name people"
    record = save_tiny_adapter("ner", "people", training={"command": command})
    (record.path / CARD_FILE).unlink()  # PEFT's own
    push(record, REPOSITORY, served.api())
    files = served.repositories[REPOSITORY].files
    assert b"/home" not in files[RECORD_FILE] + files[CARD_FILE]
    shared = json.loads(files[RECORD_FILE])["training"]["command"]
    assert shared == command.replace("/home/me/", "")
    assert shared.encode() in files[CARD_FILE]


def test_what_was_pushed_is_imported_as_the_same_adapter(served, pushed):
    found = import_from_hub(REPOSITORY, served.api(), "tiny")
    assert (found.name, found.files, found.origin) == ("people", pushed.files, "own")
    store.verify(found)
    assert import_from_hub(REPOSITORY, served.api(), "tiny", name="others").name == "others"
    with pytest.raises(AdapterError, match="already an adapter 'ner/people'"):
        import_from_hub(REPOSITORY, served.api(), "tiny")


def test_an_earlier_version_is_imported_by_its_revision(served, pushed, save_tiny_adapter):
    repository = served.repositories[REPOSITORY]
    repository.revisions["v1.0"] = dict(repository.files)
    newer = save_tiny_adapter("ner", "people", seed=7)
    push(newer, REPOSITORY, served.api())
    store.remove(newer)
    newest = import_from_hub(f"{REPOSITORY}@{COMMIT}", served.api(), "tiny", name="newest")
    first = import_from_hub(f" {REPOSITORY}@v1.0 ", served.api(), "tiny", name="first")
    assert newest.files == newer.files
    assert first.files == pushed.files != newer.files
    with pytest.raises(AdapterError, match=f"'{REPOSITORY}' has no tag, branch or commit 'v2.0'"):
        import_from_hub(f"{REPOSITORY}@v2.0", served.api(), "tiny")


def test_a_branch_may_have_slashes_in_its_name():
    assert parse_source("a/b@refs/pr/1") == ("a/b", "refs/pr/1")
    assert parse_source(" a/b ") == ("a/b", None)


@pytest.mark.parametrize("revision", ["", " ", "../main", "-x", "a b", "/x", "v1@v2", "x?y", "x" * 300])
def test_what_can_be_no_revision_is_refused_before_anything_is_asked(served, revision):
    with pytest.raises(InputError, match="can't be a tag, branch or commit of 'a/b'"):
        import_from_hub(f"a/b@{revision}", served.api(), "tiny")
    with pytest.raises(InputError, match="is no id of the Hub"):
        import_from_hub("@v1.0", served.api(), "tiny")
    assert served.asked == []


def test_nothing_but_the_known_files_is_fetched(served, pushed):
    served.repositories[REPOSITORY].files["run_me.py"] = b"print()"
    with downloaded(REPOSITORY, served.api()) as found:
        assert {path.name for path in found.path.iterdir()} == {CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE, CARD_FILE}
    assert not any("run_me" in path for path in served.asked)
    assert not found.path.exists()


def test_an_adapter_of_another_backbone_is_refused_by_name(served, pushed):
    refused(served, "made for the backbone 'tiny', not for 'gemma-3-270m-q4_k_m'", backbone="gemma-3-270m-q4_k_m")


@pytest.mark.parametrize("name", ["adapter_model.bin", "old/optimizer.PT"])
def test_a_pickle_in_the_repository_is_refused_by_name(served, pushed, name):
    served.repositories[REPOSITORY].files[name] = b"\x80\x04."
    refused(served, f"holds '{name}', which may be in pickle format")


@pytest.mark.parametrize("name", [RECORD_FILE, CONFIG_FILE, WEIGHTS_FILE])
def test_a_repository_that_lacks_a_file_is_refused_by_name(served, pushed, name):
    del served.repositories[REPOSITORY].files[name]
    refused(served, f"has no {name}")


def test_a_file_that_is_too_large_is_refused_before_it_is_fetched(served, pushed, monkeypatch):
    monkeypatch.setitem(hub.LIMITS_BYTES, WEIGHTS_FILE, 100)
    served.asked.clear()
    refused(served, f"{WEIGHTS_FILE} has .* bytes; at most 100 are allowed")
    assert not any("resolve" in path for path in served.asked)


def test_weights_that_are_not_those_of_the_record_are_refused(served, pushed):
    weights = served.repositories[REPOSITORY].files[WEIGHTS_FILE]
    served.repositories[REPOSITORY].files[WEIGHTS_FILE] = weights[:-1] + bytes([weights[-1] ^ 1])
    refused(served, f"{WEIGHTS_FILE} was changed or damaged")


def test_a_record_that_leads_elsewhere_is_refused(served, pushed):
    files = served.repositories[REPOSITORY].files
    files[RECORD_FILE] = json.dumps(json.loads(files[RECORD_FILE]) | {"task": "../.."}).encode()
    refused(served, "can't be the name of an adapter's task")


def test_private_and_missing_repositories_look_the_same_to_strangers(served, pushed):
    for repo_id in (REPOSITORY, "somebody/nothing"):
        with pytest.raises(AdapterError, match=f"no repository '{repo_id}' on the Hub, or it is private"):
            import_from_hub(repo_id, served.api(token=None), "tiny")


def test_without_a_token_or_with_a_wrong_one_nothing_is_pushed(served, save_tiny_adapter):
    record = save_tiny_adapter()
    with pytest.raises(AdapterError, match="Nobody is logged in"):
        push(record, REPOSITORY, served.api(token=None))
    with pytest.raises(AdapterError, match=r"401 .* the token is not valid") as caught:
        push(record, REPOSITORY, served.api(token="hf_secret"))
    assert "hf_secret" not in str(caught.value)
    assert served.repositories == {}


def test_a_hub_that_is_not_there_is_one_sentence(served):
    api = served.api()
    api.endpoint = "http://127.0.0.1:9"
    with pytest.raises(AdapterError, match="can't be reached"):
        import_from_hub(REPOSITORY, api, "tiny")


def test_a_full_disk_is_not_taken_for_a_hub_that_is_not_there(served, pushed, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HfApi, "hf_hub_download", full)
    refused(served, "disk is full")


@pytest.mark.parametrize("text", ["lamps", "a/b/c", "../etc", "a/../b", "http://x/y", "a/b?c", "a--b/c", "-a/b", ""])
def test_what_is_no_id_is_refused_before_anything_is_asked(served, text):
    assert not is_hub_id(text)
    with pytest.raises(InputError, match="is no id of the Hub"):
        check_id(text)
    with pytest.raises(InputError):
        import_from_hub(text, served.api(), "tiny")
    assert served.asked == []


def test_the_token_is_the_environments_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_from_environment")
    assert connect().token == "hf_from_environment"
    assert connect("hf_of_the_visitor").token == "hf_of_the_visitor"
