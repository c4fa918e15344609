"""How languages are shown: by their English name and by their own."""

from collections.abc import Sequence

from playground.tasks.languages import LANGUAGES

OWN_NAMES: dict[str, str] = {
    "ar": "العربية", "bn": "বাংলা", "cs": "čeština", "da": "dansk", "de": "Deutsch", "el": "ελληνικά",
    "es": "español", "fa": "فارسی", "fi": "suomi", "fr": "français", "he": "עברית", "hi": "हिन्दी",
    "id": "Bahasa Indonesia", "it": "italiano", "ja": "日本語", "ko": "한국어", "nl": "Nederlands", "pl": "polski",
    "pt": "português", "ro": "română", "ru": "русский", "sv": "svenska", "sw": "Kiswahili", "th": "ไทย",
    "tr": "Türkçe", "uk": "українська", "vi": "Tiếng Việt", "zh": "中文",
}  # fmt: skip


def title(code: str) -> str:
    """``Arabic · العربية``; the code itself for a language that is not in the list."""
    english = LANGUAGES.get(code, code)
    return f"{english} · {OWN_NAMES[code]}" if code in OWN_NAMES else english


def direction(source: str, target: str) -> str:
    """``English → Spanish``."""
    return spelled_out((source, target))


def spelled_out(codes: Sequence[str]) -> str:
    """The language of a single code; of two, the direction."""
    return " → ".join(LANGUAGES.get(code, code) for code in codes)


def choices() -> list[tuple[str, str]]:
    """(shown, code) pairs for a dropdown, by English name."""
    return sorted((title(code), code) for code in LANGUAGES)
