"""Our own runs as the chapter shows them, from runs that never were."""

import math

import pandas as pd
import pytest
from made_up_trainings import BASES, GAINS, law, runs

from repro.analysis.accuracy import proxies as proxy
from repro.book.chapters import accuracy_own as own
from repro.book.chapters import does_accuracy_survive as figures
from repro.errors import InputError
from repro.evidence import trainings as evidence
from repro.records import append


@pytest.fixture(scope="module")
def made():
    return tuple(runs(law(GAINS)))


@pytest.fixture(scope="module")
def with_digits(made):
    flat = {name: 0.0 for name in GAINS}
    return (*made, *runs(law(flat, noise=0.2), data="digits"))


@pytest.fixture
def file(tmp_path, made):
    path = tmp_path / "mine.jsonl"
    for record in made:
        append(path, record)
    return path


def test_data_sets_are_those_with_something_to_compare(with_digits, made):
    assert proxy.data_sets(with_digits) == ["cifar10", "digits"]
    assert proxy.data_sets([r for r in made if r.subject.strategy is None]) == []
    assert proxy.data_sets([]) == []


def test_every_run_is_a_row_and_every_network_a_mean(made):
    frame = proxy.runs_frame(made, "cifar10")
    assert len(frame) == len(made) and frame.strategy.iloc[0] == proxy.UNSCALED
    means = proxy.by_network(frame).set_index(["base", "strategy", "times"])
    dwr = means.loc["proxy-Y", "dwr", 4]
    assert dwr.error == pytest.approx(BASES["proxy-Y"] - GAINS["dwr"])
    # Errors 0.05 apart: deviation 0.05, three seeds, t = 4.303.
    assert dwr.half == pytest.approx(4.303 * 0.05 / math.sqrt(3), rel=1e-3)
    one = [r for r in made if r.setting["seed"] == 0]
    alone = proxy.by_network(proxy.runs_frame(one, "cifar10"))
    assert alone.half.isna().all()
    assert proxy.error_table(alone)["proxy-Y"].str.match(r"^\d+\.\d$").all()


def test_differences_from_dwr_are_those_of_the_evidence(made):
    found = proxy.against(made, "cifar10")
    row = found[(found.strategy == "r") & (found["where"] == "as trained")].iloc[0]
    theirs = evidence.trained("cifar10", made)
    same = evidence.difference(evidence.cells(theirs, "r", 4), evidence.cells(theirs, "dwr", 4))
    assert (row["mean"], row.low, row.high) == (same.mean, same.low, same.high)
    assert row["mean"] == pytest.approx(GAINS["dwr"] - GAINS["r"])
    assert row.share == pytest.approx((GAINS["dwr"] - GAINS["r"]) / GAINS["dwr"])
    assert row.by_base == same.by_base
    assert set(found.strategy) == set(proxy.WAYS) - {"dwr"}


def test_at_equal_flops_networks_on_one_curve_do_not_differ():
    """Errors that follow from flops alone, whatever the strategy."""
    asked = runs(lambda *_: 50.0)
    starts = {r.subject.base: r.subject.flops for r in asked if r.subject.strategy is None}

    def by_flops(record):
        error = 40 * (record.subject.flops / starts[record.subject.base]) ** -0.2
        error += 0.01 * record.setting["seed"]
        wrong = round(error * 100)
        test = record.test.model_copy(update={"wrong": wrong})
        return record.model_copy(update={"test": test})

    made = [by_flops(r) for r in asked]
    found = proxy.against(made, "cifar10").set_index(["where", "strategy"])["mean"]
    assert found["at equal flops"].abs().max() < 0.02
    assert found["as trained"].abs().max() > 0.5  # alpha = 2/3 comes out small


def test_no_share_where_nothing_may_be_gained(with_digits):
    found = proxy.against(with_digits, "digits")
    assert found.share.isna().all() and len(found)
    table = proxy.effect_table(found)
    assert set(table["% of dwr's gain"]) == {"–"}


def test_intervals_never_say_minus_zero():
    assert proxy._interval(-0.004, -0.2, 0.1) == "+0.00 (-0.20 to +0.10)"


def test_without_pairs_there_is_no_difference(made):
    assert proxy.against([r for r in made if r.setting["seed"] == 0], "cifar10").empty


# ------------------------------------------------------------------ verdicts and sentences


def said(made):
    return proxy.judged(made, "cifar10")


def test_verdicts_are_the_ledgers(made):
    judgements = said(made)
    assert len(judgements) == 8
    assert {j.verdict for j in judgements} == {"trend reproduced"}
    table = proxy.verdict_table(judgements)
    assert set(table.verdict) == {"holds"} and table.found.str.contains("points").all()
    assert proxy.in_a_sentence(judgements, "cifar10") == (
        "Of 8 statements put to the proxies on CIFAR-10, 8 hold."
    )


def test_a_verdict_that_fails_or_stays_open_is_said(made):
    turned = {**GAINS, "d": 5.0, "w": 5.0, "r": 5.0, "dwr": 4.0, "dWr": 1.0}
    judgements = said(runs(law(turned)))
    text = proxy.in_a_sentence(judgements, "cifar10")
    assert " fail" in text
    found = proxy.against(runs(law(turned)), "cifar10")
    meaning = proxy.meaning(judgements, found, "cifar10")
    assert "is **not** less accurate than dwr" in meaning
    assert "r alone is **not** less accurate than dwr but more: -1.00" in meaning
    assert "dWr is **not** about as accurate as dwr" in meaning
    noisy = runs(law(GAINS, noise=9.0))
    open_ = proxy.meaning(said(noisy), proxy.against(noisy, "cifar10"), "cifar10")
    assert open_.count("**open**") == 6
    table = proxy.verdict_table(said(noisy))
    assert not table.found.str.contains("More seeds").any()


def test_a_reader_s_runs_are_judged_and_the_project_s_are_back_afterwards(made):
    before = proxy.judged(None, "cifar10")
    assert proxy.judged(made, "cifar10") != before
    assert proxy.judged(None, "cifar10") == before


def test_differences_in_a_sentence(made):
    text = proxy.in_points(proxy.against(made, "cifar10"))
    assert text == (
        "At the largest scale they find d 1.0, w 1.0 and r 2.0 points worse than dwr, "
        "alpha=2/3 and dWr not told apart from it."
    )
    assert proxy.in_points(pd.DataFrame()) == ""


def with_losses(records, loss):
    """The same records with training losses that a law states, from the strategy and the error."""

    def changed(record):
        last = record.curve[-1]
        value = loss(record.subject.strategy, 100 * record.test.error)
        epoch = last.model_copy(update={"train_loss": value})
        return record.model_copy(update={"curve": (epoch,)})

    return [changed(r) for r in records]


def test_each_reason_is_given_where_the_runs_support_it(made):
    found = proxy.against(made, "cifar10")
    follows = with_losses(made, lambda _, error: error / 30)
    text = proxy.diagnosis(follows, "cifar10", found)
    assert "(r = 1.000)" in text and "250,200" in text
    assert "**Depth.**" not in text and "**Resolution.**" not in text
    behind = with_losses(made, lambda strategy, error: error / 30 + (strategy == "d"))
    assert "**Depth.**" in proxy.diagnosis(behind, "cifar10", found)
    assert "Over all" not in proxy.diagnosis(behind, "cifar10", found)
    better = runs(law({**GAINS, "r": 8.0}))
    text = proxy.diagnosis(better, "cifar10", proxy.against(better, "cifar10"))
    assert "**Resolution.**" in text


def test_losses_are_above_the_bases(made):
    table = proxy.losses(with_losses(made, lambda s, _: 2.0 if s == "d" else 1.5), "cifar10")
    by = table.set_index("strategy")
    assert by["mean"]["d"] == pytest.approx(0.5) and by["mean"]["w"] == pytest.approx(0)


def test_updates_are_counted():
    (record, *_) = runs(lambda *_: 50.0)
    assert proxy.updates(record) == record.setting["recipe"]["epochs"] * (9 // 64)
    assert proxy.paper_updates() == 200 * 1251


def test_thresholds_come_from_the_ledger():
    assert proxy.thresholds() == {"worse": 0.05, "alike": 0.15}


def test_the_control_says_what_resolution_gained(with_digits):
    text = proxy.control(with_digits, "cifar10", "digits")
    assert "on digits r lowers the error by" in text and "neither can dwr" in text
    gaining = runs(law({**GAINS}), data="digits")
    both = (*runs(law(GAINS)), *gaining)
    without = runs(law({**GAINS, "r": 0.0}), data="digits")
    text = proxy.control((*runs(law(GAINS)), *without), "cifar10", "digits")
    assert "it is the pixels" in text
    assert "r gains on digits too" in proxy.control(both, "cifar10", "digits")


def test_strategies_that_make_one_network_are_named(made):
    text = proxy.same_networks(proxy.by_network(proxy.runs_frame(made, "cifar10")))
    assert "at × 2, w and dWr on `proxy-EN`, `proxy-Y` and `proxy-Z`" in text
    fours = [r for r in made if r.subject.scale is None or r.subject.scale > 2.83]
    text = proxy.same_networks(proxy.by_network(proxy.runs_frame(fours, "cifar10")))
    assert "network of its own" in text


def test_test_images_limit_what_a_difference_says():
    means = pd.DataFrame({"error": [20.0, 30.0, 10.0]})
    assert proxy.test_image_error(means, 10_000) == pytest.approx(100 * math.sqrt(0.5 / 10_000))


# ------------------------------------------------------------------ files, and the page


def test_a_reader_s_file(file, tmp_path):
    assert len(proxy.trainings(str(file))) == 117
    table = proxy.files_table(str(file))
    assert list(table.runs) == list(table.compared) == [117]
    with pytest.raises(InputError, match="is not there"):
        proxy.trainings(str(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no training run"):
        proxy.trainings(str(tmp_path / "empty.jsonl"))


PIECES = ("files", "errors_figure", "errors_table", "forest_figure", "effects_table", "verdicts")
TEXTS = ("status", "sentence", "meaning", "diagnosis", "control", "same", "limits")
COSTS = ("costs_table", "pareto_figure", "loss_figure")


@pytest.mark.parametrize("what", ["nothing", "one data set", "two data sets", "one seed"])
def test_every_piece_of_the_page_can_be_shown(what, with_digits, made, monkeypatch):
    records = {
        "nothing": (),
        "one data set": made,
        "two data sets": with_digits,
        "one seed": tuple(r for r in made if r.setting["seed"] == 0),
    }[what]
    monkeypatch.setattr(proxy, "stored", lambda *_: records)
    monkeypatch.setattr(evidence, "stored", lambda *_: records)
    page = own.own_runs()
    for name in (*PIECES, *COSTS):
        assert getattr(page, name)()._repr_html_(), name
    for name in TEXTS:
        assert getattr(page, name)().strip(), name
    assert all(isinstance(v, int | float) for v in page.numbers().values())
    if what == "nothing":
        assert page.sentence() == "No runs on CIFAR-10 are recorded, so nothing is decided there."
        assert set(proxy.verdict_table(page.judgements).found) == {"no runs recorded"}
    if what == "two data sets":
        assert page.main == "cifar10" and list(page.found) == ["cifar10", "digits"]


def test_the_front_holds_what_nothing_beats():
    frame = pd.DataFrame({"cost": [3, 1, 2, 4, 2], "error": [7.0, 10.0, 8.0, 7.5, 9.0]})
    front = figures.pareto_front(frame, "cost")
    assert list(zip(front.cost, front.error, strict=True)) == [(1, 10.0), (2, 8.0), (3, 7.0)]


def test_published_figures_draw_every_curve():
    from repro.analysis.accuracy import published as ap

    fig = figures.published_figure(ap.panels())
    drawn = [ax for ax in fig.axes if ax.lines]
    assert len(drawn) == len(ap.FIGURES)
    assert [len(ax.lines) for ax in drawn[:3]] == [5, 4, 4]
    gaps = figures.gap_figure(ap.gaps(), ap.noise())
    assert [len(ax.lines) for ax in gaps.axes] == [8, 7, 8]  # a line at zero, and each strategy
    assert len(figures.large_figure(ap.large_models()).axes[0].lines) == 5
