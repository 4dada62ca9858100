import getpass
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_records import MACHINE, timing

from repro.errors import InputError
from repro.records import Protocol, changed_code, checked, commit
from repro.stored import TornLine, append, read, scan


@pytest.fixture
def file(tmp_path):
    return tmp_path / "records.jsonl"


def test_what_is_written_is_read_back(file):
    records = [timing("a"), timing("b", samples=(1.5,), peak_rss=7)]
    for record in records:
        append(file, record)
    assert read(file) == records
    assert len(file.read_text().splitlines()) == 2


def test_quartiles_and_throughput_come_from_the_samples():
    record = timing(samples=(0.4, 0.1, 0.2, 0.3, 0.5))
    assert record.quartiles == pytest.approx((0.2, 0.3, 0.4))
    assert record.images_per_s == pytest.approx(2 / 0.3)
    assert timing(samples=(0.7,)).quartiles == (0.7, 0.7, 0.7)


def test_a_record_tells_nothing_of_host_user_or_folders(file):
    append(file, timing())
    text = file.read_text()
    for secret in (socket.gethostname(), getpass.getuser(), str(Path.cwd()), str(Path.home())):
        assert f'"{secret}' not in text and f"{secret}/" not in text


@pytest.mark.parametrize("samples", [(), (0.0,), (-1.0,), (float("nan"),), (float("inf"),)])
def test_impossible_samples_are_refused(samples):
    with pytest.raises(ValueError, match="samples_s"):
        timing(samples=samples)


def test_an_invalid_record_is_not_written(file):
    broken = timing().model_copy(update={"samples_s": (float("nan"),)})
    with pytest.raises(ValueError, match="samples_s"):
        append(file, broken)
    assert not file.exists()


def test_a_record_whose_contents_were_edited_is_refused(file):
    append(file, timing())
    file.write_text(file.read_text().replace('"params":10', '"params":11'))
    _, [problem] = scan(file)
    assert "key does not belong to its contents" in problem.reason


def test_the_key_follows_code_configuration_and_machine():
    def key(**changes):
        return timing(**changes).key

    other = MACHINE.model_copy(update={"torch": "2.16"})
    faster = MACHINE.model_copy(update={"driver": "1"})
    assert key() == key(samples=(9.0,)) == key(machine=faster)
    assert len({key(), key(name="b"), key(protocol=Protocol(threads=2)), key(machine=other)}) == 4


def test_a_record_knows_when_its_code_has_changed():
    record = timing()
    assert changed_code(record) == []
    old = {**record.code, "repro.runtime.measure": "0" * 16, "repro.gone": "1" * 16}
    assert changed_code(record.model_copy(update={"code": old})) == [
        "repro.gone",
        "repro.runtime.measure",
    ]


@pytest.mark.parametrize(
    "line, torn, reason",
    [
        ('{"schema_version": 1, "kind": "tim', True, "not a complete JSON line"),
        ("\x00\x00", True, "not a complete JSON line"),
        ("[1, 2]", False, "no schema_version"),
        ('{"other": "program"}', False, "no schema_version"),
        ('{"schema_version": 2, "kind": "timing"}', False, "version 2; this code reads version 1"),
        ('{"schema_version": 1, "kind": "poem"}', False, "not a valid record"),
        ('{"schema_version": 1, "kind": "timing"}', False, "Field required"),
    ],
)
def test_lines_that_are_no_records_are_reported_with_their_number(file, line, torn, reason):
    append(file, timing("a"))
    with file.open("a") as out:
        out.write(line + "\n")
    append(file, timing("b"))
    records, [problem] = scan(file)
    assert [(n, r.subject.name) for n, r in records.items()] == [(1, "a"), (3, "b")]
    assert (problem.line, problem.torn) == (2, torn) and reason in problem.reason
    if torn:
        with pytest.warns(TornLine, match=r"records.jsonl, line 2"):
            assert len(read(file)) == 2
    else:
        with pytest.raises(InputError, match=r"records.jsonl, line 2"):
            read(file)


@pytest.mark.parametrize("kept", [1, 100, -1])
def test_after_a_torn_line_the_next_record_stands_on_a_line_of_its_own(file, kept):
    append(file, timing("a"))
    append(file, timing("torn"))
    first, second = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + second[:kept].rstrip(b"\n"))
    append(file, timing("b"))
    records, problems = scan(file)
    assert [r.subject.name for r in records.values() if r.subject.name != "torn"] == ["a", "b"]
    # A line that lacks its end of line alone is whole.
    assert [p.line for p in problems] == ([] if kept == -1 else [2])


def test_a_file_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"nothing.jsonl.*No such file"):
        read(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="cannot be written"):
        append(tmp_path / "nowhere" / "records.jsonl", timing())


@pytest.mark.parametrize("text", ["# Notes\n", "\n\nnotes\n", '{\n  "indented": 1\n}\n', "\0\0"])
def test_a_file_of_something_else_is_no_records_file(file, text):
    file.write_text(text)
    with pytest.raises(InputError, match=r"is not a records file: line \d is no JSON; .*--out"):
        scan(file)


@pytest.mark.parametrize("kept", [1, 10, 400])
def test_a_file_whose_only_record_is_torn_can_be_continued(file, kept):
    append(file, timing("torn"))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.warns(TornLine, match=r"records.jsonl, line 1"):
        assert read(file) == []
    append(file, timing("b"))
    assert [(n, r.subject.name) for n, r in scan(file)[0].items()] == [(2, "b")]


def test_two_writers_do_not_tear_a_line(file):
    program = (
        "import sys; sys.path.insert(0, 'tests/helpers'); from made_up_records import timing; "
        "from repro.stored import append\n"
        "record = timing(sys.argv[2], samples=(0.1,) * 2000)\n"
        "for _ in range(100): append(sys.argv[1], record)"
    )
    root = Path(__file__).parents[1]
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(file), name], cwd=root)
        for name in ("a", "b")
    ]
    assert [w.wait() for w in writers] == [0, 0]
    names = [r.subject.name for r in read(file)]
    assert names.count("a") == names.count("b") == 100


def test_a_full_disk_leaves_the_file_as_it_was(file):
    append(file, timing("a"))
    before = file.read_bytes()
    with (
        pytest.raises(InputError, match=r"cannot be written: .*earlier ones are"),
        _file_limit(len(before) + 50),
    ):
        append(file, timing("b"))
    assert file.read_bytes() == before
    append(file, timing("b"))
    assert [r.subject.name for r in read(file)] == ["a", "b"]


class _file_limit:
    """No file of this process may grow beyond a size; writes stop there, as on a full disk."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_device_that_is_full_says_so():
    with pytest.raises(InputError, match="No space left on device"):
        append("/dev/full", timing())


def test_values_from_outside_give_an_error_of_one_line():
    with pytest.raises(InputError) as error:
        checked(Protocol, {"dtype": "fp8"}, "sweep 'x'")
    assert str(error.value) == (
        "sweep 'x': dtype 'fp8': Input should be 'fp32', 'tf32', 'fp16' or 'bf16'"
    )
    with pytest.raises(InputError, match="sweep 'x': unknown key 'bacth'"):
        checked(Protocol, {"bacth": 1}, "sweep 'x'")


def test_the_commit_is_that_of_the_checkout():
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        assert commit() is None
    else:
        assert head.stdout.startswith((commit() or "?").removesuffix("-dirty"))


def test_a_copy_without_history_can_be_told_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("repro.records.SOURCE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("REPRO_COMMIT", raising=False)
    assert commit() is None
    monkeypatch.setenv("REPRO_COMMIT", "abc123")
    assert commit() == "abc123"


def test_stored_records_are_whole_and_valid():
    folder = Path(__file__).parents[1] / "data" / "records"
    for path in sorted(folder.glob("*.jsonl")):
        records, problems = scan(path)
        assert problems == [] and all(r.commit for r in records.values()), path.name
