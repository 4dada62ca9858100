import pytest
from made_up_records import peak, timing

from repro.runtime.picture import curves_text, number, plot, save_curves, summary

METRICS = [
    *({"kind": "train", "epoch": i / 4, "loss": 8 - i} for i in range(1, 9)),
    {"kind": "epoch", "epoch": 1, "holdout": {"wrong": 4, "images": 10}},
    {"kind": "epoch", "epoch": 2, "holdout": {"wrong": 2, "images": 10}},
]


def test_a_table_has_medians_quartiles_and_memory():
    records = [timing("a net", peak_rss=5_000_000), timing("b", peak_allocated=7)]
    lines = summary(records).splitlines()
    assert lines[0].split()[:4] == ["model", "mode", "dtype", "batch"]
    assert " ".join(lines[1].split()) == "a net infer fp32 2 200 150 to 250 10 5"
    assert len(lines) == 3


def test_points_stand_where_they_are():
    lines = plot("title", [(0.0, 1.0), (0.5, 3.0), (1.0, 2.0)], "end", ".*").splitlines()
    assert lines[0] == "title" and lines[-1].split() == ["0", "end"]
    assert lines[1] == "3 |" + " " * 30 + "*"
    assert lines[5] == "  |" + " " * 60 + "*"
    assert lines[9] == "1 |."
    assert plot("level", [(0.0, 2.0), (1.0, 2.0)], "").count("*") == 2


def test_one_timing_shows_its_warm_up_and_its_samples():
    text = summary([timing(samples=(0.1, 0.1), warmup_s=(0.7, 0.4, 0.1))])
    drawn = text[text.index("700 |") :]
    assert (drawn.count("."), drawn.count("*")) == (3, 2)


def test_a_summary_says_what_went_differently():
    text = summary([timing(halvings=2), timing("restless", settled=False)])
    assert "* batch halved" in text and "did not settle while warming up: restless" in text


def test_peak_rates_in_a_summary():
    assert summary([peak()]) == (
        "a processor, fp32: at best 2 TFLOP/s in a matrix product, 3 GB/s in a copy"
    )


def test_learning_curves_in_characters():
    text = curves_text(METRICS, 2)
    assert text.count("*") == 10 and text.startswith("training loss\n")
    assert "epoch 2" in text and text.isascii() and max(map(len, text.splitlines())) < 80
    assert "hold-out" not in curves_text(METRICS[:8], 2)


def test_a_figure_is_the_same_for_the_same_metrics(tmp_path):
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        save_curves(METRICS, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second and b"training loss" in first


@pytest.mark.parametrize(
    "value, text",
    [(19162.3, "19,160"), (999.96, "1,000"), (200.0, "200"), (0.00000123, "0.00000123")],
)
def test_numbers_have_four_digits_and_no_exponent(value, text):
    assert number(value) == text
