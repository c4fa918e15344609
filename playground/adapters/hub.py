"""Adapters on the Hugging Face Hub: which files go there, and which come from there.

The token is the environment's (``HF_TOKEN``), that of ``hf auth login``, or a visitor's own; it is never kept here.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, ModelInfo, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: of whichever HTTP library it uses
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from playground.adapters import store
from playground.adapters.card import card
from playground.adapters.record import (
    CARD_FILE,
    CONFIG_FILE,
    RECORD_FILE,
    REPORT_FILE,
    WEIGHTS_FILE,
    AdapterRecord,
    read_record,
    shareable,
)
from playground.adapters.transfer import LIMITS_BYTES, install, refuse_other_backbone
from playground.errors import AdapterError, InputError, is_full

TIMEOUT_S = 30
_OF_EVERY_REPOSITORY = frozenset({".gitattributes", CARD_FILE})
_REVISION = re.compile(r"\w[\w./+-]{0,254}")
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def connect(token: str | None = None) -> HfApi:
    """The Hub, as whom `token` says; None takes the token of the environment or of the login on this machine."""
    return HfApi(token=token or get_token() or False, library_name="polyglot-playground")


def connect_as_nobody() -> HfApi:
    """The Hub as everybody sees it, whatever token this machine has."""
    return HfApi(token=False, library_name="polyglot-playground")


def is_hub_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and ".." not in text and "--" not in text


def check_id(repo_id: str, example: str = "your-name/my-adapter") -> str:
    """`repo_id` without blanks around it. Raises InputError when it is no id of the Hub, which looks like `example`."""
    found = repo_id.strip()
    if not is_hub_id(found):
        raise InputError(f"'{found}' is no id of the Hub; it looks like {example}.")
    return found


def parse_source(text: str) -> tuple[str, str | None]:
    """Id and revision, if one is named, of ``owner/name`` or ``owner/name@revision``, a tag, branch or commit.

    Raises:
        InputError: it is no id, or no revision can be called so.
    """
    repo_id, at, revision = text.strip().partition("@")
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise InputError(
            f"'{revision}' can't be a tag, branch or commit of '{repo_id}'; write one behind the @, as in "
            "your-name/my-adapter@v1.0, or leave the @ out."
        )
    return check_id(repo_id), revision or None


def push(record: AdapterRecord, repo_id: str, api: HfApi, *, public: bool = False) -> str:
    """Puts the adapter's files and its card into the repository `repo_id`, which is made when there is none.

    Returns:
        The commit that holds them.

    Raises:
        InputError: it is no id.
        AdapterError: nobody is logged in, the Hub refuses, or the repository is public and that was not asked for, is
            private and that was not, or holds something else.
    """
    repo_id = check_id(repo_id)
    store.verify(record)
    if not api.token:
        raise AdapterError("Nobody is logged in to the Hub; set HF_TOKEN to a token that may write, or: hf auth login")
    card_text = _card_of(record)
    # The rows behind a report stay on this machine.
    paths = [record.path / name for name in record.files if name != CARD_FILE]
    operations = [CommitOperationAdd(path.name, path) for path in paths]
    operations += [CommitOperationAdd(RECORD_FILE, shareable(record)), CommitOperationAdd(CARD_FILE, card_text)]
    with explained(repo_id):
        api.create_repo(repo_id, private=not public, exist_ok=True)
        _must_be_for_it(api.model_info(repo_id, timeout=TIMEOUT_S), repo_id, public=public)
        message = f"Adapter {record.task}/{record.name}"
        return api.create_commit(repo_id, operations, commit_message=message).oid


def _must_be_for_it(info: ModelInfo, repo_id: str, *, public: bool) -> None:
    """Raises AdapterError unless the repository is as public as was said, and empty or an adapter's already."""
    if not public and not info.private:
        raise AdapterError(f"'{repo_id}' is a public repository; say that the adapter may be public, or name another.")
    if public and info.private:
        raise AdapterError(
            f"'{repo_id}' is a private repository and stays one; push without saying public, or make it public first."
        )
    names = {file.rfilename for file in info.siblings or []}
    others = sorted(names - _OF_EVERY_REPOSITORY)
    pickles = [name for name in others if Path(name).suffix.lower() in store.PICKLE_SUFFIXES]
    if pickles or (others and RECORD_FILE not in names):
        raise AdapterError(
            f"'{repo_id}' holds something else already ({(pickles or others)[0]}); name another repository, one that "
            "is empty or does not exist yet."
        )


def _card_of(record: AdapterRecord) -> bytes:
    path = record.path / CARD_FILE
    return path.read_bytes() if path.is_file() else card(record).encode()


@contextmanager
def downloaded(repo_id: str, api: HfApi, revision: str | None = None) -> Iterator[AdapterRecord]:
    """The verified adapter in the repository `repo_id`, in a folder that goes when the block ends.

    Args:
        revision: tag, branch or commit; None: the newest.

    Raises:
        InputError: it is no id.
        AdapterError: there is no such repository or revision, or it holds no adapter of this program, a pickle, or too
            much.
    """
    repo_id = check_id(repo_id)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "adapter"
        folder.mkdir()
        with explained(repo_id):
            info = _at(revision, repo_id, api)
            for name in chosen_files(info, repo_id):
                cached = api.hf_hub_download(repo_id, name, revision=info.sha, cache_dir=Path(place) / "cache")
                shutil.copyfile(cached, folder / name)
        record = read_record(folder, "own")
        if REPORT_FILE not in record.files:
            (folder / REPORT_FILE).unlink(missing_ok=True)  # nobody vouches for it
        store.verify(record)
        yield record


def _at(revision: str | None, repo_id: str, api: HfApi) -> ModelInfo:
    try:
        return api.model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
    except RevisionNotFoundError as err:
        raise AdapterError(
            f"'{repo_id}' has no tag, branch or commit '{revision}'; look it up in its list of versions on the Hub."
        ) from err


def chosen_files(info: ModelInfo, repo_id: str) -> list[str]:
    """Names of the files to download, every one known and small enough.

    Raises:
        AdapterError: a file is missing, too large, or a pickle.
    """
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    for name in sizes:
        if Path(name).suffix.lower() in store.PICKLE_SUFFIXES:
            raise AdapterError(
                f"'{repo_id}' holds '{name}', which may be in pickle format and can run programs when opened; "
                "only adapters in safetensors format can be imported."
            )
    missing = [name for name in (RECORD_FILE, CONFIG_FILE, WEIGHTS_FILE) if name not in sizes]
    if missing:
        raise AdapterError(f"'{repo_id}' has no {', '.join(missing)}, so it is no adapter of this program.")
    chosen = [name for name in LIMITS_BYTES if name in sizes]
    for name in chosen:
        size_bytes = sizes[name]
        if size_bytes is None or size_bytes > LIMITS_BYTES[name]:
            raise AdapterError(
                f"'{repo_id}': {name} has {size_bytes or 'an unknown number of'} bytes; "
                f"at most {LIMITS_BYTES[name]:,} are allowed."
            )
    return chosen


def import_from_hub(source: str, api: HfApi, backbone_id: str, *, name: str | None = None) -> AdapterRecord:
    """Adds an adapter of the Hub to the person's own ones, under `name` if one is given.

    Args:
        source: as `parse_source` takes it.
        backbone_id: of the backbone that the app runs; adapters of others are refused.

    Raises:
        InputError: it is no id, or no revision can be called so.
        AdapterError: see `downloaded`; also when the adapter is for another backbone or its name is taken.
    """
    repo_id, revision = parse_source(source)
    with downloaded(repo_id, api, revision) as found:
        refuse_other_backbone(found, backbone_id)
        return install(found, name, lambda folder: shutil.copytree(found.path, folder, dirs_exist_ok=True))


@contextmanager
def explained(repo_id: str) -> Iterator[None]:
    """Turns what the Hub says into an AdapterError of one sentence, without addresses and tokens."""
    try:
        yield
    except GatedRepoError as err:
        raise AdapterError(f"'{repo_id}' is gated; accept its conditions on the Hub and log in.") from err
    except RepositoryNotFoundError as err:
        raise AdapterError(f"There is no repository '{repo_id}' on the Hub, or it is private to others.") from err
    except LocalTokenNotFoundError as err:
        raise AdapterError("Nobody is logged in to the Hub; set HF_TOKEN, or: hf auth login") from err
    except HfHubHTTPError as err:
        status = err.response.status_code if err.response is not None else "no status"
        detail = {401: "the token is not valid", 403: "the token may not do this"}.get(status, "try again later")
        raise AdapterError(f"The Hub answered {status} for '{repo_id}': {detail}.") from err
    except (OfflineModeIsEnabled, HTTPError, HFValidationError, OSError) as err:
        if is_full(err):
            raise AdapterError(f"The disk is full, so '{repo_id}' can't be copied; free some space on it.") from err
        raise AdapterError(
            f"The Hub can't be reached for '{repo_id}' ({type(err).__name__}); try again later."
        ) from err
