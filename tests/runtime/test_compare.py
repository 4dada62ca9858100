import pytest
from made_up_records import MACHINE, peak, timing

from repro.errors import InputError
from repro.records import Protocol, State
from repro.runtime.compare import (
    CONDITIONS,
    differences,
    explain,
    plain,
    select,
    select_both,
    verdict,
)
from repro.stored import append


def conditions(a, b):
    return [d.condition for d in differences(a, b)]


def test_nothing_differs_between_a_record_and_itself():
    assert conditions(timing(), timing(samples=(9.0,))) == []
    assert "no recorded condition differs" in explain(timing(), timing())


def test_the_likeliest_cause_comes_first():
    a = timing(protocol=Protocol(threads=1))
    b = timing(
        protocol=Protocol(threads=2, dtype="bf16", seed=3),
        machine=MACHINE.model_copy(update={"torch": "2.16"}),
    )
    assert conditions(a, b) == [
        "dtype",
        "threads",
        "torch",
        "seed",
    ]


def test_changed_code_is_named():
    a, b = timing(), timing()
    b = b.model_copy(update={"code": {**b.code, "repro.runtime.measure": "0" * 16}})
    [found] = differences(a, b)
    assert found.why == "changed: repro.runtime.measure"


@pytest.mark.parametrize(
    "field, x, y, differ",
    [
        ("sm_clock_mhz", 1980.0, 1965.0, False),
        ("sm_clock_mhz", 1980.0, 1400.0, True),
        ("temperature_c", 60.0, 64.0, False),
        ("temperature_c", 60.0, 80.0, True),
        ("load", 1.0, 3.0, True),
        ("throttle", (), ("power cap",), True),
        ("power_limit_w", None, 700.0, True),
    ],
)
def test_readings_differ_when_they_are_far_apart(field, x, y, differ):
    a, b = (timing(under_load=State(**{field: value})) for value in (x, y))
    assert conditions(a, b) == ([plain(f"under_load.{field}")] if differ else [])


def test_kilobytes_of_memory_are_no_difference_and_load_comes_before_variants():
    def machine(memory):
        return MACHINE.model_copy(update={"memory_bytes": memory})

    a = timing(machine=machine(25276502016), under_load=State(load=0.5))
    b = timing(machine=machine(25276514304), under_load=State(load=2.5, cpu_clock_mhz=2000.0))
    assert conditions(a, b) == ["load", "CPU clock, MHz"]
    c = timing(machine=machine(12_000_000_000), under_load=State(load=2.5))
    assert conditions(a, c) == ["load", "memory, bytes"]


def test_every_condition_exists_in_a_record():
    data = timing().model_dump()
    for place, _ in CONDITIONS:
        found = data
        for step in place.split("."):
            found = found[step]


def test_every_part_of_a_protocol_is_a_condition():
    listed = {place for place, _ in CONDITIONS}
    known_otherwise = {"protocol.device", "protocol.resolution"}
    assert {f"protocol.{name}" for name in Protocol.model_fields} - known_otherwise <= listed


def test_the_verdict_weighs_the_difference_against_the_spread():
    slow = timing(samples=(2.0, 2.1, 2.2))
    assert "quartiles do not overlap" in verdict(timing(), slow)
    assert "B takes 10.5 times as long as A per image" in verdict(timing(), slow)
    assert "within the noise" in verdict(timing(), timing(samples=(0.25, 0.2, 0.1)))
    assert "1 times per iteration" in verdict(timing(), timing(batch=4))


def test_selectors(tmp_path):
    path = tmp_path / "records.jsonl"
    append(path, timing("a"))
    append(path, timing("b"))
    assert select(f"{path}:2").subject.name == "b"
    assert select(f"{path}:a").subject.name == "a"
    assert select(f"{path}:{timing('b').key[:12]}x"[:-1]).subject.name == "b"
    for wrong, words in (("", "2 timings"), (":z", "no timings")):
        with pytest.raises(InputError, match=f"has {words} that fit"):
            select(f"{path}{wrong}")
    with pytest.raises(InputError, match=r"there is no line 3 in .*records.jsonl'; it has 2 lines"):
        select(f"{path}:3")
    alone = tmp_path / "one.jsonl"
    append(alone, timing("only"))
    assert select(str(alone)).subject.name == "only"


def test_the_command(tmp_path, capsys):
    from repro.cli.app import main

    path = tmp_path / "records.jsonl"
    append(path, timing("a"))
    append(path, timing("a", protocol=Protocol(threads=2)))
    assert main(["compare", f"{path}:1", f"{path}:2"]) == 0
    assert "threads    1  2" in capsys.readouterr().out
    assert main(["compare", f"{path}:1", f"{path}:7"]) == 2
    assert capsys.readouterr().err.startswith("error:")


def test_an_ambiguous_name_lists_its_lines_and_what_differs(tmp_path):
    path = tmp_path / "records.jsonl"
    for protocol in (Protocol(threads=1), Protocol(threads=2), Protocol(threads=2, mode="step")):
        append(path, timing("a", protocol=protocol))
    with pytest.raises(InputError) as error:
        select(f"{path}:a")
    assert str(error.value).endswith(
        f"has 3 timings that fit 'a'; choose one: {path}:1 (mode infer, threads 1), "
        f"{path}:2 (mode infer, threads 2), {path}:3 (mode step, threads 2)"
    )
    again = tmp_path / "again.jsonl"
    for _ in range(20):
        append(again, timing("a"))
    with pytest.raises(InputError, match=rf"again.jsonl:12 \({timing().when:%Y}.* and 8 more$"):
        select(f"{again}:a")


def test_a_line_that_is_no_timing_says_what_it_is(tmp_path):
    path = tmp_path / "records.jsonl"
    append(path, peak())
    append(path, timing("a"))
    with pytest.raises(InputError, match=r"line 1 of .* is a peak record; timings can"):
        select(f"{path}:1")


def test_a_text_is_one_error_and_a_torn_line_one_warning(tmp_path, capsys):
    from repro.cli.app import main

    notes, records = tmp_path / "notes.txt", tmp_path / "records.jsonl"
    notes.write_text("first\nsecond\n")
    assert main(["compare", str(notes), str(notes)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert "notes.txt' is not a records file: line 1 is no JSON" in error
    append(records, timing("a"))
    records.write_bytes(records.read_bytes() + records.read_bytes()[:90])
    assert main(["compare", f"{records}:1", f"{records}:1"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {
        f"warning: {records}, line 2: not a complete JSON line; its writer was probably killed"
    }


def test_a_missing_file_is_told_before_what_is_ambiguous_in_the_other(tmp_path):
    path = tmp_path / "records.jsonl"
    append(path, timing("a"))
    append(path, timing("a", protocol=Protocol(threads=2)))
    for pair in ((path, tmp_path / "none.jsonl"), (tmp_path / "none.jsonl:a", path)):
        with pytest.raises(InputError, match=r"none.jsonl' cannot be read"):
            select_both(*map(str, pair))


def described(**description):
    subject = timing().subject.model_copy(update={"description": description})
    return timing().model_copy(update={"subject": subject})


def test_what_is_nested_only_differs():
    a, b = described(stages=[{"width": 8}], head=1), described(stages=[{"width": 16}], head=1)
    assert " ".join(explain(a, b).splitlines()[-1].split()) == (
        "network differs differs another network"
    )
    assert "head 1  head 2  another network" in explain(described(head=1), described(head=2))


def test_a_commit_counts_only_where_code_differs_and_batches_are_told_once(tmp_path):
    a = timing(batch=1, protocol=Protocol(batch=1))
    b = timing(batch=2, protocol=Protocol(batch=2)).model_copy(update={"commit": "abc-dirty"})
    assert conditions(a, b) == ["batch", "batch asked for"]
    other = b.model_copy(update={"code": {**b.code, "repro.runtime.measure": "0" * 16}})
    assert "commit" in conditions(a, other)
    path = tmp_path / "records.jsonl"
    append(path, a)
    append(path, b)
    with pytest.raises(InputError, match=r"jsonl:1 \(batch 1\), .*:2 \(batch 2\)$"):
        select(f"{path}:{a.subject.name}")
