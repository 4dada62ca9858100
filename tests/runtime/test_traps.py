"""The traps of timing: each can be measured, and the record is believed only when it is whole."""

import json
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import psutil
import pytest
import torch
from made_up_records import MACHINE, timing

from repro.analysis.timing import traps as page
from repro.errors import InputError
from repro.records import Protocol, State, stamp
from repro.runtime import trap_record, traps
from repro.runtime.trap_record import TrapRecord
from repro.runtime.traps import Setting, Way, here, measure, neighbour, take_turns

SMALL = Setting(rounds=1, cores=1)
GPU = MACHINE.model_copy(update={"device": "cuda", "device_name": "a GPU"})


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(traps, "FIRST", 4)
    monkeypatch.setattr(traps, "RUN", 12)
    monkeypatch.setattr(traps, "HALF", 2)


def test_ways_take_turns_and_change_places():
    order = []
    ways = {n: Way(lambda n=n: order.append(n), lambda n=n: order.append(f"-{n}")) for n in "ab"}
    samples = take_turns(ways, 2)
    assert "".join(order[1::2]) in ("abbaabbaab", "baabbaabba")
    assert order[::2] == [f"-{n}" for n in order[1::2]]
    assert [len(taken) for taken in samples.values()] == [2, 2]
    assert min(min(taken) for taken in samples.values()) > 0


@pytest.mark.parametrize("name", traps.TRAPS)
def test_every_trap_measures_every_way(name, brief):
    before = torch.get_num_threads()
    samples = measure(name, SMALL)
    assert torch.get_num_threads() == before
    assert all(s > 0 for taken in samples.values() for s in taken)
    lengths = {"warm-up": {4}, "series": {12}, "turns": {2}}.get(name, {1})
    assert {len(taken) for taken in samples.values()} == lengths
    needed = {w for m in page.MISTAKES if m.trap == name for w in (m.wrong, m.right)} - {""}
    assert needed <= samples.keys()


def test_an_unknown_trap_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'threads'"):
        measure("thread", SMALL)


def test_a_setting_is_checked():
    with pytest.raises(InputError, match="Did you mean 'EN-B0'"):
        here("EN-B00")
    with pytest.raises(InputError, match="rounds 0"):
        here(rounds=0)
    assert here().cores >= 1


def children():
    """Of this process; earlier tests may have left some that serve others."""
    return set(psutil.Process().children())


def test_the_neighbour_sleeps_wakes_and_goes():
    before = children()
    with neighbour() as (wake, stop):
        (child,) = children() - before

        def comes_to(busy):
            # a crowded machine may let it wait for its turn, but not for ever
            for _ in range(120):
                start = child.cpu_times().user
                time.sleep(0.25)
                if (child.cpu_times().user > start) == busy:
                    return True
            return False

        assert comes_to(busy=False)
        wake()
        assert comes_to(busy=True)
        stop()
        assert comes_to(busy=False)
    assert not child.is_running()


def test_the_neighbour_goes_when_its_parent_is_killed():
    program = (
        "import time\nfrom repro.runtime.traps import neighbour\n"
        "with neighbour() as (wake, _):\n    wake()\n    print(flush=True)\n    time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.communicate()
    child.wait(10)
    assert not child.is_running()


def test_the_neighbour_goes_after_an_error_too():
    before = children()
    with pytest.raises(ZeroDivisionError), neighbour():
        (child,) = children() - before
        raise ZeroDivisionError
    assert not child.is_running()


# ------------------------------------------------------------------------- the record


def made_up(samples, processes=None):
    """A record with these samples, of no machine that exists."""
    first = next(iter(next(iter(samples.values())).values()))
    processes = processes or len(first)
    setting = {"network": "EN-B0", "rounds": 2, "threads": 1, "cores": 2}
    inputs = {"kind": "traps", "setting": setting, "processes": processes}
    return TrapRecord(
        **stamp(TrapRecord.entry, inputs, MACHINE),
        setting=setting,
        processes=processes,
        samples_s=samples,
        before=State(load=0.1),
        after=State(load=0.9),
    )


MODE = {
    "mode": {
        "inference": ((1.0, 2.0, 3.0), (2.0, 2.0, 2.0)),
        "autograd on": ((3.0, 3.0, 3.0), (2.5, 2.5, 9.0)),
        "train mode": ((1.0, 1.0, 1.0), (4.0, 4.0, 4.0)),
    }
}


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "traps.json"
    trap_record.write(path, made_up(MODE))
    assert trap_record.load(path) == made_up(MODE).model_copy(
        update={"when": trap_record.load(path).when}
    )
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_record_is_refused_in_one_line(tmp_path):
    path = tmp_path / "traps.json"
    trap_record.write(path, made_up(MODE))
    text = path.read_text()
    for wrong, words in (
        ("", "no record of traps"),
        (text[:-20], "no record of traps"),
        (text.replace("2.5", "-2.5"), "greater than 0"),
        (text.replace('"EN-B0"', '"EN-B1"'), "its key does not belong"),
        (json.dumps(json.loads(text) | {"extra": 1}), "extra"),
    ):
        path.write_text(wrong)
        with pytest.raises(InputError, match=words) as error:
            trap_record.load(path)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="cannot be read"):
        trap_record.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be written"):
        trap_record.write(tmp_path / "none" / "traps.json", made_up(MODE))


def test_the_command_measures_in_fresh_processes(tmp_path, capsys):
    path = tmp_path / "traps.json"
    words = ["--only", "warm-up", "mode", "--processes", "2", "--rounds", "1", "--out", str(path)]
    assert trap_record.main(words) == 0
    record = trap_record.load(path)
    assert capsys.readouterr().err.count("warm-up") == 2
    assert list(record.samples_s) == ["warm-up", "mode"]
    assert [len(p) for p in record.samples_s["warm-up"]["iteration"]] == [traps.FIRST] * 2
    assert [len(p) for p in record.samples_s["mode"]["inference"]] == [1, 1]
    assert page.belongs(record) == "The code that measured it is the code of this page."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "none/x.json"], "no folder 'none'"),
        (["--out", "x.json", "--network", "EN-B00"], "Did you mean 'EN-B0'"),
        (["--out", "x.json", "--rounds", "0"], "rounds 0"),
        (["--out", "x.json", "--processes", "0"], "processes 0"),
        (["--out", "x.json", "--only", "warmup"], "Did you mean 'warm-up'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert trap_record.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error:")
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------- the page


def test_about_a_record():
    assert page.about(made_up(MODE)).splitlines() == [
        "EN-B0, one image, 1 thread unless said otherwise",
        "a processor, 2 cores, PyTorch 2.15",
        "2 fresh processes for each trap",
        "run queue of the last minute: 0.1 before, 0.9 after",
        "The code that measured it is the code of this page.",
    ]


def test_ratios_are_taken_within_processes():
    record = made_up(MODE)
    by_title = {m.title: m for m in page.MISTAKES}
    assert page.ratios(record, by_title["autograd left on"]) == [1.5, 1.25]
    assert page.ratios(record, by_title["train mode"]) == [0.5, 2.0]
    frame = page.overview(record).set_index("mistake")
    assert list(frame.index) == ["autograd left on", "train mode"]
    assert frame.loc["autograd left on"].verdict == "slower in all 2"
    assert frame.loc["train mode"].verdict == "slower in 1 of 2"
    assert list(frame.seen) == [True, False]
    assert page.factor(record, "autograd left on") == 1.375
    assert list(page.rows(record).mistake) == list(frame.index)
    assert list(page.rows(record, "train", "zeros").mistake) == ["train mode"]
    assert page.said(record, "autograd left on") == (
        "took 1.38 times as long (slower in all 2 processes)"
    )
    assert page.said(record, "train mode") == ("made no difference on which the 2 processes agree")


def test_pairs_of_neighbours_see_through_a_rise_that_medians_do_not():
    # The load rises with the fourth of six samples in turn: A is disturbed once, B twice.
    turns = {
        "A, one after the other": ((1.0, 1.0, 1.0),),
        "B, one after the other": ((3.0, 3.0, 3.0),),
        "A, in turns": ((1.0, 1.0, 3.0),),
        "B, in turns": ((1.0, 3.0, 3.0),),
    }
    frame = page.comparisons(made_up({"turns": turns}))
    assert frame["B over A"].tolist() == [3.0, 3.0, 1.0]
    assert frame["called different"].tolist() == ["all 1", "none of 1", "none of 1"]
    assert frame.lowest.tolist() == frame.highest.tolist() == [3.0, 3.0, 1.0]


def test_the_first_iteration_is_held_against_settled_ones():
    record = made_up({"warm-up": {"iteration": ((3.0, 9.0) + (2.0,) * 18, (1.0,) * 20)}})
    assert page.ratios(record, page.MISTAKES[0]) == [1.5, 1.0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.1, 1.2, 1.3], "slower in all 3"),
        ([0.9, 0.8], "faster in all 2"),
        ([1.0, 1.2], "slower in 1 of 2"),
        ([1.0], "slower in 0 of 1"),
    ],
)
def test_a_verdict_needs_every_process(values, words):
    assert page.verdict(values) == words


def test_one_number_for_ten_samples():
    calm = (1.0,) * 9 + (3.0,)
    record = made_up({"series": {"undisturbed": (calm,), "disturbed": ((11.0,) + (1.0,) * 9,)}})
    frame = page.single_samples(record).set_index("one number")
    assert frame.loc["one sample"].tolist() == [0, pytest.approx(200), 0, 1000]
    assert frame.loc["mean of ten"].tolist() == pytest.approx([20, 20, 100, 100])
    assert frame.loc["median of ten"].tolist() == [0, 0, 0, 0]
    assert frame.loc["fastest of ten"].tolist() == [0, 0, 0, 0]
    assert page.whole_series(record) == pytest.approx({"mean": 2 / 1.2, "median": 1})


def test_rounding_agrees_with_the_hardware_formats():
    values = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    bfloat16 = torch.from_numpy(values).bfloat16().float().numpy()
    assert (page.rounded(values, 7) == bfloat16).all()
    half = torch.from_numpy(values).half().float().numpy()
    large = np.abs(values) > 1e-4  # below, half precision has fewer bits
    assert (page.rounded(values, 10) == half)[large].all()


def test_precision_follows_the_bits():
    frame = page.precision(64).set_index("format")
    # each input off by a uniform share of half a unit: 2^-bits / sqrt(12), twice, up to rounding
    assert frame.error["bfloat16"] / frame.error["TF32"] == pytest.approx(8, rel=0.1)
    assert 1e-4 < frame.error["TF32"] < 1e-3


def test_switches_are_read_where_they_are():
    with torch.no_grad():
        inside = page.switches().set_index("switch").value["torch.is_grad_enabled()"]
    after = page.switches().set_index("switch").value
    assert (inside, after["torch.is_grad_enabled()"]) == ("off", "on")
    assert after["torch.backends.cudnn.allow_tf32"] == "on"  # what the chapter warns of
    assert after["torch.backends.cuda.matmul.allow_tf32"] == "off"


def test_gpu_records_show_their_traps():
    usual = Protocol(device="cuda", dtype="bf16", batch=64)

    def timed(seconds, launch=None, **changes):
        return timing(
            protocol=usual.model_copy(update=changes),
            machine=GPU,
            samples=(seconds,),
            launch_s=launch,
            batch=64,
        )

    records = [
        timed(2.0, 0.5),
        timed(3.0, memory_format="contiguous"),
        timed(1.8, input="zeros"),
        timed(9.0, dtype="fp32", mode="train"),  # two conditions at once: no pair
        timing(),
    ]
    shown = {
        "not waiting for the GPU": 0.25,
        "NCHW, not channels last": 1.5,
        "zeros as input": 0.9,
    }
    frame = page.gpu_traps(records)
    assert dict(zip(frame.mistake, frame.times, strict=True)) == pytest.approx(shown)
    frame = page.gpu_traps([*records, timed(8.0, dtype="fp32"), timed(2.0, dtype="tf32")])
    shown |= {"TF32, not fp32": 0.25, "fp32, not bf16": 4.0}
    assert dict(zip(frame.mistake, frame.times, strict=True)) == pytest.approx(shown)
    assert set(frame.network) == {"a network"}
    assert page.gpu_said(frame) == "they are shown on a GPU"
    assert page.gpu_said(page.gpu_traps([])).startswith("none is recorded yet")
    assert page.gpu_traps([timing()]).empty
    assert page.gpu_traps([timed(2.0, 0.5)]).empty
    other = GPU.model_copy(update={"torch": "another"})
    elsewhere = timed(3.0, memory_format="contiguous").model_copy(update={"machine": other})
    assert page.gpu_traps([timed(2.0, 0.5), elsewhere]).empty
    assert "the time of a launch: 1\n" in page.gpu_traps_text([timed(2.0, 0.5), timing()])


def test_figures_hold_every_sample():
    runs = tuple(tuple(1 + 0.01 * i for i in range(20)) for _ in range(2))
    samples = {
        "warm-up": {"iteration": runs},
        "series": {"undisturbed": runs, "disturbed": runs},
        "turns": {
            f"{name}, {title}": runs
            for title in ("one after the other", "in turns")
            for name in "AB"
        },
        **MODE,
    }
    record = made_up(samples)
    fig = page.turns_figure(record)
    in_order = [line.get_xdata() for line in fig.axes[1].lines[:2]]
    assert sorted(x for xs in in_order for x in xs) == list(range(1, 41))
    after = [line.get_xdata() for line in fig.axes[0].lines[:2]]
    assert list(after[0]) + list(after[1]) == list(range(1, 41))
    assert len(page.series_figure(record).axes[1].lines[0].get_ydata()) == 20
    assert len(page.warm_up_figure(record).axes[0].lines) == 3
    fig = page.overview_figure({"one": record, "two": made_up(MODE)})
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels[0] == "first iteration"
    place = plt.rcParams["axes.titlelocation"]
    assert [ax.get_title(loc=place) for ax in fig.axes] == ["one", "two"]


def test_the_stored_record_is_whole():
    record = page.stored()
    assert list(record.samples_s) == list(traps.TRAPS)
    for name, ways in record.samples_s.items():
        lengths = {"warm-up": traps.FIRST, "series": traps.RUN, "turns": traps.HALF}
        for processes in ways.values():
            assert [len(p) for p in processes] == [
                lengths.get(name, record.setting["rounds"])
            ] * record.processes
    assert {m.title for m in page.MISTAKES} == set(page.overview(record).mistake)


def test_what_the_chapter_says_in_words_holds_in_the_stored_record():
    record, factor = page.stored(), lambda title: page.factor(page.stored(), title)
    seen = set(page.overview(record).query("seen").mistake)
    assert {"first iteration", "all cores, busy machine", "autograd left on"} <= seen
    assert factor("all cores, busy machine") == page.overview(record).times.max()
    assert factor("first iteration") > factor("first image of a new size") > 1
    # one core is free for the one thread, none for all
    assert factor("all cores, busy machine") > 1.5 > factor("one thread, busy machine")
    assert factor("all cores, not one, busy machine") > 1
    assert 1 < factor("one thread, not all cores") < record.setting["cores"]
    assert factor("train mode") > factor("autograd left on") > 1
    assert factor("cold caches, one small conv") > factor("cold caches, whole network")
    comparisons = page.comparisons(record)
    off = (comparisons["B over A"] - 1).abs()
    assert off[0] > off[1] > off[2]
    assert comparisons["called different"].tolist()[:2] == ["all 10", "none of 10"]
    assert traps.HALF % 2  # the rise parts the samples of A and B unevenly
    spread = comparisons.highest - comparisons.lowest
    assert spread[1] > spread[2]
    early = [np.median(p[:10]) / np.median(p) for p in record.samples_s["series"]["undisturbed"]]
    assert np.median(early) < 0.98
    series = page.whole_series(record)
    assert series["mean"] > 1.05 > series["median"]
    worst = page.single_samples(record).set_index("one number")["disturbed: worst"]
    assert worst["median of ten"] < worst["mean of ten"] < worst["one sample"]
