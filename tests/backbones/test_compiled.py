"""Compiled functions, where and how they are compiled."""

import numba
import numpy as np
import pytest

from playground.backbones.compiled import compiled


def double(values, found):
    for i in range(len(values)):
        found[i] = 2 * values[i]


def doubled(function):
    found = np.empty(3, np.float32)
    function(np.arange(3, dtype=np.float32), found)
    return found.tolist()


def test_without_a_folder_for_it_the_function_is_compiled_anew(monkeypatch):
    real, asked = numba.njit, []

    def njit(*args, cache, **settings):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **settings)

    monkeypatch.setattr(numba, "njit", njit)
    assert doubled(compiled("(f4[::1], f4[::1])")(double)) == [0, 2, 4]
    assert asked == [True, False]


def test_other_types_are_refused():
    function = compiled("(f4[::1], f4[::1])")(double)
    with pytest.raises(TypeError):
        function(np.zeros(3), np.zeros(3))
