"""A reader's records over the book's: which runs are compared, and what is refused."""

import pytest
from made_up_records import MACHINE, timing

from repro.analysis.timing import overlay as page
from repro.book.parameters import check, resolve
from repro.errors import InputError
from repro.records import Protocol
from repro.stored import append

GPU = MACHINE.model_copy(update={"device": "cuda", "device_name": "a GPU"})
INFER, STEP = Protocol(threads=1), Protocol(threads=1, mode="step", batch=4)


def run_of(names, protocol=INFER, seconds=1.0, **changes):
    """One run: the n-th network takes n times as long."""
    return [
        timing(name, samples=(n * seconds,), protocol=protocol, batch=1, **changes)
        for n, name in enumerate(names, 1)
    ]


@pytest.fixture
def book(monkeypatch):
    """A book that has timed three networks in two modes."""
    records = run_of("abc") + run_of("abc", STEP, 3.0)
    monkeypatch.setattr(page, "stored", lambda: records)
    return records


@pytest.fixture
def file(tmp_path):
    def write(records):
        for record in records:
            append(tmp_path / "mine.jsonl", record)
        return str(tmp_path / "mine.jsonl")

    return write


def test_timings_are_sorted_into_runs():
    longer = INFER.model_copy(update={"samples": 50, "min_time": 2.0, "rounds": 1})
    records = run_of("ab") + run_of("c", longer) + run_of("abcd", STEP) + run_of("a", machine=GPU)
    found = page.runs(records)
    assert [(run.sample.protocol.mode, len(run.records)) for run in found] == [
        ("step", 4),
        ("infer", 3),  # measured longer, but not otherwise
        ("infer", 1),
    ]
    assert found[0].title == "a processor, 1 thread, step, fp32, batch 4"
    assert found[2].title == "a GPU, infer, fp32, batch 1"


def test_a_title_names_what_is_unusual():
    odd = Protocol(device="cuda", batch="max", memory_gb=32, compile="graph", input="zeros")
    assert page.title(timing(protocol=odd, machine=GPU)) == (
        "a GPU, infer, fp32, batch max, within 32 GB, graph, zeros"
    )


def test_the_nearest_run_has_the_device_and_most_networks():
    two = Protocol(threads=2)
    gpu = run_of("ab", Protocol(device="cuda"), machine=GPU)
    book = page.runs(run_of("abc") + run_of("abc", two) + run_of("abc", STEP) + gpu)
    (mine,) = page.runs(run_of("abc", two, 0.5))
    pair = page.nearest(mine, book, "infer")
    assert pair.ours.title == "a processor, 2 threads, infer, fp32, batch 1"
    (other,) = page.runs(run_of("bc", Protocol(device="cuda", dtype="bf16"), 0.5, machine=GPU))
    pair = page.nearest(other, book, "infer")
    assert pair.ours.title == "a GPU, infer, fp32, batch 1"
    assert [a.subject.name for a, _ in pair.common] == ["b"]
    (strange,) = page.runs(run_of("z"))
    with pytest.raises(InputError, match="network in common") as error:
        page.nearest(strange, book, "infer")
    assert "\n" not in str(error.value)


def test_without_a_file_the_book_is_laid_over_itself(book):
    pair = page.laid_over(None, "infer")
    modes = [run.sample.protocol.mode for run in (pair.ours, pair.theirs)]
    assert modes == ["infer", "step"]
    frame = page.networks(pair)
    assert frame.ratio.tolist() == [3.0, 3.0, 3.0]
    assert frame.apart.tolist() == [True, True, True]


def test_a_file_is_laid_over_the_nearest_run(book, file):
    path = file(run_of("ab", seconds=0.5) + run_of("a", STEP, 1.0))
    assert page.networks(page.laid_over(path, "infer")).ratio.tolist() == [0.5, 0.5]
    assert len(page.laid_over(path, "step").common) == 1


def test_times_are_per_image(book):
    pair = page.laid_over(None, "infer")
    four = [r.model_copy(update={"batch": 4}) for r in pair.theirs.records.values()]
    pair = pair._replace(theirs=page.runs(four)[0])
    assert page.networks(pair).ratio.tolist() == [0.75] * 3


def test_networks_are_the_same_by_what_they_are_not_by_name():
    a, b = timing("a"), timing("b")
    stages = {"stages": [1]}
    a, b = (
        r.model_copy(update={"subject": r.subject.model_copy(update={"description": stages})})
        for r in (a, b)
    )
    pair = page.Pair(*(page.runs([r])[0] for r in (a, b)))
    assert len(pair.common) == 1


def test_what_differs_is_told_of_one_network(book):
    pair = page.laid_over(None, "infer")
    one, other = pair.of("b")
    assert one.subject.name == other.subject.name == "b"
    frame = page.conditions(one, other)
    assert list(frame.condition)[:1] == ["mode"]
    assert not {"commit", "protocol.batch"} & set(frame.condition)
    assert pair.of("not there")[0].subject.name == "a"


# -------------------------------------------------------------------- files and parameters


@pytest.mark.parametrize("chapter", ["time-your-own", "timing-honestly"])
@pytest.mark.parametrize("name", ["none.jsonl", "", "/"])
def test_a_file_that_is_not_there_is_one_line_before_anything_starts(chapter, name):
    with pytest.raises(InputError, match="is not there") as error:
        resolve(chapter, [f"records='{name}'"], "smoke")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no timing"),
        (b"{}\n", "line 1: not a record: no schema_version"),
        (b'{"schema_version": 99}\n', "line 1: a record of version 99"),
        (b"\xff\xfe\n", "line 1 is no JSON"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(content, said, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        check("time-your-own", records=str(path))
    assert "\n" not in str(error.value)


def test_a_good_file_is_accepted(file):
    path = file(run_of("a"))
    assert check("time-your-own", records=path).records == path
    with pytest.raises(InputError, match="has no timing in mode 'train', only infer"):
        page.laid_over(path, "train")


def test_the_stored_records_have_an_example():
    frame = page.networks(page.laid_over(None, "infer"))
    assert len(frame) >= 20
    assert frame.macts.notna().all()
