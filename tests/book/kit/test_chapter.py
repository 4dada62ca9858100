"""A chapter's first call, and its key numbers."""

import warnings

import numpy as np
import pytest

from repro.book import all_or_some, glue, setup
from repro.book.kit.chapter import setup as same_setup


def test_setup_silences_two_import_warnings_and_no_others():
    assert setup is same_setup
    with warnings.catch_warnings(record=True) as seen:
        warnings.resetwarnings()
        setup()
        warnings.warn("IProgress not found. Please update jupyter.", stacklevel=1)
        warnings.warn("`torch.jit.script` is deprecated.", FutureWarning, stacklevel=1)
        assert not seen
        warnings.warn("something else", stacklevel=1)
    assert [str(w.message) for w in seen] == ["something else"]


@pytest.fixture
def stored(monkeypatch):
    calls = {}

    def store(name, value, display):
        assert display is False
        calls[name] = value

    monkeypatch.setattr("myst_nb.glue", store)
    return calls


def test_glue_stores_plain_numbers(stored):
    glue(a=1, b=np.float64(0.5), c=np.int64(3), d="text")
    assert stored == {"a": 1, "b": 0.5, "c": 3, "d": "text"}
    assert type(stored["b"]) is float
    assert type(stored["c"]) is int


@pytest.mark.parametrize(("part", "said"), [(30, "all 30"), (28, "28 of 30"), (0, "none of 30")])
def test_prose_says_how_many_of_how_many(part, said):
    assert all_or_some(part, 30) == said
