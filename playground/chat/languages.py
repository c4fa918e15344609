"""Languages in messages: which one a text is in, what each is called where, and which ones a message names."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from playground.chat.folding import fold
from playground.tasks.languages import LANGUAGES

SUPPORTED: tuple[str, ...] = tuple(LANGUAGES)
MIN_NAME_CHARS = 5
SAMPLE_CHARS = 4000  # more of a text doesn't make its language clearer

# Scripts whose words carry no blanks, or carry prefixes or suffixes written together with the name.
JOINED = frozenset({"zh", "ja", "ko", "th"})
CLITICS: Mapping[str, str] = {
    "ar": "(?:[وف]?(?:بال|لل|ال|ب|ل)?)",
    "he": "[והשכמלב]{0,3}",
}
LETTER = r"\w\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0983\u09be-\u09d7"
"""Inside of a regular expression's brackets: letters and the vowel signs that ``\\w`` leaves out."""

_VARIANTS: Mapping[str, str] = {"pt-br": "pt_BR", "pt-pt": "pt_PT", "zh-cn": "zh_Hans", "zh-tw": "zh_Hant"}
_SUFFIXES: Mapping[str, str] = {
    "de": "(?:e|en|em|er|es|s)?", "fr": "(?:e|es|s)?", "nl": "(?:e|s)?", "da": "(?:e|s)?", "sv": "(?:s)?",
    "ro": "(?:i|a|ei|este)?", "es": "(?:a|as|os)?", "pt": "(?:a|as|os)?", "it": "(?:i|e|a)?",
    "hi": rf"[{LETTER}]{{0,3}}", "bn": rf"[{LETTER}]{{0,5}}", "tr": "'?[a-z]{0,6}",
    "ru": r"\w{0,4}", "uk": r"\w{0,4}", "pl": r"\w{0,4}", "cs": r"\w{0,4}", "el": r"\w{0,4}", "fi": r"\w{0,6}",
    "ar": r"\w{0,2}", "fa": r"\w{0,2}", "he": r"\w{0,2}",
}  # fmt: skip
_INFLECTED = frozenset({"ru", "uk", "pl", "cs", "el", "fi", "ro", "ar"})
_ENDING = re.compile("[aeiouyаяеиіїйоуюыьαειουωης\u0647]+$")
_MIN_STEM = {"ar": 3}


@dataclass(frozen=True)
class Mention:
    """A language named in a folded text, from `start` to `end`."""

    code: str
    start: int
    end: int


def detect_language(text: str, among: Iterable[str] = SUPPORTED) -> str:
    """Likeliest language of `text`; English when it has no letters."""
    return rank_languages(text, among)[0]


def rank_languages(text: str, among: Iterable[str] = SUPPORTED) -> list[str]:
    """The languages of `among`, the likeliest one first."""
    allowed = set(among)
    sample = text[:SAMPLE_CHARS]
    if not any(character.isalpha() for character in sample):
        return sorted(allowed, key=lambda code: code != "en")
    ranked = _identifier().rank(sample.encode("utf-8", "replace").decode("utf-8"))
    return [code for code, _ in ranked if code in allowed]


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(SUPPORTED)
    return identifier


def language_name(code: str, in_locale: str = "en") -> str:
    """Name of the language, such as "Portuguese (Brazil)" for pt-BR; the code itself when it has no name."""
    variant = _VARIANTS.get(code.lower().replace("_", "-"), code.replace("-", "_"))
    if in_locale == "en" and code in LANGUAGES:
        return LANGUAGES[code]
    names = _locale_names(in_locale)
    base, _, region = variant.partition("_")
    name = names.get(variant) or names.get(base.lower()) or code
    if region and variant not in names:
        name = f"{name} ({Locale.parse(in_locale).territories.get(region.upper(), region)})"
    return name


def find_language(word: str) -> str | None:
    """Code meant by a code or by a name in any language; also codes of languages that are not supported."""
    code = word.strip().lower().replace("_", "-")
    if code.split("-")[0] in SUPPORTED and re.fullmatch(r"[a-z]{2}(-[a-z0-9]{2,8})*", code):
        return code.split("-")[0] if code not in _VARIANTS or code.startswith("zh") else word.strip().replace("_", "-")
    mentions = find_mentions(fold(word), rank_languages(word), everywhere=True)
    if mentions:
        return mentions[-1].code
    return code if code in _locale_names("en") and len(code) <= 3 else _other_language(code)


def find_mentions(folded: str, locales: Iterable[str], *, everywhere: bool = False) -> list[Mention]:
    """Languages named in `folded`, in the words of `locales`, of English, or each in its own word.

    With `everywhere`, the words of all the other languages count too when those find nothing.
    """
    near = dict.fromkeys([*locales, "en", "own"])
    found = [mention for locale in near for mention in _mentions_in(folded, locale)]
    if not found and everywhere:
        found = [mention for locale in SUPPORTED for mention in _mentions_in(folded, locale)]
    found.sort(key=lambda mention: (mention.start, -mention.end))
    return [m for i, m in enumerate(found) if not any(o.start <= m.start and m.end <= o.end for o in found[:i])]


@lru_cache(maxsize=4096)
def _mentions_in(folded: str, locale: str) -> tuple[Mention, ...]:
    return tuple(Mention(str(match.lastgroup), match.start(), match.end()) for match in _names(locale).finditer(folded))


def _locale_names(locale: str) -> Mapping[str, str]:
    return Locale.parse(locale).languages


def find_unsupported(folded: str, locale: str) -> str | None:
    """Code of a language that is named in `folded` in the words of `locale` or English but is not supported."""
    words = set(re.findall(rf"[{LETTER}]+", folded))
    names = {**_unsupported_names(locale), **_unsupported_names("en")}
    return next((code for name, code in names.items() if name in words), None)


def _other_language(name: str) -> str | None:
    return _unsupported_names("en").get(fold(name))


@cache
def _unsupported_names(locale: str) -> dict[str, str]:
    """Codes by folded name; very short names are words of other languages too."""
    codes = {code: name for code, name in _locale_names(locale).items() if code.split("_")[0] not in SUPPORTED}
    return {fold(name): code for code, name in codes.items() if len(name) >= MIN_NAME_CHARS and "_" not in code}


@cache
def _names(locale: str) -> re.Pattern[str]:
    """Matches language names as people of `locale` write them ("own": as each language calls itself)."""
    groups = (f"(?P<{code}>{'|'.join(forms)})" for code, forms in _forms(locale).items())
    pattern = "|".join(groups)
    if locale in JOINED:
        return re.compile(pattern)
    return re.compile(f"(?<![{LETTER}]){CLITICS.get(locale, '')}(?:{pattern})(?![{LETTER}])")


def _forms(locale: str) -> dict[str, list[str]]:
    if locale == "own":
        names = {code: [_locale_names(code)[code]] for code in SUPPORTED if code not in JOINED}
        return {code: [_form(name, code) for name in names[code]] for code in names}
    found: dict[str, list[str]] = {}
    for code in SUPPORTED:
        names_here = [_locale_names(locale)[code], *_everyday_names()[locale].get(code, "").split("|")]
        forms = {_form(name, locale) for name in names_here if name}
        found[code] = sorted(forms, key=len, reverse=True)
    return dict(sorted(found.items(), key=lambda item: -max(len(form) for form in item[1])))


@cache
def _everyday_names() -> dict[str, dict[str, str]]:
    """Names that CLDR lacks, by locale and code, among them stems that inflection changes."""
    names: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("language_names.json").read_text("utf-8"))
    return names


def _form(name: str, locale: str) -> str:
    """Regular expression of `name` with the endings that its language puts on it."""
    folded = fold(name)
    if locale == "ar":
        folded = folded.removeprefix("ال")
    stem = _ENDING.sub("", folded) if locale in _INFLECTED else folded
    if len(stem) < _MIN_STEM.get(locale, 5):
        stem = folded
    return re.escape(stem) + _SUFFIXES.get(locale, "")
