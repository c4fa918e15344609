"""Training texts as they are written elsewhere: with the marks of social media, or Hindi in Latin letters.

Most of the data for sentiment is clean text in its own script. Posts are not: they name people, end in links, are in
small letters, and much of the Hindi there is typed on a Latin keyboard.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

from playground.errors import InputError
from playground.types import Row

MENTION = "@user"
LINK = "http"
_CONSONANTS = dict(
    zip(
        "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह",
        "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h".split(),
        strict=True,
    )
)
_DOTTED = {"क": "q", "ख": "kh", "ग": "g", "ज": "z", "ड": "d", "ढ": "dh", "फ": "f"}
"""Consonants with a dot below (nukta)."""
_VOWELS = dict(zip("अआइईउऊऋएऐओऔऑऍ", "a aa i ee u oo ri e ai o au o e".split(), strict=True))
_SIGNS = dict(zip("ािीुूृेैोौॉॅ", "a i i u u ri e ai o au o e".split(), strict=True))
_OTHERS = {"ं": "n", "ँ": "n", "ः": "h", "।": ".", "॥": ".", "ॐ": "om"} | {chr(0x966 + n): str(n) for n in range(10)}
_SYLLABLE = re.compile("([क-ह])(़?)([ा-ौ]|्|)")
_PRECOMPOSED = str.maketrans({chr(0x958 + n): f"{letter}\u093c" for n, letter in enumerate("कखगजडढफय")})


def romanize_hindi(text: str) -> str:
    """Devanagari as people type it on a Latin keyboard, without the short a at the end of a word."""
    text = text.translate(_PRECOMPOSED)

    def syllable(match: re.Match[str]) -> str:
        letter, dot, sign = match.groups()
        sound = _DOTTED.get(letter, _CONSONANTS.get(letter, "")) if dot else _CONSONANTS.get(letter, "")
        if sign:
            return sound + _SIGNS.get(sign, "")
        following = text[match.end() : match.end() + 1]
        return sound + ("a" if "\u0900" <= following <= "\u0963" else "")

    found = _SYLLABLE.sub(syllable, text)
    return "".join(_VOWELS.get(letter, _OTHERS.get(letter, letter)) for letter in found)


def _romanized(row: Row, _: random.Random) -> Row:
    return {**row, "text": romanize_hindi(row["text"])} if row.get("lang") == "hi" else row


def _social(row: Row, chance: random.Random) -> Row:
    """A name before, a link behind, or small letters; one of them at least."""
    before, behind, small = (chance.random() < 0.5 for _ in range(3))
    text = row["text"].lower() if small or not (before or behind) else row["text"]
    return {**row, "text": f"{f'{MENTION} ' * before}{text}{f' {LINK}' * behind}"}


AUGMENTATIONS: Mapping[str, Callable[[Row, random.Random], Row]] = {"romanized": _romanized, "social": _social}
"""``romanized``: Hindi in Latin letters. ``social``: marks of posts. Both for rows with ``text``."""


def augment(rows: Sequence[Row], shares: Mapping[str, float], seed: int) -> list[Row]:
    """`rows`, of which each augmentation changes its share; the labels stay.

    Raises:
        InputError: there is no such augmentation.
    """
    unknown = shares.keys() - AUGMENTATIONS.keys()
    if unknown:
        raise InputError(f"There is no augmentation '{min(unknown)}'; there are {', '.join(AUGMENTATIONS)}.")
    chance = random.Random(seed)
    found = list(rows)
    for name, share in shares.items():
        found = [AUGMENTATIONS[name](row, chance) if chance.random() < share else row for row in found]
    return found
