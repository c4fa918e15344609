"""Values of binary tables as JSON can hold them."""

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from playground.data.text import join_surrogates


def plain_value(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        return (int(number) if number.is_integer() else number) if math.isfinite(number) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [plain_value(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): plain_value(inner) for key, inner in value.items()}
    return value
