"""What ImageNet would take: times, commands, numbers of runs."""

import shlex

import numpy as np
import pytest

from repro.analysis.accuracy import cost as ac
from repro.cli.app import main
from repro.complexity import complexity
from repro.training.plan import plan


def test_published_minutes_are_those_of_the_very_network():
    t = ac.training("EN-B0", "dwr", 11)
    assert (t.minutes, t.published, t.net.resolution) == (17.38, True, 336)
    assert t.hours(200) == pytest.approx(8 * 17.38 * 200 / 60)
    assert ac.training("EN-B0", "alpha=2/3", 11).minutes == 11.20
    assert not ac.training("RegNetY-500MF", "dwr", 8.2).published


def test_others_are_predicted_and_say_so():
    t = ac.training("EN-B0", "d", 11)
    assert not t.published
    assert 20 < t.minutes < 45  # more acts than dwr, which takes 17
    table = ac.price_table([t, ac.training("EN-B0", "dWr", 11)], 200, 3)
    assert table.minutes[0].startswith("≈ ") and table.minutes[1] == "11.1"
    assert table["× 3 seeds"][1] == pytest.approx(3 * table["V100-hours"][1])


@pytest.mark.parametrize("strategy", ["d", "w", "r", "dwr", "alpha=2/3", "dWr"])
def test_commands_make_the_very_network(strategy):
    t = ac.training("RegNetY-500MF", strategy, 4.1)
    for command in ac.commands(t, 100).values():
        words = shlex.split(command.replace("\\\n", " "))
        at = {w: words[i + 1] for i, w in enumerate(words[:-1]) if w.startswith("--")}
        run = plan("RegNetY-500MF", "imagenet", at["--strategy"], float(at["--scale"]))
        assert complexity(run.net).flops == pytest.approx(1e9 * t.flops)
        assert run.net == t.net
        assert at["--epochs"] == "100" and at["--data"] == "imagenet"


def test_commands_are_ones_that_the_program_knows(capsys):
    """Up to the folder, which is not there."""
    both = ac.commands(ac.training("EN-B0", "dWr", 11), 1)
    words = shlex.split(both["slurm"].replace("\\\n", " "))
    assert words[:2] == ["repro", "train"]
    here = [w for w in words[1:] if w not in ("--executor", "slurm")]
    assert main([*here, "--device", "cpu", "--ranks", "1", "--batch", "8"]) == 2
    assert "DIR" in capsys.readouterr().err


def test_the_number_of_runs_has_the_power_it_promises():
    gap, deviation = 0.2, 0.2
    n = ac.runs_needed(gap, deviation)
    assert n == 16
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, deviation, (2, 40_000, n)).mean(axis=2)
    found = (np.abs(a + gap - b) > 1.96 * deviation * np.sqrt(2 / n)).mean()
    assert found == pytest.approx(0.8, abs=0.02)
    assert ac.runs_needed(10.0, 0.1) == 2


def test_the_whole_study():
    networks, hours = ac.whole_study(200)
    twice = ac.whole_study(400)[1]
    assert networks == 64 and twice == pytest.approx(2 * hours)
    assert 5_000 < hours < 30_000
