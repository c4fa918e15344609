from itertools import pairwise

import pytest

from playground.data.times import read_times


@pytest.mark.parametrize(
    "values",
    [
        ["2024-01-15T10:30:00", "2024-01-15 10:31", "16.01.2024", "2024年1月17日", "٢٠٢٤/٠١/١٨"],
        ["Wed Aug 27 13:08:45 +0000 2008", "Jan 16, 2024", "17 January 2024 9:05 AM", "17 January 2024 9:05 PM"],
        ["1/2/2024", "13/2/2024", "1/3/2024"],
        ["1/2/2024", "1/13/2024", "2/1/2024"],
        ["2019", "2020.5", 2021, "2022"],
        ["1", "٢", "३"],
        ["31.12.99", "1.1.01"],
    ],
)
def test_times_in_order_have_rising_numbers(values):
    times = read_times(values)
    assert None not in times
    assert all(one < other for one, other in pairwise(times))


def test_time_zones_count():
    one, other = read_times(["2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00Z"])
    assert one == other


@pytest.mark.parametrize("value", ["nope", None, "", True, "nan", "31.02.2024", "2024-13-45"])
def test_what_is_no_time_is_none(value):
    assert read_times([value]) == [None]
