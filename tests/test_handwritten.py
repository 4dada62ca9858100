"""Lists that people write: encodings, keys that stand twice, and what YAML can hide."""

import os
import subprocess
import sys

import pytest

from repro.errors import InputError
from repro.handwritten import Listed, Number, Strict, entries, read_yaml


class Row(Strict):
    name: str
    sizes: Listed[Number] = ()


GOOD = "# \u00fcber\n- name: a\n  sizes: [1, 2.5]\n"


def read(data, unit="block"):
    text = data if isinstance(data, bytes) else data.encode()
    return list(entries(text, "f", Row, unit=unit))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_are_understood(encoding):
    assert read(GOOD.encode(encoding)) == [("f, line 2, block 1", Row(name="a", sizes=(1, 2.5)))]


def test_whole_numbers_stay_whole():
    ((_, row),) = read(GOOD)
    assert [type(size) for size in row.sizes] == [int, float]


def test_the_locale_does_not_matter(tmp_path):
    """A comment in UTF-8, on a machine that thinks in ASCII."""
    file = tmp_path / "sweep.yaml"
    file.write_text("# \u00e9\n- data: digits\n  bases: [proxy-EN]\n", encoding="utf-8")
    command = [sys.executable, "-m", "repro", "sweep", file, "--out", tmp_path, "--dry-run"]
    ascii_ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, env={**os.environ, **ascii_}, capture_output=True, text=True)
    assert done.returncode == 0 and "1 runs" in done.stdout, done.stderr


BOMB = "- &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"- &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("# \u00fcber".encode("latin-1"), "f, line 1: byte 0xfc is not UTF-8"),
        ("- name: a\n  name: b", "f, line 2: key 'name' is written twice"),
        ("- name: a\n  sizes: {x: {y: 1, y: 2}}", "f, line 2: key 'y' is written twice"),
        ("- &a [*a]", "f, line 1: an anchor that holds itself"),
        (BOMB, "more than 200,000 values"),
        ("- " * 100_000 + "x", "f, line 1: nested too deeply"),  # crashed the interpreter
        ("[" * 100_000, "nested too deeply"),
        ("- !!bool maybe", "a value that cannot be read"),
        ("- 2001-99-99", "a value that cannot be read"),
        ("- " + "9" * 5000, "a value that cannot be read"),
        ("- {? [a] : 3}", "unhashable key"),
        ("- {1: 2, name: a}", "f, line 1, block 1: unknown key 1"),
        ("- name: a\n  <<: 3", "line 2: expected a mapping"),
        ("- name: \0", "control characters"),
    ],
)
def test_what_is_refused(data, says):
    with pytest.raises(InputError) as error:
        read(data)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_merged_keys_may_be_written_again():
    """A mapping that is merged elsewhere has its own keys and those that it merges itself."""
    text = "- &a {name: a, sizes: [1]}\n- &b {<<: *a, name: b}\n- {<<: *b, sizes: [2, x]}\n"
    document, _ = read_yaml(text.encode(), "f")
    assert document[2] == {"name": "b", "sizes": [2, "x"]}
    with pytest.raises(InputError, match=r'f, line 3, block 3: sizes\.1 "x" is not a number'):
        read(text)


def test_rows_of_json_have_no_lines():
    with pytest.raises(InputError, match="f, row 2: key 'name' stands twice"):
        read('[{"name": "a"}, {"name": "a", "name": "b"}]', "row")
