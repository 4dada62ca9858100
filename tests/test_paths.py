from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from repro.errors import InputError
from repro.paths import locate, new_folder


def test_a_relative_path_is_looked_for_where_the_command_was_typed(tmp_path, monkeypatch):
    (tmp_path / "mine.jsonl").write_text("")
    monkeypatch.chdir("/")
    monkeypatch.setenv("PWD", str(tmp_path))
    assert locate("mine.jsonl") == str(tmp_path / "mine.jsonl")
    assert locate("data/claims.yaml").endswith("data/claims.yaml")
    with pytest.raises(InputError, match=r"'none\.jsonl' is not there; give its full path"):
        locate("none.jsonl")


def test_new_folders_are_everybodys_own(tmp_path):
    start = Barrier(8)

    def one(_):
        start.wait()
        return [new_folder(tmp_path / "runs" / f"a-{n}" for n in count(1)) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        made = [folder for folders in pool.map(one, range(8)) for folder in folders]
    assert sorted(set(made)) == sorted(tmp_path / "runs" / f"a-{n}" for n in range(1, 161))
