"""Where words that a person quotes from a text stand in it."""

import regex

_BOUNDARY = regex.compile(r"(?w)\b")
"""Between words as https://www.unicode.org/reports/tr29/ has them: never before a mark or inside an emoji."""


def places_of(words: str, text: str) -> list[tuple[int, int]]:
    """Start and end (exclusive) of `words` wherever they stand in `text`, with any white space between them.

    Those that stand by themselves come before those inside a longer word: of "ike" in "I like Mike and Ike, ike" the
    last is first.
    """
    pattern = r"\s+".join(map(regex.escape, words.split()))
    found = [match.span() for match in regex.finditer(pattern, text)] if pattern else []
    return sorted(found, key=lambda place: not all(_BOUNDARY.match(text, end) for end in place))
