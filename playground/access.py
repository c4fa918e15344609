"""Who is asking: the owner of the app, or one of many visitors of a page that they share.

On a machine of one's own there is the owner alone. Where the page is shared, `ask` names what tells its visitors
apart; whatever it does not know is nobody, who sees only what belongs to the program.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from playground import settings
from playground.errors import AccessError

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Person:
    """Somebody at the page; the owner's own things bear no key."""

    key: str = ""
    """What is stored with a visitor's runs and adapters: 64 hexadecimal digits, or empty."""
    is_owner: bool = False

    def __post_init__(self) -> None:
        if self.key and not _KEY.fullmatch(self.key):
            raise ValueError("A visitor's key is 64 hexadecimal digits.")

    def sees(self, owner: str) -> bool:
        """Whether things with the key `owner` are shown to this person."""
        return self.is_owner or (bool(self.key) and self.key == owner)


OWNER = Person(is_owner=True)
NOBODY = Person()

_acting: ContextVar[Person | None] = ContextVar("acting", default=None)
_known_by: list[Callable[[], Person]] = []
"""What `ask` was told, if anything."""


def current() -> Person:
    """The one for whom the present work is done."""
    acting = _acting.get()
    if acting is not None:
        return acting
    return _known_by[0]() if _known_by else OWNER


def ask(who: Callable[[], Person]) -> None:
    """From now on, `who` says in every thread of this process who is asking."""
    _known_by[:] = [who]


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Does the work of the block, in this thread, for `person`."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def person_of(key: str) -> Person:
    """The one whose things bear `key`."""
    return Person(key) if key else OWNER


def problem() -> str:
    """Why the present person may change nothing here; empty where they may."""
    person = current()
    if person.is_owner:
        return ""
    if settings.is_read_only():
        elsewhere = "copy this Space" if settings.on_space() else "install the program on a computer of your own"
        return f"This page is for trying only: to train, import, change or delete anything, {elsewhere}."
    if not person.key:
        return (
            "Your browser does not keep this page's cookie, without which your runs and adapters could not be told "
            "from other people's; allow cookies for this page and reload it."
        )
    return ""


def must_change() -> None:
    """Raises AccessError unless the present person may train, import, change and delete."""
    found = problem()
    if found:
        raise AccessError(found)
