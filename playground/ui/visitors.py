"""Telling the visitors of a shared page apart: by a secret in a cookie, of which only a hash is stored."""

import hmac
import os
import re
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import SimpleCookie
from importlib.util import find_spec
from secrets import token_urlsafe

from gradio.context import LocalContext
from gradio.utils import get_space
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import access, settings
from playground.access import NOBODY, OWNER, Person
from playground.errors import AccessError

COOKIE = "playground-visitor"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Over https: browsers then let nobody but this very host set it."""
SECRET_BYTES = 32
YEAR_S = 365 * 24 * 3600
WRONG_PASSWORDS_S = 60.0
MAX_WRONG_EACH = 5
"""After that many wrong passwords of one visitor within that time, no other of theirs is looked at."""
MAX_WRONG_FROM_ADDRESS = 10
"""The same, of all visitors with one address: a program gets a new cookie whenever it likes."""
MAX_WRONG = 60
"""The same, of all people: addresses can be had, too. A browser that once gave the right one has its own limit only."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class _Wrong:
    """A wrong password."""

    moment: float
    visitor: str
    """Key of who sent it."""
    address: str


class Visitors:
    """Knows who is asking, and who of them has signed in as the owner since the app was started."""

    def __init__(self) -> None:
        self._owners: set[str] = set()
        self._trusted: set[str] = set()
        """Who gave the right password since the app was started, whether or not they signed out."""
        self._wrong: list[_Wrong] = []
        self._signing = threading.Lock()

    def recognise(self) -> None:
        """From now on, the cookie of a request decides what it sees and may do."""
        access.ask(self.asking)

    def asking(self) -> Person:
        """The one whose event is handled at this moment, by Gradio's own context; nobody outside of events."""
        return self.person_in(_scope())

    def person_in(self, scope: Scope) -> Person:
        """The one who sends a request."""
        visitor = _visitor(scope)
        return OWNER if visitor.key in self._owners or is_author(scope) else visitor

    def has_signed_in(self) -> bool:
        """Whether the present visitor has given the owner's password."""
        return _visitor(_scope()).key in self._owners

    def sign_in(self, password: str | None) -> None:
        """Makes the present visitor the owner.

        Raises:
            AccessError: the password is wrong, there is none, too many were tried, or the browser keeps no cookie.
        """
        visitor, right = _visitor(_scope()), settings.owner_password()
        if not right:
            raise AccessError("This page has no owner's password; set PLAYGROUND_OWNER_PASSWORD where it runs.")
        if not visitor.key:
            raise AccessError("Your browser does not keep this page's cookie; allow cookies for it and reload it.")
        address = address_in(_scope())
        with self._signing:
            now = time.monotonic()
            self._wrong = [wrong for wrong in self._wrong if now - wrong.moment < WRONG_PASSWORDS_S]
            if self._tried_too_many(visitor.key, address):
                raise AccessError(f"Too many wrong passwords were sent; try again in {WRONG_PASSWORDS_S:.0f} seconds.")
            if not hmac.compare_digest((password or "").encode(), right.encode()):
                self._wrong.append(_Wrong(now, visitor.key, address))
                raise AccessError("This is not the owner's password.")
            self._owners.add(visitor.key)
            self._trusted.add(visitor.key)

    def _tried_too_many(self, visitor: str, address: str) -> bool:
        if sum(wrong.visitor == visitor for wrong in self._wrong) >= MAX_WRONG_EACH:
            return True
        from_address = sum(wrong.address == address for wrong in self._wrong)
        return visitor not in self._trusted and (
            from_address >= MAX_WRONG_FROM_ADDRESS or len(self._wrong) >= MAX_WRONG
        )

    def sign_out(self) -> None:
        self._owners.discard(_visitor(_scope()).key)


def _visitor(scope: Scope) -> Person:
    """The one who sends a request, whether or not they signed in."""
    secret = secret_in(scope)
    return Person(sha256(secret.encode()).hexdigest()) if secret else NOBODY


def _scope() -> Scope:
    """Of the request whose event is handled at this moment; one without anything outside of events."""
    request = LocalContext.request.get(None)
    return request.request.scope if request and request.request else {"type": "http", "scheme": "", "headers": []}


def has_login() -> bool:
    """Whether people can log in with the account of the platform that hosts this Space.

    Anywhere but there, Gradio would pretend a login as whoever owns the machine.
    """
    is_offered = settings.has_space_login() and get_space() is not None
    secrets = ("OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
    is_installed = all(find_spec(library) for library in ("authlib", "itsdangerous"))
    return is_offered and is_installed and all(os.environ.get(name) for name in secrets)


def is_author(scope: Scope) -> bool:
    """Whether the request comes from the account that the Space belongs to. Gradio signs the session's cookie."""
    author, login = os.environ.get("SPACE_AUTHOR_NAME"), scope.get("session", {}).get("oauth_info")
    if not (author and login and has_login()):
        return False
    return bool(login.get("expires_at", 0) > time.time() and login["userinfo"].get("preferred_username") == author)


def address_in(scope: Scope) -> str:
    """Where a request comes from; empty where that is not known."""
    host, _ = scope.get("client") or ("", 0)
    return str(host)


def secret_in(scope: Scope) -> str:
    """The visitor's secret; empty where there is none of ours."""
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    found = cookies.get(SECURE_COOKIE if _is_secure(scope) else COOKIE, "")
    return found if _SECRET.fullmatch(found) else ""


class VisitorCookie:
    """Gives each browser that opens the page a secret of its own, and renews it at each visit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # With the page alone: of requests sent at the same time, each would get another secret.
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        cookie = set_cookie(secret_in(scope) or token_urlsafe(SECRET_BYTES), is_secure=_is_secure(scope))

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.append("Set-Cookie", cookie)
                answer["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, with_cookie)


def set_cookie(secret: str, *, is_secure: bool) -> str:
    """The header's value. On a Space the page lies in a frame of another site, so the cookie is one for each frame."""
    name = SECURE_COOKIE if is_secure else COOKIE
    jar = SimpleCookie({name: secret})
    for attribute, value in {"path": "/", "max-age": YEAR_S, "httponly": True, "samesite": "Lax"}.items():
        jar[name][attribute] = value
    if is_secure:
        jar[name]["secure"] = True
    if settings.on_space():
        jar[name]["samesite"] = "None"
        return f"{jar[name].OutputString()}; Partitioned"  # a key that Python knows since 3.14 only
    return jar[name].OutputString()


def _is_secure(scope: Scope) -> bool:
    forwarded = Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip()
    return settings.on_space() or "https" in (scope["scheme"], forwarded)
