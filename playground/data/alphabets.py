"""Which legacy encoding a text is in, judged by the letters that come out of it."""

import re
from functools import lru_cache
from itertools import pairwise

# Letters beyond ASCII of the languages that an encoding is for, the common ones of Cyrillic first.
_WESTERN = "äöüßéèàçâêîôûëïñáíóúãõåøæœìòùýÿ€“”„‘’‚«»–—…°§¿¡ºª·™©®±×²½"
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžőűăâîșşţțäöüßđ€“”„‘’‚«»–—…"
_BALTIC = "āčēģīķļņšūžąęėįųõäöü€“”„‘’‚«»–—…"
_TURKISH = "çğıöşüâîûİ€“”„‘’–—…"
_VIETNAMESE = "àáâãèéêìíòóôõùúýăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ\u0300\u0301\u0303\u0309\u0323€“”‘’–—…"
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґўђјљњћџ№«»“”„’–—…"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ·΄«»“”‘’–—…€"
_HEBREW = "".join(map(chr, range(0x5D0, 0x5EB))) + "₪“”‘’–—…״׳" + "".join(map(chr, range(0x5B0, 0x5C3)))
_ARABIC = "".join(map(chr, [*range(0x621, 0x63B), *range(0x641, 0x653)])) + "پچژگکیںےهۀۃ،؛؟ـ“”‘’–—…«»\u200c\u200e\u200f"
_THAI = "".join(map(chr, [*range(0xE01, 0xE3B), *range(0xE3F, 0xE5C)])) + "“”‘’–—…"
_ALPHABETS = {
    # In case of a draw the first wins: what is commonest.
    "cp1252": _WESTERN,
    "cp1251": _CYRILLIC,
    "cp1250": _CENTRAL,
    "cp1254": _TURKISH,
    "cp1253": _GREEK,
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
    "cp1257": _BALTIC,
    "cp874": _THAI,
    "cp1258": _VIETNAMESE,
    "iso8859_15": _WESTERN,
    "iso8859_2": _CENTRAL,
    "iso8859_5": _CYRILLIC,
    "iso8859_6": _ARABIC,
    "iso8859_13": _BALTIC,
    "koi8_r": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp866": _CYRILLIC,
    "mac_cyrillic": _CYRILLIC,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
    "mac_latin2": _CENTRAL,
    "cp862": _HEBREW,
}
_COMMON = {
    _CYRILLIC: frozenset("оеаинтсрвлк"),
    _GREEK: frozenset("αοιετσνηρκςόί"),
    _HEBREW: frozenset("יוהלאמתרבשנ"),
    _ARABIC: frozenset("اليمنرتوبهةعد"),
    _THAI: frozenset("านรอกเงมยลวดท่้ัีสป"),
}
"""Letters that make up two thirds of a text: other alphabets also decode to letters, but not to these."""
_WESTERN_SIGN = re.compile(r"(?<![^\W\d_])[£¥¼¾](?![^\W\d_])")
"""In front of a number; inside of words their bytes are letters of other alphabets."""
_LETTER_IN_WORD = re.compile("(?:[^\\W\\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0e31-\u0e4e])+")
_MIN_SCORE = 0.55

# Byte ranges of the characters that everyday texts consist of: punctuation, kana, hangul, first-level ideographs.
_PAIRS = {
    "euc_jp": re.compile(rb"(?:[\xa1-\xa5][\xa1-\xfe]|[\xb0-\xcf][\xa1-\xfe])"),
    "euc_kr": re.compile(rb"(?:[\xa1-\xa3][\xa1-\xfe]|[\xb0-\xc8][\xa1-\xfe])"),
    "gb18030": re.compile(rb"(?:[\xa1-\xa3][\xa1-\xfe]|[\xb0-\xd7][\xa1-\xfe])"),
    "cp932": re.compile(rb"(?:[\x81-\x83\x88-\x97][\x40-\x7e\x80-\xfc]|[\xa1-\xdf])"),
    "big5": re.compile(rb"(?:[\xa1-\xa3\xa4-\xc6][\x40-\x7e\xa1-\xfe])"),
}
_CODECS = {"euc_kr": "cp949", "big5": "cp950"}
"""What Windows made of them, which holds more."""
_KANA = re.compile("[\u3040-\u30ff]")


def likely_encoding(sample: bytes) -> str | None:
    """The encoding that makes everyday letters of the bytes beyond ASCII in `sample`; None when none does."""
    return _east_asian(sample) or _single_byte(sample)


def is_single_byte(encoding: str) -> bool:
    """Whether each character is one byte in an encoding that `likely_encoding` gave."""
    return encoding in _ALPHABETS


def _east_asian(sample: bytes) -> str | None:
    high = len(re.findall(rb"[\x80-\xff]", sample))
    for encoding, pairs in _PAIRS.items():
        codec = _CODECS.get(encoding, encoding)
        text = _decoded(sample, codec)
        if text is None:
            continue
        covered = sum(sum(byte >= 0x80 for byte in match) for match in pairs.findall(_aligned(sample, text, codec)))
        kana = len(_KANA.findall(text))
        others = sum(char > "\x7f" for char in text)
        if covered < 0.9 * high or (encoding in {"euc_jp", "cp932"} and kana < 0.15 * others):
            continue
        if encoding == "cp932" and sum("\uff61" <= char <= "\uff9f" for char in text) > 0.5 * others:
            continue  # half-width kana are single bytes, which any Thai or Cyrillic text would pass for
        return codec
    return None


def _aligned(sample: bytes, text: str, codec: str) -> bytes:
    """The characters beyond ASCII, one after the other, so that pairs are not found across their borders."""
    return b" ".join(char.encode(codec) for char in text if char > "\x7f") if text else sample


def _single_byte(sample: bytes) -> str | None:
    scores = {}
    for encoding in _ALPHABETS:
        text = _decoded(sample, encoding)
        if text is not None:
            scores[encoding] = _score(text, encoding)
    best = max(scores, key=lambda encoding: scores[encoding], default=None)
    return best if best is not None and scores[best] >= _MIN_SCORE else None


def _score(text: str, encoding: str) -> float:
    """About 1 for a text in `encoding`: the share of expected letters, less what makes a text look like none."""
    alphabet = _letters(_ALPHABETS[encoding])
    others = [char for char in text if char > "\x7f" and not char.isspace()]
    if not others:
        return 0.0
    common = _COMMON.get(_ALPHABETS[encoding])
    points = sum(1.0 if char in alphabet else -1.0 for char in others)
    if alphabet is _letters(_WESTERN):
        points += 2 * len(_WESTERN_SIGN.findall(text))
    if common:
        points = 0.7 * points + 0.5 * sum(char in common for char in others)
    return (points - 1.5 * sum(map(_num_breaks, _LETTER_IN_WORD.findall(text)))) / len(others)


def _num_breaks(word: str) -> int:
    """Places in `word` where a capital follows a small letter, or another script follows Latin."""
    letters = [char for char in word if not "\u0300" <= char < "\u0370"]
    breaks = 0
    for left, right in pairwise(letters):
        if left <= "\x7f" and right <= "\x7f":
            continue
        is_capital_inside = left.islower() and right.isupper()
        is_other_script = (left < "\u0300") != (right < "\u0300") and max(left, right) < "\u1e00"
        breaks += is_capital_inside or is_other_script
    return breaks


@lru_cache
def _letters(alphabet: str) -> frozenset[str]:
    return frozenset(alphabet + alphabet.upper())


def _decoded(sample: bytes, codec: str) -> str | None:
    try:
        return sample.decode(codec)
    except UnicodeDecodeError:
        return None
