"""A search put together: budgets, a reader's own accuracy, and what is said of what was found."""

import numpy as np
import pytest
import torch

from repro.arch import get
from repro.complexity import complexity
from repro.errors import InputError
from repro.search import latency
from repro.search.budgets import read_budget
from repro.search.problem import Problem, read_accuracies
from repro.search.space import ACCELERATOR, EFFICIENTNET

B0, SLIM = EFFICIENTNET.base, "B0-1666666-3353553-1223341-1111110"
BIG = "B0-1666666-5555555-3333343-1111111"
X0 = ACCELERATOR.base


@pytest.fixture
def own(tmp_path):
    def file(*rows, header="network,error"):
        path = tmp_path / "own.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return str(path)

    return file


def problem(budget, *more, space=EFFICIENTNET, **options):
    return Problem(space, read_budget(budget), *more, **options)


def test_of_two_candidates_by_hand(own):
    path = own(f"{B0},23", f"{BIG},20")
    flops = complexity(get("EN-B0")).flops
    for budget, name in ((f"{flops / 1e9}GF", B0), ("2GF", BIG)):
        answer = problem(budget, accuracy=path).cheap()
        base, best = answer["networks"]
        assert (base["network"], best["network"]) == (B0, name)
        assert base["top1"] == 77 and base["flops"] == flops
        assert answer["evaluations"] == 2 and answer["tied"] == 0
        assert answer["binds"] == (name == B0) and answer["phi"] == 1


def test_the_soft_reward_does_not_know_its_budget(own):
    path = own(f"{B0},23", f"{BIG},22", f"{SLIM},23.1")
    seconds = {
        n: latency.on_device("V100")(EFFICIENTNET.network(EFFICIENTNET.parse(n)))
        for n in (B0, BIG, SLIM)
    }
    worth = {n: t * seconds[n] ** -0.09 for n, t in ((B0, 77), (BIG, 78), (SLIM, 76.9))}
    for budget in ("1us", "5ms", "1s"):
        answer = problem(budget, "V100", accuracy=path, rule="soft").cheap()
        assert answer["networks"][1]["network"] == max(worth, key=worth.get)
        assert answer["tied"] is None


def test_the_base_itself_is_within_its_own_time():
    found = problem("1x", "V100", evaluations=2_000).cheap()
    base, best = found["networks"]
    assert base["ms"] == pytest.approx(1e3 * latency.on_device("V100")(get("EN-B0")))
    assert best["ms"] <= base["ms"] and best["top1"] > base["top1"]
    assert 0 < found["phi"] < 0.5 and found["binds"] and found["top1_error"] < 0.4
    again = problem("1x", "V100", evaluations=2_000).cheap()
    assert again == found


@pytest.mark.parametrize("device", ["V100", "A100", "H100", "TPUv3", "rtx3090", "rtx4090"])
def test_a_budget_of_what_the_base_costs_admits_the_base(own, device):
    """Whatever the order in which its cost was added up."""
    seconds = latency.on_device(device)(EFFICIENTNET.network(EFFICIENTNET.own))
    for unit, times in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        found = problem(f"{times * seconds:.20f}{unit}", device, accuracy=own(f"{B0},23")).cheap()
        assert found["networks"][1]["network"] == B0 and not found["binds"]


def test_budgets_that_are_too_small_or_too_large():
    with pytest.raises(InputError) as error:
        problem("1us", "V100", evaluations=600).cheap()
    assert "'1us' is too small: of 600 networks none needs less than" in str(error.value)
    assert str(error.value).endswith(" us")
    assert not problem("9s", "V100", evaluations=600).cheap()["binds"]


def test_what_cannot_be_asked():
    with pytest.raises(InputError, match="budget '5ms' needs a --device, such as V100"):
        problem("5ms")
    with pytest.raises(InputError, match="nobody published what networks of the space accelerator"):
        problem("1GF", space=ACCELERATOR)
    with pytest.raises(InputError, match=r"unknown device 'V1000'\. Did you mean 'V100'\?"):
        problem("5ms", "V1000").cheap()
    for budget, device in (("5ms", "V100"), ("1GF", "cpu")):
        with pytest.raises(InputError, match="--shared times networks here"):
            problem(budget, device).shared("nowhere")


def test_a_shared_search_times_here_and_goes_on(tmp_path, monkeypatch):
    timed = []

    def measured(protocol):
        """A CPU's roofline in place of a measurement."""

        def seconds(net):
            timed.append((protocol.device, protocol.batch, net.name))
            return latency.on_device("CPU", protocol.batch)(net)

        return seconds

    monkeypatch.setattr(latency, "measured", measured)
    made, path = [], tmp_path / "search.journal"
    for evaluations in (8, 12, 12):
        wanted = problem("9ms", "cpu", 4, evaluations=evaluations)
        found = wanted.shared(path, made.append)
    assert made == list(range(1, 13)) and len(set(timed)) == len(timed) == 12
    assert timed[0] == ("cpu", 4, B0) and found["phi"] is None
    base, best = found["networks"]
    assert base["network"] == B0 and best["top1"] >= base["top1"] and best["ms"] <= 9
    with pytest.raises(InputError, match="is another one: its budget is '9ms', here '8ms'"):
        problem("8ms", "cpu", 4).shared(path)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device 'cuda' is not here"):
            problem("9ms", "cuda").shared(path)


def test_the_accelerator_space_by_a_readers_own_accuracy(own):
    wide = X0.replace("4444444-r", "4444444-s")
    answer = problem("1x", "TPUv3", space=ACCELERATOR, accuracy=own(f"{X0},22.7", f"{wide},22.5"))
    assert answer.cheap()["networks"][1]["network"] == wide  # a roofline does not see activations


def test_a_base_that_the_file_lacks_has_no_accuracy(own):
    answer = problem("1GF", accuracy=own(f"{SLIM},23")).cheap()
    assert answer["networks"][0]["top1"] is None and answer["networks"][1]["top1"] == 77


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([f"{X0},20"], "line 2: 'X0-1-.*' is no network of the space efficientnet"),
        ([f"{B0},20", f"{B0},20"], "line 3: B0-.* stands twice"),
        ([f"{B0},nan"], "line 2: error 'nan' is no percentage"),
        ([f"{B0},120"], "line 2: error '120' is no percentage"),
        ([f"{B0},"], "line 2: error '' is no percentage"),
        ([B0], "line 2: 1 cells, the header has 2"),
        ([], "holds no network"),
    ],
)
def test_bad_rows_of_a_readers_own_file(own, rows, message):
    with pytest.raises(InputError, match=message):
        read_accuracies(own(*rows), EFFICIENTNET)


def test_bad_files_of_a_readers_own(own, tmp_path):
    with pytest.raises(InputError, match="no column error"):
        read_accuracies(own(header="network,top1"), EFFICIENTNET)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_accuracies(str(tmp_path / "none.csv"), EFFICIENTNET)
    codes, reached = read_accuracies(own(f"{B0},23", f"{BIG},20"), EFFICIENTNET)
    assert codes.shape == (2, 28) and np.allclose(reached, [77, 80])


def test_it_finds_the_best_of_a_part_of_the_space():
    """Three stages free, by the table and a roofline: 46,656 networks, all looked at, or 4,000."""
    three = EFFICIENTNET.fixed(
        *(f"{field}{stage}" for field in ("e", "k", "l", "se") for stage in (1, 2, 6, 7))
    )
    every, few = (
        problem("1x", "V100", space=three, evaluations=n).cheap() for n in (three.size, 4_000)
    )
    assert (every["evaluations"], few["evaluations"]) == (36**3, 4_000)
    assert every["networks"] == few["networks"]
