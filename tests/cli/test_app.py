import importlib.metadata
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repro.cli.rows
from repro.arch import NAMES, PAPER
from repro.cli.app import main
from repro.cli.rows import describe, grid_rows, zoo_rows

VERBS = ("list", "complexity", "predict", "run", "claims")


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text(
        '[{"base": "EN-B0", "scale_type": "dWr", "scale": 4},'
        ' {"base": "X-50-32x4d", "scale_type": null, "scale": null}]'
    )
    return str(path)


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
    """Processes keep what they print until they end, as they do by themselves."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def shell(*arguments, **options):
    """The command as another program would call it."""
    return subprocess.run(
        [sys.executable, "-m", "repro", *arguments], capture_output=True, **options
    )


# Help


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_verbs(run, arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert all(f"\n  {verb} " in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(run, verb):
    status, out, _ = run(verb, "--help")
    assert status == 0
    assert f"    repro {verb}" in out.split("Example")[1]


def test_help_says_how_strategies_are_read(run):
    _, out, _ = run("complexity", "--help")
    text = " ".join(out.split())
    assert "a bare w leaves group width alone" in text
    assert "its w is w1_g1 here" in text
    assert "alias dWr" in text


def test_help_tells_the_two_regnety_4gf_apart(run):
    _, out, _ = run("list", "--help")
    assert "RegNetY-4.0GF" in out and "RegNetY-4GF" in out and "different networks" in out


# list


def test_list(run):
    lines = run("list")[1].splitlines()
    assert " ".join(lines[0].split()) == "model resolution flops (G) params (M) acts (M) note"
    assert [line.split()[0] for line in lines[1 : len(NAMES) + 1]] == list(NAMES)
    assert lines[1].split() == ["EN-B0", "224", "0.386", "5.289", "6.748"]
    assert len({line.index(line.split()[1]) + len(line.split()[1]) for line in lines[1:44]}) == 1
    assert "One multiply-add is one flop" in "\n".join(lines)


def test_list_as_json(run):
    status, out, _ = run("list", "--json")
    assert status == 0
    assert json.loads(out) == zoo_rows()


# complexity of one network


def test_complexity_as_json(run):
    status, out, err = run("complexity", "EN-B0", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == describe("EN-B0")


@pytest.mark.parametrize("text, scale", [("4", 4), ("0.5", 0.5), ("8.2", 8.2), ("1e1", 10)])
def test_complexity_of_a_scaled_network(run, text, scale):
    arguments = ["--strategy", "w1_g1", "--scale", text, "--json"]
    _, out, _ = run("complexity", "RegNetZ-4GF", *arguments)
    assert json.loads(out) == describe("RegNetZ-4GF", "w1_g1", scale)


def test_complexity_at_a_resolution(run):
    _, out, _ = run("complexity", "ResNet-50", "--resolution", "32", "--json")
    assert json.loads(out) == describe("ResNet-50", resolution=32)


def test_a_strategy_has_the_authors_meaning(run):
    def flops(strategy):
        arguments = ["--strategy", strategy, "--scale", "4", "--json"]
        return json.loads(run("complexity", "RegNetY-4.0GF", *arguments)[1])["flops"]

    assert flops("w") == describe("RegNetY-4.0GF", "w", 4)["flops"]
    assert flops("w") != flops("w1_g1") == describe("RegNetY-4.0GF", PAPER["w"].grammar, 4)["flops"]
    assert flops("dWr") == flops("d1_w8_g8_r1")


def test_complexity_for_reading(run):
    status, out, _ = run("complexity", "RegNetY-4.0GF", "--strategy", "dWr", "--scale", "4")
    assert status == 0
    assert "15,608,249,240" in out and "15.608 G" in out
    assert "at 240 x 240" in out
    assert "strategy dWr = d1_w8_g8_r1" in out
    assert "group width x 1.741" in out
    assert out.index("flops") < out.index("--parts")
    assert "bottleneck" not in out and "bare w" not in out


def test_parts_and_stages_are_shown_when_wanted(run):
    scaled = ["--strategy", "dWr", "--scale", "4"]
    _, out, _ = run("complexity", "RegNetY-4.0GF", *scaled, "--parts")
    assert "bottleneck" in out and "a bare w leaves group width alone" in out
    assert "bare w" not in run("complexity", "EN-B0", "--parts")[1]


@pytest.mark.parametrize("strategy", ["w", "dw", "wr", "dwr"])
def test_paper_names_are_read_as_in_the_paper(run, strategy):
    arguments = ["complexity", "RegNetY-4.0GF", "--strategy", strategy, "--scale", "4", "--json"]
    status, out, err = run(*arguments, "--paper-names")
    assert (status, err) == (0, "")
    grammar = PAPER[strategy].grammar
    assert json.loads(out) == describe("RegNetY-4.0GF", grammar, 4)
    _, out, err = run(*arguments)
    assert json.loads(out) == describe("RegNetY-4.0GF", strategy, 4)
    assert err == (
        f"note: {strategy!r} leaves group width as it is; the paper's {strategy}, in which it "
        f"follows width, is {grammar!r}, or {strategy!r} with --paper-names\n"
    )


def test_there_is_no_note_where_both_readings_agree(run):
    for words in (["EN-B0", "--strategy", "dwr"], ["RegNetY-4GF", "--strategy", "dr"]):
        assert run("complexity", *words, "--scale", "4")[2] == ""


def test_the_title_says_which_of_the_papers_it_is(run):
    arguments = ["RegNetY-4GF", "--strategy", "dwr", "--scale", "4", "--paper-names"]
    assert "strategy d1_w1_g1_r1, the paper's dwr\n" in run("complexity", *arguments)[1]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "NAME"),
        (["EN-B9"], "'EN-B9'. Did you mean 'EN-B7'?"),
        ([""], "unknown network ''"),
        (["a\nb"], r"'a\nb'"),
        (["EN-B0", "EN-B1"], "EN-B1"),
        (["EN-B0", "--strategy", "dWr"], "'dWr' is given without a scale"),
        (["EN-B0", "--scale", "4"], "4 is given without a strategy"),
        (["EN-B0", "--strategy", "", "--scale", "4"], "strategy ''"),
        (["EN-B0", "--strategy", "dd", "--scale", "4"], "'dd' names a dimension twice"),
        (["EN-B0", "--strategy", "DWR", "--scale", "2"], "Did you mean 'dWr' or 'dwr'?"),
        (["EN-B0", "--strategy", "D1_w8", "--scale", "2"], "Did you mean 'd1_w8'?"),
        (["EN-B0", "--strategy", "d٣", "--scale", "4"], "cannot be read"),
        (["EN-B0", "--strategy", "d", "--scale", "nan"], "scale 'nan'"),
        (["EN-B0", "--strategy", "d", "--scale", "inf"], "scale 'inf'"),
        (["EN-B0", "--strategy", "d", "--scale", "0"], "scale '0'"),
        (["EN-B0", "--strategy", "d", "--scale", "-1"], "scale '-1'"),
        (["EN-B0", "--strategy", "d", "--scale", "four"], "scale 'four'"),
        (["EN-B0", "--strategy", "d", "--scale", "1e400"], "scale '1e400'"),
        (["EN-B0", "--strategy", "d", "--scale", "1e300"], "1e+300 is too large"),
        (["EN-B0", "--strategy", "d1_g99999", "--scale", "4"], "'d1_g99999'"),
        (["EN-B0", "--strategy", "r", "--scale", "1e-300"], "resolution 0 is too small"),
        (["EN-B0", "--resolution", "31"], "resolution 31 is too small"),
        (["EN-B0", "--resolution", "0"], "resolution 0 is too small"),
        (["EN-B0", "--resolution", "-224"], "resolution '-224'"),
        (["EN-B0", "--resolution", "224.5"], "resolution '224.5'"),
        (["EN-B0", "--resolution", "9" * 200], "too large"),
        (["EN-B0", "--grid", "x.json"], "--grid cannot be combined with NAME"),
        (["--grid", "x.json", "--scale", "4"], "cannot be combined with --scale"),
        (["--grid", "nowhere.json"], "'nowhere.json' cannot be read: No such file"),
        (["--grid", "."], "'.' cannot be read: Is a directory"),
        (["--grid", ""], "cannot be read"),
        (["--grid"], "--grid"),
        (["EN-B0", "--scal", "4"], "--scal"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_is_one_line_that_names_it(fails, arguments, said, as_json):
    assert said in fails("complexity", *(["--json"] * as_json), *arguments)


@given(
    st.text(max_size=6) | st.floats().map(str) | st.from_regex(r"[0-9.e+-]{1,6}", fullmatch=True)
)
def test_any_scale_is_used_or_refused(text):
    assert main(["complexity", "EN-B0", "--strategy", "dWr", "--scale", text, "--json"]) in (0, 2)


@given(st.text("dwgr_0123456789.W -", max_size=12))
def test_any_strategy_is_used_or_refused(text):
    arguments = ["complexity", "RegNetZ-500MF", "--scale", "4", "--json", f"--strategy={text}"]
    assert main(arguments) in (0, 2)


# complexity of a grid


def test_grid_as_json(run, grid):
    status, out, err = run("complexity", "--grid", grid, "--json")
    assert (status, err) == (0, "")
    rows = json.loads(out)
    assert rows == grid_rows(grid)
    assert rows[0] == describe("EN-B0", "dWr", 4)


def test_a_grid_in_the_papers_names(run, tmp_path):
    path = tmp_path / "grid.json"
    path.write_text('[{"base": "X-50-32x4d", "scale_type": "w", "scale": 4}]')
    _, out, _ = run("complexity", "--grid", str(path), "--paper-names", "--json")
    assert json.loads(out) == [describe("X-50-32x4d", PAPER["w"].grammar, 4)]


def test_grid_for_reading(run, grid):
    status, out, _ = run("complexity", "--grid", grid)
    assert status == 0
    lines = out.splitlines()
    assert lines[1].split() == ["EN-B0", "dWr", "4", "240", "1.381", "15.824", "13.328"]
    assert lines[2].split() == ["X-50-32x4d", "-", "-", "224", "4.230", "25.029", "14.602"]
    assert "a bare w leaves group width alone" in out


def test_a_bad_row_keeps_the_good_ones_from_being_printed(fails, tmp_path):
    path = tmp_path / "grid.json"
    path.write_text('[{"base": "EN-B0"}, {"base": "EN-B0", "scale_type": "d", "scale": "4"}]')
    for extra in ([], ["--json"]):
        error = fails("complexity", "--grid", str(path), *extra)
        assert f'{path}, row 2: scale "4" is not a number' in error


# The command as a whole


@pytest.mark.parametrize("arguments", [["complexty", "EN-B0"], ["--nothing"], ["list", "EN-B0"]])
def test_usage_errors_look_like_all_others(fails, arguments):
    fails(*arguments)


def test_a_misspelt_verb_suggests_the_nearest(fails):
    assert "Did you mean 'complexity'" in fails("complexty", "EN-B0")


def test_ctrl_c_is_130(run, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(repro.cli.rows, "zoo_rows", interrupted)
    assert run("list") == (130, "", "")


def test_as_a_module():
    done = shell("complexity", "EN-B0", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == describe("EN-B0")


def test_as_a_command():
    script = Path(sys.executable).with_name("repro")
    done = subprocess.run([script, "list", "--json"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == zoo_rows()


def test_errors_of_a_process():
    done = shell("complexity", "EN-B9")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: unknown network 'EN-B9'")
    assert done.stderr.count(b"\n") == 1


def test_a_grid_from_standard_input():
    done = shell("complexity", "--grid", "-", "--json", input=b'[{"base": "EN-B0"}]')
    assert (done.returncode, json.loads(done.stdout)) == (0, [describe("EN-B0")])
    empty = shell("complexity", "--grid", "-", input=b"")
    assert (empty.returncode, empty.stdout) == (2, b"")
    assert b"error: standard input is not JSON" in empty.stderr


def test_a_name_that_is_not_text():
    done = shell("complexity", b"\xff")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: unknown network") and done.stderr.count(b"\n") == 1


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps([{"base": "EN-B0"}] * 1000))  # more than a pipe holds
    command = [sys.executable, "-m", "repro", "complexity", "--json", "--grid", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "repro", "list"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1


def test_any_locale_can_show_what_is_printed(tmp_path):
    (tmp_path / "data").mkdir()
    claim = {"id": "one", "where": "Table 1", "statement": "It costs ≥ 4.", "not_testable": "no"}
    common = {"paper": "a", "kind": "number", "read_in": "here"}
    groups = [{"title": "Group", "defaults": common, "claims": [claim]}]
    ledger = {"papers": {"a": "First paper"}, "groups": groups}
    (tmp_path / "data" / "claims.yaml").write_text(json.dumps(ledger))
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "REPRO_ROOT": str(tmp_path)}
    done = shell("claims", "--all", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"It costs \\u2265 4." in done.stdout


def test_a_missing_package_is_one_line_with_the_command(fails, monkeypatch):
    def without_torch():
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")

    monkeypatch.setattr(repro.cli.rows, "zoo_rows", without_torch)
    error = fails("list")
    assert error.startswith("error: this needs torch, which is not installed: pip install ")
    assert "[torch]" in error


def test_a_missing_module_of_our_own_is_a_bug(run, monkeypatch):
    def broken():
        raise ModuleNotFoundError("No module named 'repro.nowhere'", name="repro.nowhere")

    monkeypatch.setattr(repro.cli.rows, "zoo_rows", broken)
    with pytest.raises(ModuleNotFoundError):
        run("list")


def test_the_version(run):
    assert run("--version") == (0, f"repro {importlib.metadata.version('repro')}\n", "")


def test_ctrl_c_while_importing_is_130_without_a_word():
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "import repro.cli"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_whoever_imports_the_command_line_keeps_their_own_ctrl_c():
    program = (
        "import signal\n"
        "for handler in (signal.default_int_handler, lambda *_: None):\n"
        "    signal.signal(signal.SIGINT, handler)\n"
        "    import repro.cli\n"
        "    assert signal.getsignal(signal.SIGINT) is handler"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_warnings_of_a_command_are_one_line(run, monkeypatch):
    monkeypatch.setattr(
        repro.cli.rows, "zoo_rows", lambda: warnings.warn("so so", stacklevel=2) or []
    )
    assert run("list", "--json")[2] == "warning: so so\n"
