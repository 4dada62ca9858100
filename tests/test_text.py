"""Numbers as prose says them."""

import pytest

from repro.text import count_text


@pytest.mark.parametrize(
    ("n", "total", "text"),
    [
        (19, 19, "all 19"),
        (2, 2, "both"),
        (1, 1, "the one"),
        (0, 19, "none of the 19"),
        (7, 19, "7 of the 19"),
        (1, 2, "1 of the 2"),
    ],
)
def test_count_text(n, total, text):
    assert count_text(n, total) == text


@pytest.mark.parametrize(("n", "total"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_part_is_refused(n, total):
    with pytest.raises(ValueError, match="no part of a set"):
        count_text(n, total)
