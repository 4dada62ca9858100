"""The runs that the page itself makes."""

import pytest

from repro.analysis.accuracy import live
from repro.errors import InputError
from repro.training.spec import Setting


def test_runs_are_those_of_the_sweep_but_shorter():
    runs = list(live.planned(["proxy-EN", "proxy-Z"], ["w", "dwr"], 2, 3))
    assert len(runs) == 2 * 3 * 2
    assert {r.setting.seed for r in runs} == {0, 1}
    first = runs[0]
    assert first.strategy is None and first.net.resolution == 16
    assert (first.setting.recipe.epochs, first.setting.recipe.batch) == (3, 64)
    assert [r.strategy.name for r in runs[1:3]] == ["w", "dwr"]


def test_a_run_is_trained_and_shown():
    (planned,) = (r for r in live.planned(["proxy-EN"], ["w"], 1, 1) if r.strategy is None)
    small = planned.setting.model_dump() | {"images": 64}
    run = type(planned)(planned.net.at(8), "proxy-EN", None, None, Setting(**small))
    (record,) = live.train([run])
    table = live.outcome_table([record, record])
    assert list(table.strategy) == ["base"] and list(table.seeds) == [2]
    assert table["test error, %"][0] == pytest.approx(100 * record.test.error)
    assert record.threads == 1


def test_a_missing_folder_is_named():
    (run, *_) = live.planned(["proxy-EN"], ["w"], 1, 1, "cifar10")
    with pytest.raises(InputError, match="cifar10"):
        live.train([run], root="not-there")
