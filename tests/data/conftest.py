import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.data.reading import read_table
from playground.data.table import Table


@pytest.fixture
def read_as(tmp_path: Path) -> Callable[..., Table]:
    """Reads content under a file name, as the page and the command line do."""

    def read(name: str, content: bytes | str) -> Table:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path)

    return read


@pytest.fixture
def zipped() -> Callable[[dict[str, bytes | str]], bytes]:
    def pack(files: dict[str, bytes | str]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return pack
