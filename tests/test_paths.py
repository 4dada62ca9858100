import pytest

from repro.errors import InputError
from repro.paths import locate


def test_a_relative_path_is_looked_for_where_the_command_was_typed(tmp_path, monkeypatch):
    (tmp_path / "mine.jsonl").write_text("")
    monkeypatch.chdir("/")
    monkeypatch.setenv("PWD", str(tmp_path))
    assert locate("mine.jsonl") == str(tmp_path / "mine.jsonl")
    assert locate("data/claims.yaml").endswith("data/claims.yaml")
    with pytest.raises(InputError, match=r"'none\.jsonl' is not there; give its full path"):
        locate("none.jsonl")
