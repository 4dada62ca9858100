"""Figures and parameters of "The dial"."""

import re

import pytest

from repro.analysis.frames import scaled
from repro.analysis.scaling.alpha_family import COMPARED, exponents
from repro.arch import PAPER, alpha_strategy
from repro.book import show
from repro.book.chapters import the_dial as figures
from repro.book.kit.figures import use_house_style
from repro.book.parameters import check
from repro.errors import InputError

BASES = ["EN-B0", "RegNetY-4GF"]


def dial():
    slopes = exponents(scaled(BASES, {a: alpha_strategy(a) for a in ("0", "4/5")}, [1, 4]))
    return figures.dial_figure(slopes.assign(alpha=[0, 0.8] * 2))


def relative_acts():
    return figures.relative_acts_figure(scaled(BASES, {x: PAPER[x] for x in COMPARED}, [1, 8, 32]))


@pytest.mark.parametrize(
    ("make", "texts"),
    [(dial, ["RegNetY-4GF", "theory", "dWr"]), (relative_acts, ["dwr 17.96", "dWr 8.00", "EN-B0"])],
)
def test_figures_are_deterministic_and_label_what_they_show(make, texts):
    use_house_style()
    first, second = (show(make(), "name", alt="a", caption="c").svg for _ in range(2))
    assert first == second
    words = " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]+)</t", first))
    assert not [text for text in texts if text not in re.sub(r"\s+", " ", words)]


def test_parameters_are_checked():
    check("the-dial", alphas=["1/2", "0.9"], scales=[1, 2.5])
    with pytest.raises(InputError, match=r"alpha '4/3' is not between 0 and 1"):
        check("the-dial", alphas=["1", "4/3"])
    with pytest.raises(InputError, match="two different scales"):
        check("the-dial", scales=[4, 4])
