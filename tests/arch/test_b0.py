import pytest

from repro import reference
from repro.arch import get
from repro.arch.b0 import b0_variant
from repro.complexity import complexity
from repro.errors import InputError


def variant(e="1666666", k="3353553", repeats="1223341", se="1111111"):
    return b0_variant(*(tuple(map(int, text)) for text in (e, k, repeats, se)))


def test_its_own_choices_make_b0():
    net = variant()
    assert net.name == "B0-1666666-3353553-1223341-1111111"
    assert complexity(net) == complexity(get("EN-B0"))


def test_choices_by_hand():
    """Without squeeze-excite, one block in the last stage: what EN-B0 loses of its parameters."""
    last = get("EN-B0").stages[-1]
    inner, squeeze = 192 * last.expansion, 192 // 4
    lost = 2 * inner * squeeze + inner + squeeze  # two 1x1 convs and their biases
    assert complexity(variant()).params - complexity(variant(se="1111110")).params == lost


def test_every_published_network_has_the_published_parameters():
    """To the digits printed, which are four decimals of a million."""
    for row in (*reference.b0_space(), *reference.b0_schedules()):
        params = complexity(variant(row.e, row.k, row.l, row.se)).params
        assert reference.agrees_as_printed(float(row.mparams), params / 1e6, 4), row


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"e": "166666"}, "e has 6 values; one for each of B0's 7 stages"),
        ({"e": "1666667"}, "e of stage 7 is 7; allowed: 1, 4, 6"),
        ({"repeats": "4223341"}, "l of stage 1 is 4; allowed: 1, 2, 3"),
        ({"k": "3353557"}, "k of stage 7 is 7"),
        ({"se": "2111111"}, "se of stage 1 is 2; allowed: 0, 1"),
    ],
)
def test_what_the_space_does_not_have(choices, message):
    with pytest.raises(InputError, match=message):
        variant(**choices)
