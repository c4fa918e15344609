"""The languages of the product, by ISO 639-1 code."""

from playground.errors import InputError

LANGUAGES: dict[str, str] = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "sw": "Swahili", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he"})


def base_code(code: str) -> str:
    """``pt-BR`` and ``pt_br`` as ``pt``.

    Raises:
        InputError: the language is not one of `LANGUAGES`.
    """
    base = str(code).strip().lower().replace("_", "-").split("-")[0]
    if base not in LANGUAGES:
        raise InputError(f"'{code}' is not a supported language code; use one of {', '.join(LANGUAGES)}.")
    return base


def english_name(code: str) -> str:
    return LANGUAGES[base_code(code)]
