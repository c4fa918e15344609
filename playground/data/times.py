"""Dates, times and numbers in a column, as numbers that can be put in order."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

_THREE = re.compile(r"(?<!\d)(\d{1,4})\s*[-./年]\s*(\d{1,2})\s*[-./月]\s*(\d{1,4})(?!\d)")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?(?:.*?([+-]\d{2}):?(\d{2}))?", re.IGNORECASE)
_NAMED_MONTH = re.compile(
    r"\b(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?\.?\s+)?(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
    r"(?:\s+(?P<later>\d{1,2})(?:st|nd|rd|th)?(?!\d|:))?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\d:+-])\d{4}(?![\d:])")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def read_times(values: Sequence[Any]) -> list[float | None]:
    """Each value as a number that grows with time, None where it is neither a date nor a number.

    Numbers are taken as they are (a year, a counter, seconds since 1970), unless there are dates too. In 3/4/2024 the
    day comes first, unless a value such as 3/14/2024 shows that the month does.
    """
    texts = [_folded(value) for value in values]
    threes = [match for text in texts if (match := _THREE.search(text))]
    is_month_first = any(int(match[2]) > 12 for match in threes if len(match[1]) <= 2)
    return [_time(text, is_month_first=is_month_first) for text in texts]


def _folded(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    return re.sub(r"\d", lambda match: str(int(match.group())), str(value)).strip()


def _time(text: str, *, is_month_first: bool) -> float | None:
    try:
        number = float(text.replace(",", ".") if text.count(",") == 1 else text)
        return number if math.isfinite(number) else None
    except ValueError:
        pass
    day = _date(text, is_month_first=is_month_first)
    if day is None:
        return None
    clock = _CLOCK.search(text)
    hours, minutes, seconds = (int(clock[i] or 0) for i in (1, 2, 3)) if clock else (0, 0, 0)
    if clock and clock[4]:
        hours = hours % 12 + 12 * (clock[4].lower() == "pm")
    ahead = int(clock[5]) * 60 + int(clock[5][0] + clock[6]) if clock and clock[5] else 0
    return day.timestamp() + hours * 3600 + minutes * 60 + seconds - ahead * 60


def _date(text: str, *, is_month_first: bool) -> datetime | None:
    if match := _THREE.search(text):
        first, second, third = map(int, match.groups())
        if len(match[1]) == 4 or first > 31:
            year, month, day = first, second, third
        else:
            day, month, year = (second, first, third) if is_month_first else (first, second, third)
    elif (named := _NAMED_MONTH.search(text)) and (found := _YEAR.search(text)):
        day = int(named["day"] or named["later"] or 1)
        year, month = int(found.group()), 1 + _MONTHS.index(named["month"].lower())
    else:
        return None
    year += 2000 if year < 70 else 1900 if year < 100 else 0
    try:
        return datetime(year, month, day, tzinfo=timezone.utc)
    except ValueError:
        return None
