"""Search spaces: points, moves among them, and costs as sums over stages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro import reference
from repro.arch import blocks, get
from repro.complexity import complexity, placed
from repro.counters import count
from repro.errors import InputError
from repro.models import build
from repro.runtime.roofline import device_peaks, roofline
from repro.search.latency import priced
from repro.search.space import ACCELERATOR, EFFICIENTNET, SPACES, Sums, space
from repro.search.table import codes

BOTH = pytest.mark.parametrize("where", SPACES.values(), ids=SPACES)
V100 = device_peaks("V100")


def flops(net):
    return complexity(net).flops


def ideal(net):
    return roofline(net, V100, 128, "fp16", fusion="all").ideal_s


def test_sizes_by_hand():
    assert EFFICIENTNET.size == 3**7 * 2**7 * (3**6 * 4) * 2**7
    first, usual, last = 2 * 2 * 3 * 2 * 2 * 3, 2 * 2 * 3 * 3 * 2 * 3 * 3, 2 * 2 * 3 * 3 * 2 * 2 * 3
    assert (first, usual) == (144, 648)
    assert ACCELERATOR.size == 2 * first * usual**5 * last


def test_each_space_is_built_around_a_network_of_the_zoo():
    b0 = EFFICIENTNET.network(EFFICIENTNET.parse(EFFICIENTNET.base))
    assert list(blocks(b0)) == list(blocks(get("EN-B0")))
    assert complexity(b0) == complexity(get("EN-B0"))
    x = ACCELERATOR.network(ACCELERATOR.parse(ACCELERATOR.base))
    assert (x.stages, x.stem_width, x.rules) == (
        get("EN-X-B0").stages,
        get("EN-X-B0").stem_width,
        get("EN-X-B0").rules,
    )
    assert complexity(x) == complexity(get("EN-X-B0"))


def test_a_network_by_hand():
    code = EFFICIENTNET.parse("B0-1664446-3553335-1213132-0101010")
    net = EFFICIENTNET.network(code)
    assert net.name == EFFICIENTNET.text(code)
    assert [s.expansion for s in net.stages] == [1, 6, 6, 4, 4, 4, 6]
    assert [s.depth for s in net.stages] == [1, 2, 1, 3, 1, 3, 2]
    assert [b.se_width for b, _ in blocks(net)][:2] == [0, 4]


def test_choices_by_hand():
    """Without squeeze-excite, one block in the last stage: what EN-B0 loses of its parameters."""
    last = get("EN-B0").stages[-1]
    inner, squeeze = 192 * last.expansion, 192 // 4
    lost = 2 * inner * squeeze + inner + squeeze  # two 1x1 convs and their biases
    other = EFFICIENTNET.network(EFFICIENTNET.parse(EFFICIENTNET.base[:-1] + "0"))
    assert complexity(get("EN-B0")).params - complexity(other).params == lost


def test_every_published_network_has_the_published_parameters():
    """To the digits printed, which are four decimals of a million."""
    for row in (*reference.b0_space(), *reference.b0_schedules()):
        params = complexity(EFFICIENTNET.network(codes([row[:4]])[0])).params
        assert reference.agrees_as_printed(float(row.mparams), params / 1e6, 4), row


@BOTH
@given(seed=st.integers(0, 2**32 - 1))
def test_names_and_values_lead_back_to_the_point(where, seed):
    code = where.sample(np.random.default_rng(seed), 1)[0]
    assert where.valid(code)
    assert where.parse(where.text(code)).tolist() == code.tolist()
    assert where.encode(where.decode(code)).tolist() == code.tolist()


@BOTH
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_counts_and_builds_alike(where, seed):
    net = where.network(where.sample(np.random.default_rng(seed), 1)[0])
    built = count(build(net, device="meta"))
    counted = complexity(net)
    assert (built.flops, built.params, built.acts) == (
        counted.flops,
        counted.params,
        counted.acts,
    )


@BOTH
def test_sums_over_stages_are_the_networks_own_counts(where):
    codes = where.sample(np.random.default_rng(0), 100)
    networks = [where.network(code) for code in codes]
    assert Sums(where, flops)(codes).tolist() == list(map(flops, networks))
    assert Sums(where, ideal)(codes) == pytest.approx(list(map(ideal, networks)), rel=1e-12)


@BOTH
def test_a_stage_is_decided_by_its_part_alone(where):
    rng = np.random.default_rng(1)
    for _ in range(30):
        one, other = where.sample(rng, 2)
        for i, part in enumerate(where.parts[:-1]):
            mixed = other.copy()
            mixed[[where.places[name] for name in part]] = one[[where.places[n] for n in part]]
            own, again = (
                [p for p in placed(where.network(code)) if p[0] == i + 1] for code in (one, mixed)
            )
            assert own == again


def test_what_does_not_add_up_is_refused():
    codes = EFFICIENTNET.sample(np.random.default_rng(0), 5)
    with pytest.raises(ValueError, match="is not the sum over stages"):
        Sums(EFFICIENTNET, lambda net: flops(net) ** 0.5)(codes)


def test_a_constant_is_charged_once():
    codes = ACCELERATOR.sample(np.random.default_rng(0), 5)
    plain, dearer = (Sums(ACCELERATOR, priced("", 1, 1, c))(codes) for c in (0, 1e9))
    assert dearer - plain == pytest.approx(1e9)


@BOTH
def test_moves_stay_inside(where):
    rng = np.random.default_rng(2)
    one, other = where.sample(rng, 500), where.sample(rng, 500)
    child = where.cross(rng, one, other)
    assert ((child == one) | (child == other)).all()
    assert 0.4 < (child == one)[one != other].mean() < 0.6
    changed = where.mutate(rng, one)
    assert where.valid(changed).all() and (changed != one).any(axis=1).all()
    assert 1 < (changed != one).sum(axis=1).mean() < 3


@BOTH
def test_samples_are_uniform(where):
    codes = where.sample(np.random.default_rng(3), 20_000)
    for column, choices in zip(codes.T, where.counts, strict=True):
        shares = np.bincount(column, minlength=choices) / len(codes)
        assert shares == pytest.approx(1 / choices, abs=0.02)


@BOTH
def test_neighbours_differ_in_one_choice(where):
    code = where.parse(where.base)
    near = where.neighbours(code)
    assert len(near) == (where.counts - 1).sum()
    assert ((near != code).sum(axis=1) == 1).all() and where.valid(near).all()


def test_a_part_of_a_space():
    small = EFFICIENTNET.fixed("e", "k", "se", "l1", "l2", "l3", "l4", "l5")
    assert small.size == 4 * 3
    names = {small.text(code) for code in small.every()}
    assert len(names) == 12
    assert all(n.startswith("B0-1666666-3353553-12233") and n.endswith("-1111111") for n in names)
    moved = small.mutate(np.random.default_rng(0), small.every())
    assert small.valid(moved).all()


def test_bad_points():
    good = EFFICIENTNET.decode(EFFICIENTNET.parse(EFFICIENTNET.base))
    with pytest.raises(InputError, match=r"k3 is 7; allowed: 3, 5"):
        EFFICIENTNET.encode({**good, "k3": 7})
    with pytest.raises(InputError, match="k8 is no choice"):
        EFFICIENTNET.encode({**good, "k8": 3})
    with pytest.raises(InputError, match="e1 is not chosen"):
        EFFICIENTNET.encode({k: v for k, v in good.items() if k != "e1"})
    for text in ("", "B0", EFFICIENTNET.base.replace("5", "7", 1), ACCELERATOR.base):
        with pytest.raises(InputError, match="is no network of the space efficientnet"):
            EFFICIENTNET.parse(text)
    outside = EFFICIENTNET.sample(np.random.default_rng(0), 3)
    outside[0, 0], outside[1, 0] = 3, -1
    assert EFFICIENTNET.valid(outside).tolist() == [False, False, True]
    with pytest.raises(InputError, match=r"unknown space 'eficientnet'\. Did you mean"):
        space("eficientnet")
