import pytest
from made_up_records import peak, timing

from repro.runtime.picture import bars, number, save_figure, summary, table, trace


def test_a_table_has_medians_quartiles_and_memory():
    lines = table([timing("a net", peak_rss=5_000_000), timing("b", peak_allocated=7)]).splitlines()
    assert lines[0].split()[:4] == ["model", "mode", "dtype", "batch"]
    assert " ".join(lines[1].split()) == "a net infer fp32 2 200 150 to 250 10 5"
    assert len(lines) == 3


def test_bars_are_as_long_as_times_per_image():
    slow, quick = bars([timing("slow", (4.0,)), timing("quick", (1.0,))]).splitlines()[1:]
    assert (slow.count("="), quick.count("=")) == (40, 10)
    assert slow.isascii()


def test_brackets_stand_at_the_quartiles():
    line = bars([timing("a", (1.0, 2.0, 3.0, 4.0, 5.0))]).splitlines()[1]
    drawn = line[line.index("=") :]
    assert (drawn.index("["), drawn.index("]")) == (20, 40)


def test_a_trace_shows_warm_up_falling_and_samples_level():
    text = trace(timing(samples=(0.1, 0.1), warmup_s=(0.7, 0.4, 0.1)))
    assert text.startswith("#-_|__ ".replace("-", text[1]))
    assert "100 to 700 ms" in text and text[1] in ".-=+*"
    assert text.splitlines()[1].endswith("from _ (shortest) through . - = + * to # (longest)")


def test_a_summary_says_what_went_differently():
    text = summary([timing(halvings=2), timing("restless", settled=False)])
    assert "* batch halved" in text and "did not settle while warming up: restless" in text


def test_peak_rates_in_a_summary():
    assert summary([peak()]) == (
        "a processor, fp32: at best 2 TFLOP/s in a matrix product, 3 GB/s in a copy"
    )


def test_a_figure_is_the_same_for_the_same_records(tmp_path):
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        save_figure([timing("a"), timing("b", (0.5,))], path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second and b"ms per image (infer, a processor)" in first


@pytest.mark.parametrize(
    "value, text",
    [(19162.3, "19,160"), (999.96, "1,000"), (200.0, "200"), (0.00000123, "0.00000123")],
)
def test_numbers_have_four_digits_and_no_exponent(value, text):
    assert number(value) == text


def test_one_iteration_is_singular():
    assert "samples of 1 iteration, " in trace(timing(iterations=1))
    assert "samples of 3 iterations, " in trace(timing(iterations=3))
