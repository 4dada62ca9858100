"""Rows of a reader's CSV file."""

import pytest

from repro.errors import InputError
from repro.search.rows import read_rows


def read(path, text, take=tuple):
    path.write_text(text, encoding="utf-8")
    return read_rows(str(path), "score", ("a", "b"), take)


def test_columns_are_found_by_name_and_cells_are_bare(tmp_path):
    text = "\ufeffb, other ,a\n 1 ,x, 2\n\n3,,4\n"
    assert read(tmp_path / "x.csv", text) == [("2", "1"), ("4", "3")]


def test_what_is_wrong_is_named_with_its_line(tmp_path):
    def refuse(cells):
        raise InputError(f"{cells[0]} is wrong")

    with pytest.raises(InputError, match=r"x\.csv, line 3: 4 is wrong"):
        read(tmp_path / "x.csv", "a,b\n\n4,5\n", refuse)
    with pytest.raises(InputError, match="line 2: 1 cells, the header has 2"):
        read(tmp_path / "x.csv", "a,b\n4\n")
    with pytest.raises(InputError, match="two columns a; a, b are needed, once"):
        read(tmp_path / "x.csv", "a,a,b\n4,5,6\n")
    with pytest.raises(InputError, match="holds no network"):
        read(tmp_path / "x.csv", "a,b\n")
    with pytest.raises(InputError, match=r"score file 'no\.csv' cannot be read: No such file"):
        read_rows("no.csv", "score", ("a",), tuple)
