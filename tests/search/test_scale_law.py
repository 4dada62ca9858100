from dataclasses import asdict

import pytest

from repro.errors import InputError
from repro.search.scale_law import BETWEEN, ScaleLaw

LAW = ScaleLaw(15.0, {"w": 0.5, "r": 0.3}, {}, 10.0, 40.0, 0.2, {}, 0.3, 0.1)


def test_by_hand():
    assert LAW.error(25, "w", 1.0) == pytest.approx(25)
    assert [LAW.error(25, "w", ratio) for ratio in (4, 100)] == pytest.approx([20, 16])
    assert LAW.error(25, "r", 4) > LAW.error(25, "w", 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((25, "W", 2), "no exponent of strategy 'W' is known. Did you mean 'w'"),
        ((14, "w", 2), "error 14 is not allowed; a percentage between 15.00"),
        ((float("nan"), "w", 2), "error nan is not allowed"),
        ((25, "w", 0.5), "flops ratio 0.5 is not allowed; 1 or more is"),
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
    errors = [law.error(22.72, "dWr", ratio) for ratio in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert law is ScaleLaw.fit()
    assert law.between < law.level, "what strategies share is the less sure part"


def test_rules_without_points_of_their_own():
    law = ScaleLaw.fit()
    own = [law.error(22.72, "EfficientNet", ratio) for ratio in (1.78, 4.74, 26.6)]  # B1, B3, B5
    assert own == pytest.approx([20.823, 18.774, 16.673], abs=0.3)
    among = [law.exponents[name] for name in BETWEEN]
    assert min(among) < law.exponents["LACS-GPU"] < max(among)


def test_the_stored_law_is_the_fit():
    stored, fit = (asdict(law) for law in (ScaleLaw.known(), ScaleLaw.fit()))
    for name, value in fit.items():
        assert stored[name] == pytest.approx(value, abs=1e-3), "python -m repro.search.scale_law"
