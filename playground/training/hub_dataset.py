"""Datasets of the Hugging Face Hub as rows to learn from: which files of one are wanted, and bringing them here.

The Hub keeps a Parquet copy of public datasets, one folder a config and split; of others, files of their own are taken.
Nothing is fetched but files with rows: no script, and nothing that would be run.
"""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import DatasetInfo, HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from playground import settings
from playground.adapters.hub import TIMEOUT_S, check_id, explained
from playground.data.archives import for_training, has_rows
from playground.data.reading import COMPRESSED, promised_format
from playground.data.unpacking import megabytes
from playground.errors import DataError, InputError

EXAMPLE = "owner/name"
CONVERTED = "refs/convert/parquet"
"""Revision with the Parquet copy, https://huggingface.co/docs/dataset-viewer/parquet."""
PARTIAL = "partial-"
"""What the folder of a split is called there when only the first 5 GB were copied."""
MAX_FILES = 500
NUM_LISTED = 12

_PAGE = re.compile(r"(?:https?:/+)?(?:www\.)?huggingface\.co/datasets/")
_Parts = dict[tuple[str, str], list[str]]
"""Files by config and split."""


@dataclass(frozen=True)
class HubDataset:
    """The part of a dataset that is taken."""

    repo_id: str
    commit: str
    files: Sequence[str]
    size_bytes: int
    part: tuple[str, str] | None
    """Its config and split; None: files of the dataset's own, which have neither."""
    others: Sequence[str] = ()
    """What could be chosen in its place, as ``config/split``."""

    @property
    def name(self) -> str:
        """``owner/name@config/split``: names the same part again."""
        return f"{self.repo_id}@{'/'.join(self.part)}" if self.part else self.repo_id

    @property
    def file_name(self) -> str:
        """For the file with its rows: ``name-config-split`` and a suffix; a usual config is left out."""
        words = [self.repo_id.partition("/")[2], *(word for word in self.part or () if word != "default")]
        suffix = _suffix(self.files[0]) if len(self.files) == 1 else ".zip"
        return re.sub(r"\W+", "-", "-".join(words)).strip("-") + suffix

    def __str__(self) -> str:
        count = "1 file" if len(self.files) == 1 else f"{len(self.files):,} files"
        said = f"{self.name}: {count}, {self.size_bytes / settings.MEGABYTE:,.1f} MB."
        return f"{said} Other parts: {_listed(self.others)}." if self.others else said


def find(text: str, api: HfApi) -> HubDataset:
    """The part of a dataset that `text` names: ``owner/name``, ``owner/name@config/split``, or the address of its page.

    Where none is named, the usual config is taken, else the first one with a split to train on, and of it that split.

    Raises:
        InputError: it is no id, or there is no such config or split.
        DataError: there is no such dataset for this person, it has no file that can be read, or is too large.
        AdapterError: the Hub can't be reached.
    """
    repo_id, config, split = _parse(text)
    with _explained(repo_id):
        try:
            info = api.dataset_info(repo_id, revision=CONVERTED, files_metadata=True, timeout=TIMEOUT_S)
            parts = _parts(info)
        except RevisionNotFoundError:
            parts = {}
        if not parts:
            info = api.dataset_info(repo_id, files_metadata=True, timeout=TIMEOUT_S)
    if parts:
        part = _chosen(parts, repo_id, config, split)
        others = ["/".join(other) for other in parts if other != part]
        return _measured(info, repo_id, parts[part], part, others)
    if config or split:
        raise InputError(f"'{repo_id}' has no configs and splits to choose from; leave out what follows the @.")
    return _measured(info, repo_id, _own_files(info, repo_id), None, ())


def fetch(found: HubDataset, folder: Path, api: HfApi) -> Path:
    """The rows of the dataset as one file in `folder`: a file of the Hub as it is, or several packed as ZIP.

    Raises:
        DataError: the dataset is gated, or more comes than was announced and than an upload may have.
        AdapterError: the Hub can't be reached.
    """
    target = folder / found.file_name
    with tempfile.TemporaryDirectory(dir=folder) as place:
        made = Path(place) / target.name
        if len(found.files) == 1:
            shutil.move(next(_downloaded(found, Path(place), api)), made)
        else:
            # Parquet is compressed already.
            with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
                for name, path in zip(found.files, _downloaded(found, Path(place), api), strict=True):
                    # In the Parquet copy all are called train or test alike: the folders say nothing about the rows.
                    archive.write(path, PurePosixPath(name).name if found.part else name)
                    path.unlink()
        made.replace(target)
    return target


def kept(found: HubDataset, api: HfApi) -> Path:
    """The same, from the folder of fetched datasets where it is there already: a training that was cut needs it again.

    Raises: as `fetch` does.
    """
    folder = settings.datasets() / found.repo_id.replace("/", "--") / found.commit[:12]
    if (folder / found.file_name).is_file():
        return folder / found.file_name
    folder.mkdir(parents=True, exist_ok=True)
    return fetch(found, folder, api)


def _parse(text: str) -> tuple[str, str, str]:
    """Id, config and split; the latter are empty where they are not named."""
    plain = re.sub(r"[?#].*", "", text.strip())
    plain = _PAGE.sub("", plain).strip("/").replace("/viewer/", "@", 1)
    repo_id, _, part = plain.partition("@")
    config, _, split = part.partition("/")
    return check_id(repo_id, EXAMPLE), config, split


@contextmanager
def _explained(repo_id: str) -> Iterator[None]:
    """As `explained`, but in words about datasets."""
    elsewise = "log in on this machine (hf auth login), or download its files there and upload them"
    with explained(repo_id):
        try:
            yield
        except GatedRepoError as err:
            raise DataError(
                f"The dataset '{repo_id}' is gated; accept its conditions on the Hub and {elsewise}."
            ) from err
        except RepositoryNotFoundError as err:
            raise DataError(
                f"There is no dataset '{repo_id}' on the Hub, or it is private; correct its id, {elsewise}."
            ) from err


def _sizes(info: DatasetInfo) -> dict[str, int | None]:
    return {file.rfilename: file.size for file in info.siblings or []}


def _parts(info: DatasetInfo) -> _Parts:
    """The files of the Parquet copy, ``config/split/0000.parquet``."""
    parts: _Parts = {}
    for name in sorted(_sizes(info)):
        folders = name.split("/")
        if len(folders) == 3 and name.endswith(".parquet"):
            parts.setdefault((folders[0], folders[1].removeprefix(PARTIAL)), []).append(name)
    return parts


def _chosen(parts: _Parts, repo_id: str, config: str, split: str) -> tuple[str, str]:
    configs = list(dict.fromkeys(config for config, _ in parts))
    if not config:
        usual = ("default", *(config for config, split in parts if split == "train"), *configs)
        config = next(one for one in usual if one in configs)
    elif config not in configs:
        raise InputError(f"The dataset '{repo_id}' has no config '{config}'; it has {_listed(configs)}.")
    splits = [split for of, split in parts if of == config]
    if not split:
        split = "train" if "train" in splits else (for_training(splits) or splits)[0]
    elif split not in splits:
        raise InputError(f"'{repo_id}' has no split '{split}' in the config '{config}'; it has {_listed(splits)}.")
    return config, split


def _own_files(info: DatasetInfo, repo_id: str) -> list[str]:
    """Files that can be read, all of the format that has the most data, and only those for training where some are."""
    sizes = _sizes(info)
    by_format: dict[str, list[str]] = {}
    for name in sorted(sizes):
        readable = promised_format(Path(name)) if has_rows(name) else None
        if readable:
            by_format.setdefault(readable, []).append(name)
    if not by_format:
        raise DataError(
            f"The dataset '{repo_id}' has no file with rows that can be read here, but {_listed(sorted(sizes))}; save "
            "its rows as CSV, JSONL or Parquet and upload that."
        )
    # An archive may hold anything; one of them is all that can be read.
    best = max(by_format, key=lambda kind: (kind != "zip", sum(sizes[name] or 0 for name in by_format[kind])))
    names = for_training(by_format[best])
    return names if best != "zip" else names[:1]


def _measured(
    info: DatasetInfo, repo_id: str, files: Sequence[str], part: tuple[str, str] | None, others: Sequence[str]
) -> HubDataset:
    """The dataset, unless it is too large."""
    sizes = [_sizes(info)[name] for name in files]
    found = HubDataset(repo_id, info.sha or "", files, sum(size or 0 for size in sizes), part, others)
    if len(files) > MAX_FILES or None in sizes:
        what = f"{len(files):,} files; at most {MAX_FILES:,} are" if None not in sizes else "files of unknown size, not"
        raise DataError(f"The dataset {found.name} has {what} fetched. Download a part of it and upload that.")
    _check_size(found, found.size_bytes)
    return found


def _check_size(found: HubDataset, size_bytes: int) -> None:
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        smaller = f"Choose a smaller part ({_listed(found.others)}), or download" if found.others else "Download"
        raise DataError(
            f"The dataset {found.name} has {megabytes(size_bytes)}; the limit is "
            f"{megabytes(settings.MAX_UPLOAD_BYTES)} (PLAYGROUND_MAX_UPLOAD_MB). {smaller} some of it and upload that."
        )


def _downloaded(found: HubDataset, place: Path, api: HfApi) -> Iterator[Path]:
    """Each file of the dataset, in a folder below `place`; whoever takes one may delete it."""
    size_bytes = 0
    for name in found.files:
        with _explained(found.repo_id):
            cached = api.hf_hub_download(
                found.repo_id, name, repo_type="dataset", revision=found.commit, cache_dir=place / "cache"
            )
        path = Path(cached).resolve()
        size_bytes += path.stat().st_size
        _check_size(found, size_bytes)
        yield path


def _suffix(name: str) -> str:
    """``.jsonl.gz`` of ``data/train.jsonl.gz``."""
    suffixes = PurePosixPath(name).suffixes
    return "".join(suffixes[-2:] if suffixes[-1].lower() in COMPRESSED else suffixes[-1:])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NUM_LISTED:,} more" if len(names) > NUM_LISTED else ""
    return (", ".join(names[:NUM_LISTED]) or "nothing") + more
