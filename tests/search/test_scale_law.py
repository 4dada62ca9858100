import numpy as np
import pytest

from repro.errors import InputError
from repro.search.scale_law import ScaleLaw

LAW = ScaleLaw(15.0, {"w": 0.5, "r": 0.3}, 0.2, {})


def test_by_hand():
    assert LAW.error(25, "w", 1.0) == pytest.approx(25)
    assert LAW.error(25, "w", [4, 100]) == pytest.approx([20, 16])
    assert LAW.error(25, "r", 4) > LAW.error(25, "w", 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((25, "W", 2), "no exponent of strategy 'W' is known. Did you mean 'w'"),
        ((14, "w", 2), "error 14 is not allowed; between 15.00"),
        ((float("nan"), "w", 2), "error nan is not allowed"),
        ((25, "w", [2, 0.5]), "flops ratio 0.5 is not allowed; 1 or more is"),
        ((25, "w", float("inf")), "flops ratio inf is not allowed"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        LAW.error(*arguments)


def test_the_published_points_follow_it():
    law = ScaleLaw.fit()
    assert law.residual < 0.3
    assert set(law.held_out) == {"EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF"}
    assert all(error < 0.5 for error in law.held_out.values())
    assert min(law.exponents, key=law.exponents.get) == "r"
    assert np.all(np.diff(law.error(22.72, "dWr", [1, 2, 4, 8])) < 0)
    assert law is ScaleLaw.fit()
