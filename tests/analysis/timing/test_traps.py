"""What the traps did: ratios within processes, and what all of these agree on."""

from statistics import mean, median

import pytest
from made_up_records import timing, traps

from repro.analysis.timing import traps as frames
from repro.analysis.timing.traps import same_blocks_by_allocator as allocators
from repro.book.parameters import check
from repro.errors import InputError
from repro.stored import append

MODE = {
    "mode": {
        "inference": ((1.0, 2.0, 3.0), (2.0, 2.0, 2.0)),
        "autograd on": ((3.0, 3.0, 3.0), (2.5, 2.5, 9.0)),
        "train mode": ((1.0, 1.0, 1.0), (4.0, 4.0, 4.0)),
    }
}


def test_a_reader_s_latest_record_is_taken(tmp_path):
    path = tmp_path / "mine.jsonl"
    append(path, timing())
    with pytest.raises(InputError, match="holds no record of traps; `repro time --traps --out`"):
        check("timing-honestly", records=str(path))
    latest = {"mode": {way: processes[::-1] for way, processes in MODE["mode"].items()}}
    for samples in (MODE, latest):
        append(path, traps(samples))
    assert check("timing-honestly", records=str(path)).records == str(path)
    assert frames.recorded(str(path)).samples_s == latest


def test_ratios_are_taken_within_processes():
    record = traps(MODE)
    by_name = {m.name: m for m in frames.MISTAKES}
    assert frames.ratios(record, by_name["grad"]) == [1.5, 1.25]
    assert frames.ratios(record, by_name["train"]) == [0.5, 2.0]
    frame = frames.overview(record).set_index("name")
    assert list(frame.index) == ["grad", "train"]
    assert frame.verdict.tolist() == ["slower in all 2", "slower in 1 of 2"]
    assert frame.seen.tolist() == [True, False]
    assert frame["times as long"]["grad"] == 1.375


def test_the_first_iteration_is_held_against_settled_ones():
    record = traps({"warm-up": {"iteration": ((3.0, 9.0) + (2.0,) * 18, (1.0,) * 20)}})
    assert frames.ratios(record, frames.MISTAKES[0]) == [1.5, 1.0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.1, 1.2, 1.3], "slower in all 3"),
        ([0.9, 0.8], "faster in all 2"),
        ([1.0, 1.2], "slower in 1 of 2"),
        ([1.0], "slower in none of 1"),
    ],
)
def test_a_verdict_needs_every_process(values, words):
    assert frames.verdict(values) == words


def test_pairs_of_neighbours_see_through_a_rise_that_medians_do_not():
    # The load rises with the fourth of six samples in turn: A is disturbed once, B twice.
    turns = {
        "A, one after the other": ((1.0, 1.0, 1.0),),
        "B, one after the other": ((3.0, 3.0, 3.0),),
        "A, in turns": ((1.0, 1.0, 3.0),),
        "B, in turns": ((1.0, 3.0, 3.0),),
    }
    record = traps({"turns": turns})
    assert list(frames.comparisons(record).values()) == [[3.0], [3.0], [1.0]]
    assert frames.called_different(record) == 1
    assert frames.called_different(record, "in turns") == 0


def test_one_number_for_ten_samples():
    calm = (1.0,) * 9 + (3.0,)
    record = traps({"series": {"undisturbed": (calm,), "disturbed": ((11.0,) + (1.0,) * 9,)}})
    one = frames.errors_of_one_number(record, 1, min)
    assert (median(one), max(one)) == (0, 1000)
    assert frames.errors_of_one_number(record, 10, mean) == pytest.approx([100])
    assert frames.errors_of_one_number(record, 10, median) == [0]


def test_what_the_chapter_says_in_words_holds_in_the_book_s_record():
    record = frames.recorded()
    frame = frames.overview(record).set_index("name")
    times = frame["times as long"]
    assert set(frame.index) == {m.name for m in frames.MISTAKES}
    assert frame.seen[["first", "busy_all", "grad"]].all()
    assert times["first"] > times["new"] > 1
    assert times["given_block"] > times["given_net"] > 1
    # one core is free for the one thread, none for all
    assert times["busy_all"] > 1.5 > times["busy_one"] and times["busy_choice"] > 1
    assert 1 < times["single"] < record.setting["cores"]
    assert times["train"] > times["grad"] > 1 and times["cold_conv"] > times["cold_net"]
    after, turns, pairs = (abs(median(r) - 1) for r in frames.comparisons(record).values())
    assert after > turns > pairs
    assert frames.called_different(record) == record.processes
    assert frames.called_different(record, "in turns") == 0
    series = record.samples_s["series"]["undisturbed"]
    fallen, moved = (median(f(p[:10]) / f(p) for p in series) for f in (min, median))
    assert fallen > 1.01 > moved > 0.99
    pairs = {k: a.quartiles[1] / b.quartiles[1] for k, (a, b) in allocators().items()}
    assert pairs["system"] > 1 > pairs["keep"]
    ways = ((1, min), (10, mean), (10, median))
    one, middle, best = (max(frames.errors_of_one_number(record, *way)) for way in ways)
    assert best < middle < one
