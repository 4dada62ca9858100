"""Surfaces over factors as built, and a reader's own errors."""

import numpy as np
import pytest

from repro.arch import get
from repro.errors import InputError
from repro.search import accuracy as search
from repro.search.accuracy import FORMS, Factors, Surface, built


def test_factors_are_those_of_the_network_as_built():
    base = get("EN-B0")
    assert built(base, base) == (1, 1, 1)
    b1 = built(get("EN-B1"), base)
    assert b1.depth == 23 / 16  # coefficient 1.1, rounded up in each stage
    assert b1.resolution == 240 / 224
    # widths stay in B1; in B2 they are 16 24 48 88 120 208 352 for 16 24 40 80 112 192 320
    ratios = [1, 1, 48 / 40, 88 / 80, 120 / 112, 208 / 192, 352 / 320]
    assert b1.width == pytest.approx(1)
    assert built(get("EN-B2"), base).width == pytest.approx(np.prod(ratios) ** (1 / 7))
    with pytest.raises(InputError, match="ResNet-50 has 4 stages, its base EN-B0 7"):
        built(get("ResNet-50"), base)


def test_published_points_stand_once():
    points = search.points()
    assert len(points) == 38 and len({p.factors for p in points}) == 34
    assert sum(p.factors == (1, 1, 1) for p in points) == 1
    assert {p.curve for p in points} == {
        "d",
        "w",
        "r",
        "dw",
        "dwr",
        "2/3",
        "dWr",
        "EfficientNet",
    } | {"base"}


def test_forms_by_hand():
    """Weights are logarithms: of floor, amounts and powers."""
    logs = np.log([[1.0, 1, 1], [4, 1, 1], [4, 4, 4]])

    def value(form, *weights):
        return np.exp(search._logs(form, np.array(weights), logs)).tolist()

    half, ten, three = np.log(0.5), np.log(10), np.log(3)
    product = value("product", ten, np.log(8), half, half, half)
    assert product == pytest.approx([10 + 8, 10 + 4, 10 + 1])
    additive = value("additive", ten, three, three, three, half, half, half)
    assert additive == pytest.approx([10 + 9, 10 + 7.5, 10 + 4.5])
    norm = value("norm", ten, three, three, three, half, half, half, np.log(2))
    assert norm == pytest.approx([10 + 27**0.5, 10 + 20.25**0.5, 10 + 6.75**0.5])
    quadratic = value("quadratic", ten, half, 0, 0, 0, 0, 0, 0, 0, 0)
    assert quadratic == pytest.approx([10, 10 * 4**half, 10 * 4**half])


@pytest.mark.parametrize("form", FORMS)
def test_a_form_finds_its_own_weights_again(form):
    logs, _ = search._arrays(search.points())
    true = {
        "quadratic": [3.1, -0.2, -0.15, -0.1, 0.03, 0.02, 0.01, 0.04, 0.02, 0.05],
        "norm": [2.4, 1.5, 1.4, 1.2, -0.4, -0.2, -0.1, -0.3],
        "product": [2.5, 2.2, -0.6, -0.5, -1.0],
        "additive": [2.4, 1.1, 1.0, 0.5, -0.4, -0.2, 0.1],
    }[form]
    errors = np.exp(search._logs(form, np.array(true), logs))
    found = np.exp(search._logs(form, search._fitted(form, logs, errors), logs))
    assert found == pytest.approx(errors, abs=0.01)


@pytest.mark.parametrize("form", FORMS)
def test_a_surface_is_as_good_as_it_says(form):
    """At B0, which is one point of 38 and not pinned, adding up is off by half a point."""
    surface = Surface.fit(form)
    logs, errors = search._arrays(surface.points)
    away = surface.error(*np.exp(logs.T)) - errors
    assert search.rms(away) == pytest.approx(surface.residual)
    assert surface.residual < surface.held_out
    b0 = abs(surface.error(1, 1, 1) - 22.72)  # as plotted
    assert b0 > 0.5 if form == "additive" else b0 < 0.4
    b4 = built(get("EN-B4"), get("EN-B0"))
    assert surface.error(*b4) == pytest.approx(17.435, abs=0.5)
    assert surface is Surface.fit(form)


def test_two_forms_fit_better_than_the_simpler_two():
    found = {form: Surface.fit(form) for form in FORMS}
    for better in ("quadratic", "norm"):
        for simpler in ("product", "additive"):
            assert found[better].residual < 0.7 * found[simpler].residual
            assert found[better].held_out < found[simpler].held_out


def test_the_hull_is_not_the_box():
    surface = Surface.fit()
    assert surface.inside(*np.exp(search._arrays(surface.points)[0].T)).all()
    deepest, widest, largest = (max(p.factors[i] for p in surface.points) for i in range(3))
    assert surface.inside(deepest, 1, 1) and surface.inside(1, 1, largest)  # ends of curves
    assert not surface.inside(1, widest, 1)  # that end is drawn with more depth and resolution
    assert not surface.inside(deepest, widest, largest)
    assert not surface.inside(0.9, 1, 1)
    assert surface.inside([1, deepest * 1.01], 1, 1).tolist() == [True, False]
    with pytest.raises(InputError, match=r"depth x 9, width x 9, resolution x 1 is outside"):
        surface.error([1, 9], [1, 9], 1)
    assert surface.error(9, 9, 1, extrapolate=True) > 0
    assert surface.error(np.ones((2, 3)), 1, np.ones(3)).shape == (2, 3)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_factors_that_cannot_be(factor):
    with pytest.raises(InputError, match=r"factor .* is not allowed; finite positive ones are"):
        Surface.fit().error(1, factor, 1, extrapolate=True)


def test_unknown_form():
    with pytest.raises(InputError, match=r"unknown form 'quadratc'\. Did you mean 'quadratic'"):
        Surface.fit("quadratc")


@pytest.mark.parametrize("form", FORMS)
def test_the_bootstrap_repeats_itself_and_spreads_with_distance(form):
    surface = Surface.fit(form)
    drawn = surface.bootstrap(1, 30)
    assert [s.weights for s in surface.bootstrap(1, 2)] == [s.weights for s in drawn[:2]]
    assert surface.bootstrap(2, 1)[0].weights != drawn[0].weights
    middle = Factors(1.4, 1.3, 1.1)
    errors = np.array([s.error(*middle) for s in drawn])
    assert abs(errors.mean() - surface.error(*middle)) < 3 * errors.std()
    far = np.array([s.error(6, 4, 3, extrapolate=True) for s in drawn])
    assert 0.01 < errors.std() < 0.3 and far.std() > errors.std()
    assert surface.weights == Surface.fit(form).weights


def test_both_families_of_x_are_worth_about_the_same():
    """Levels are meant to be of one accuracy, whatever the scaling; not fitted to either."""
    surface = Surface.fit()
    for level in ("B2", "B3", "B4"):
        nets = [get(f"{family}-{level}") for family in ("EN-X", "EN-X-GPU", "EN-X-TPU")]
        errors = [surface.error(*built(net, get("EN-B0")), extrapolate=True) for net in nets]
        assert max(errors) - min(errors) < 0.5
