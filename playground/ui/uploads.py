"""What people send: refused where it is too large or there is no room for it, and gone after a day."""

import re
import threading
import time
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import settings
from playground.errors import QuotaError
from playground.training.quota import check_uploads

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
    """Refuses requests with more in them than a page sends, one file or one message, and uploads without room."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"].endswith(UPLOAD_PATH)
        came_bytes = looked_at_bytes = 0

        async def counted() -> Message:
            nonlocal came_bytes, looked_at_bytes
            message = await receive()
            came_bytes += len(message.get("body", b""))
            _must_be_small(came_bytes, is_upload=is_upload)
            if is_upload and came_bytes - looked_at_bytes >= LOOK_EVERY_BYTES:  # others may be uploading as well
                looked_at_bytes = came_bytes
                await run_in_threadpool(must_have_room)
            return message

        try:
            announced_bytes = _announced_bytes(scope)
            _must_be_small(announced_bytes, is_upload=is_upload)
            if is_upload:
                await run_in_threadpool(must_have_room, announced_bytes)
            await self.app(scope, counted, send)
        except QuotaError as err:
            await PlainTextResponse(str(err), status_code=413)(scope, receive, send)


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
