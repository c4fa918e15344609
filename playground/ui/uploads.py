"""What people send: refused where it is too large or there is no room for it, and gone after a day."""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import access, settings
from playground.access import Person
from playground.errors import QuotaError
from playground.training.quota import check_uploads
from playground.ui import allowance
from playground.ui.allowance import Share
from playground.ui.visitors import address_in

UPLOAD_PATH = "/upload"
MAX_MESSAGE_BYTES = 64 * settings.MEGABYTE
"""Of a request that is no upload, all of which is held in memory; a long text with its escapes takes a fifth of it."""
FORM_BYTES = 64 * 1024
"""What a form adds to the file in it."""
LOOK_EVERY_BYTES = 16 * settings.MEGABYTE
"""So much of an upload comes in between two looks at the room there is."""
SWEEP_EVERY_S = 3600
KEEP_FILES_S = 24 * 3600
KEEP_UNFINISHED_S = 15 * 60
"""An upload to which nothing was added for so long was broken off."""

_CONTENT = re.compile(r"[0-9a-f]{64}")
"""Gradio's folders, each called after the content of the file in it."""
_UNFINISHED = "tmp*"


class BodyLimit:
    """Refuses requests with more in them than a page sends, one file or one message, and uploads without room.

    Args:
        who: says who sends a request.
    """

    def __init__(self, app: ASGIApp, who: Callable[[Scope], Person]) -> None:
        self.app = app
        self.who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = _Upload(self.who(scope), scope) if _is_upload(scope) else None
        came_bytes = 0

        async def counted() -> Message:
            nonlocal came_bytes
            message = await receive()
            came_bytes += len(message.get("body", b""))
            _must_be_small(came_bytes, is_upload=upload is not None)
            if upload:
                await upload.came(came_bytes)
            return message

        try:
            _must_be_small(_announced_bytes(scope), is_upload=upload is not None)
            if upload:
                await run_in_threadpool(upload.begin)
            await self.app(scope, counted, send)
        except QuotaError as err:
            await PlainTextResponse(str(err), status_code=413)(scope, receive, send)
        finally:
            if upload:
                upload.end(came_bytes)


def _is_upload(scope: Scope) -> bool:
    return bool(scope["method"] == "POST" and scope["path"].endswith(UPLOAD_PATH))


class _Upload:
    """A file that comes in, and the share of its sender in the room there is."""

    def __init__(self, person: Person, scope: Scope) -> None:
        self._person, self._address = person, address_in(scope)
        self._announced_bytes = _announced_bytes(scope)
        self._looked_at_bytes = 0
        self._share: Share | None = None

    def begin(self) -> None:
        """Raises QuotaError when there is no room for what is announced."""
        with access.acting_as(self._person):
            self._share = take_room(self._announced_bytes, self._address)

    async def came(self, came_bytes: int) -> None:
        """Raises QuotaError when there is no more room by now; others may be uploading as well."""
        if came_bytes - self._looked_at_bytes >= LOOK_EVERY_BYTES:
            self._looked_at_bytes = came_bytes
            await run_in_threadpool(self._look)

    def _look(self) -> None:
        with access.acting_as(self._person):
            must_have_room()
            if self._share:
                allowance.grow(self._share, max(self._announced_bytes, self._looked_at_bytes))

    def end(self, came_bytes: int) -> None:
        """What came in counts, even of an upload that was broken off: that lies in the folder, too."""
        if self._share:
            self._share.size_bytes = came_bytes


def _announced_bytes(scope: Scope) -> int:
    """How long the request says it is; 0 where it does not, as behind some proxies."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _must_be_small(size_bytes: int, *, is_upload: bool) -> None:
    if is_upload and size_bytes > settings.MAX_UPLOAD_BYTES + FORM_BYTES:
        raise QuotaError(
            f"{settings.MAX_UPLOAD_BYTES // settings.MEGABYTE:,} MB is the limit of an upload "
            "(PLAYGROUND_MAX_UPLOAD_MB); give fewer rows, or one file at a time."
        )
    if not is_upload and size_bytes > MAX_MESSAGE_BYTES:
        most = MAX_MESSAGE_BYTES // settings.MEGABYTE
        raise QuotaError(f"{most} MB is the limit of a request; give a shorter text, or a file.")


def must_have_room(more_bytes: int = 0) -> None:
    """Raises QuotaError when the files of all people and `more_bytes` take more of the disk than they may."""
    sweep()
    check_uploads(Path(get_upload_folder()), more_bytes)


def take_room(size_bytes: int, address: str = "") -> Share:
    """The share of the present person for a file to come; see `allowance.taken`.

    Raises:
        QuotaError: they, or all people together, would have more than they may.
    """
    must_have_room(size_bytes)
    return allowance.taken(size_bytes, address)


def keep_sweeping() -> None:
    """Calls `sweep` now and then, as long as this process lives."""

    def work() -> None:
        while True:
            sweep()
            time.sleep(SWEEP_EVERY_S)

    threading.Thread(target=work, name="sweeper of uploads", daemon=True).start()


def sweep(now: float | None = None) -> None:
    """Deletes uploads that were broken off, and files after a day, those of an app that was killed among them.

    Gradio deletes only what came in whole since it was started.
    """
    folder, now = Path(get_upload_folder()), now or time.time()
    for path in folder.glob(_UNFINISHED):
        _delete_after(path, KEEP_UNFINISHED_S, now)
    for of_content in folder.glob("?" * 64):
        if not _CONTENT.fullmatch(of_content.name):
            continue
        for path in of_content.glob("*"):
            _delete_after(path, KEEP_FILES_S, now)
        with suppress(OSError):  # there is still something in it
            of_content.rmdir()


def _delete_after(path: Path, seconds: float, now: float) -> None:
    with suppress(FileNotFoundError):  # Gradio may delete or finish it at this moment
        # Moving a file to its place counts as a change, copying it with its times does not.
        changed = max(path.lstat().st_mtime, path.lstat().st_ctime)
        if path.is_file() and now - changed > seconds:
            path.unlink()
