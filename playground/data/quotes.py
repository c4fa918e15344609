"""Where words that a person quotes from a text stand in it."""

import regex

from playground.data.text import in_one_line

_BOUNDARY = regex.compile(r"(?w)\b")
"""Between words as https://www.unicode.org/reports/tr29/ has them: never before a mark or inside an emoji."""


def places_of(words: str, text: str) -> list[tuple[int, int]]:
    """Start and end (exclusive) of `words` wherever they stand in `text`, with any white space between them.

    Those that stand by themselves come before those inside a longer word: of "ike" in "I like Mike and Ike, ike" the
    last is first.
    """
    return sorted(_spans(words, text), key=lambda place: not is_by_itself(place, text))


def mentions_of(words: str, text: str) -> list[tuple[int, int]]:
    """Those of the places of `words`, in the order of `text`, that are meant where somebody only lists them.

    Words by themselves are, rather than the same letters inside a longer word; then those with the same capitals.
    """
    plain = in_one_line(words)
    found = _spans(plain, text, regex.IGNORECASE)
    ranks = [(not is_by_itself(place, text), in_one_line(text[slice(*place)]) != plain) for place in found]
    best = min(ranks, default=None)
    return [place for place, rank in zip(found, ranks, strict=True) if rank == best]


def _spans(words: str, text: str, flags: int = 0) -> list[tuple[int, int]]:
    pattern = r"\s+".join(map(regex.escape, words.split()))
    return [match.span() for match in regex.finditer(pattern, text, flags)] if pattern else []


def is_by_itself(place: tuple[int, int], text: str) -> bool:
    """Whether no word of `text` goes on over the start or the end of `place`."""
    return all(_BOUNDARY.match(text, end) for end in place)
