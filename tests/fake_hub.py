"""A small Hub on this machine: the few calls that pushing and fetching an adapter or a dataset make, over real HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from huggingface_hub import HfApi

TOKEN = "hf_made_up_for_tests"
COMMIT = "c" * 40
CONVERTED_COMMIT = "d" * 40
"""Of the Parquet copy of a dataset."""


@dataclass
class Repository:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files of other tags, branches and commits than the newest."""
    commits: list[list[str]] = field(default_factory=list)
    """Paths that each commit added or deleted, since the history was squashed."""

    def at(self, revision: str) -> dict[str, bytes] | None:
        """Its files, where there is such a revision."""
        return self.files if revision == COMMIT else self.revisions.get(revision)

    def take(self, line: dict[str, Any]) -> None:
        """Does what one line of a commit says."""
        kind, value = line["key"], line["value"]
        if kind == "header":
            self.commits.append([])
            return
        self.commits[-1].append(value["path"])
        if kind == "file":
            self.files[value["path"]] = base64.b64decode(value["content"])
        else:
            assert kind == "deletedFile", kind
            del self.files[value["path"]]


@dataclass
class Dataset:
    files: dict[str, bytes] = field(default_factory=dict)
    converted: dict[str, bytes] | None = None
    """Files of its Parquet copy, if it has one."""
    private: bool = False
    is_gated: bool = False

    def at(self, revision: str) -> dict[str, bytes] | None:
        """Its files, where there is such a revision."""
        return self.converted if revision in ("refs/convert/parquet", CONVERTED_COMMIT) else self.files


@dataclass
class FakeHub:
    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths of all requests."""
    is_down: bool = False
    """Whether it answers nothing but that it has no time."""

    def api(self, token: str | None = TOKEN) -> HfApi:
        return HfApi(endpoint=self.endpoint, token=token or False)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def oid(data: bytes | None) -> str | None:
    """What git calls a file with that content."""
    return None if data is None else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(data), "oid": oid(data)}


def _about(repo_id: str, commit: str, private: bool, files: dict[str, bytes]) -> dict[str, Any]:
    siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
    return {"id": repo_id, "sha": commit, "private": private, "siblings": siblings}


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, payload: Any, status: int = 200, **headers: str) -> None:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _parts(self) -> list[str]:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(path)
        return path.strip("/").split("/")

    def _repository(self, repo_id: str) -> Repository | None:
        found = self.hub.repositories.get(repo_id)
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or (found.private and not is_known):
            self._answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        return found

    def do_GET(self) -> None:
        parts = self._parts()
        if self.hub.is_down:
            self._answer({"error": "No time"}, 503)
            return
        if parts[:2] == ["api", "datasets"]:
            self._answer_about_dataset("/".join(parts[2:4]), "/".join(parts[5:]) or "main")
            return
        if parts[0] == "datasets":
            self._answer_file_of_dataset("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))
            return
        if parts[:2] == ["api", "models"]:
            repo_id = "/".join(parts[2:4])
            if found := self._repository(repo_id):
                if parts[4:5] == ["tree"]:
                    self._answer([_entry(name, data) for name, data in found.files.items()])
                    return
                revision = "/".join(parts[5:]) or COMMIT
                files = found.at(revision)
                if files is None:
                    self._answer({"error": f"Invalid rev id: {revision}"}, 404, X_Error_Code="RevisionNotFound")
                    return
                self._answer(_about(repo_id, revision, found.private, files))
            return
        if found := self._repository("/".join(parts[:2])):
            self._answer_file((found.at(parts[3]) or {})["/".join(parts[4:])], parts[3])

    def _answer_file(self, data: bytes, commit: str) -> None:
        self._answer(data, X_Repo_Commit=commit, ETag=f'"{hashlib.sha256(data).hexdigest()}"')

    def _dataset(self, repo_id: str) -> Dataset | None:
        found = self.hub.datasets.get(repo_id)
        is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or (found.private and not is_known):
            # What the Hub says to people without a token about all that they can't see.
            self._answer({"error": "Invalid username or password."}, 401, X_Error_Code="RepoNotFound")
            return None
        return found

    def _answer_about_dataset(self, repo_id: str, revision: str) -> None:
        if found := self._dataset(repo_id):
            files = found.at(revision)
            if files is None:
                self._answer({"error": f"Invalid rev id: {revision}"}, 404, X_Error_Code="RevisionNotFound")
                return
            commit = COMMIT if revision == "main" else CONVERTED_COMMIT
            self._answer(_about(repo_id, commit, found.private, files))

    def _answer_file_of_dataset(self, repo_id: str, revision: str, name: str) -> None:
        if found := self._dataset(repo_id):
            if found.is_gated:
                self._answer({"error": "Access is restricted"}, 403, X_Error_Code="GatedRepo")
                return
            self._answer_file((found.at(revision) or {})[name], revision)

    do_HEAD = do_GET  # noqa: N815 - the base class calls it so

    def do_POST(self) -> None:
        parts = self._parts()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer({"error": "Invalid token"}, 401)
        elif parts == ["api", "repos", "create"]:
            wish = json.loads(body)
            repo_id = f"{wish['organization']}/{wish['name']}"
            made = Repository(private=wish.get("visibility") == "private" or bool(wish.get("private")))
            status = 409 if repo_id in self.hub.repositories else 200
            self.hub.repositories.setdefault(repo_id, made)
            self._answer({"url": f"{self.hub.endpoint}/{repo_id}"}, status)
        elif parts == ["api", "validate-yaml"]:
            self._answer({"errors": [], "warnings": []})
        elif parts[4] == "preupload":
            known = self.hub.repositories["/".join(parts[2:4])].files
            files = [
                {"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": oid(known.get(path))}
                for path in (one["path"] for one in json.loads(body)["files"])
            ]
            self._answer({"files": files})
        elif parts[4] == "super-squash":
            self.hub.repositories["/".join(parts[2:4])].commits.clear()
            self._answer({})
        elif parts[4] == "commit":
            for line in map(json.loads, body.splitlines()):
                self.hub.repositories["/".join(parts[2:4])].take(line)
            self._answer(
                {
                    "commitUrl": f"{self.hub.endpoint}/{'/'.join(parts[2:4])}/commit/{COMMIT}",
                    "commitOid": COMMIT,
                    "success": True,
                }
            )
