import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import NAMES
from repro.cli.rows import describe, grid_rows, read_resolution, read_scale, zoo_rows
from repro.errors import InputError

KEYS = {
    *("model", "strategy", "scale", "multipliers", "resolution"),
    *("flops", "params", "acts", "parts", "config"),
}


def write(folder, content):
    path = folder / "grid.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_an_unscaled_row():
    row = describe("EN-B0")
    assert set(row) == KEYS
    assert (row["model"], row["strategy"], row["scale"]) == ("EN-B0", None, None)
    assert row["multipliers"] is None
    assert (row["resolution"], row["config"]["res"]) == (224, 224)
    assert (row["flops"], row["params"], row["acts"]) == (385825092, 5288548, 6748036)


def test_a_scaled_row():
    row = describe("RegNetY-4.0GF", "dWr", 4)
    assert (row["model"], row["strategy"], row["scale"]) == ("RegNetY-4.0GF", "dWr", 4)
    assert (row["flops"], row["params"], row["acts"]) == (15608249240, 68144472, 26542408)
    assert row["config"]["group_ws"] == [112] * 4
    assert row["multipliers"]["w"] == pytest.approx(4**0.4)
    assert row == {**describe("RegNetY-4.0GF", "d1_w8_g8_r1", 4), "strategy": "dWr"}


def test_a_resolution_is_what_is_counted_at():
    assert describe("EN-B0", resolution=64)["resolution"] == 64
    scaled = describe("EN-B0", "r", 4, resolution=64)
    assert scaled["resolution"] == scaled["config"]["res"] == 64
    assert scaled["flops"] == describe("EN-B0", resolution=64)["flops"]


def test_rows_are_json():
    row = describe("EN-B0", "dwgr", 2)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("EN-B0", "dWr"), "'dWr' is given without a scale"),
        (("EN-B0", None, 4), "scale 4 is given without a strategy"),
        (("EN-B9", "dWr", 4), "'EN-B9'"),
        (("EN-B0", "dwx", 4), "'dwx'"),
        (("EN-B0", "", 4), "strategy ''"),
        (("EN-B0", "d", math.nan), "scale nan"),
        (("EN-B0", None, None, 31), "resolution 31"),
    ],
)
def test_rows_that_cannot_be(arguments, said):
    with pytest.raises(InputError, match=said):
        describe(*arguments)


def test_zoo_rows():
    rows = zoo_rows()
    assert [row["model"] for row in rows] == list(NAMES)
    assert all(set(r) == {"model", "resolution", "flops", "params", "acts", "note"} for r in rows)
    notes = {row["model"]: row["note"] for row in rows}
    assert "RegNetY-4GF" in notes["RegNetY-4.0GF"]
    assert "RegNetY-4.0GF" in notes["RegNetY-4GF"]
    assert "recovered" in notes["RegNetY-4GF"] and "recovered" in notes["RegNetY-500MF"]


@pytest.mark.parametrize(
    "text, value",
    [("4", 4), ("0.5", 0.5), ("8.2", 8.2), ("1e1", 10.0), ("+2", 2.0), (".5", 0.5), ("3.", 3.0)],
)
def test_read_scale(text, value):
    assert read_scale(text) == value
    assert isinstance(read_scale(text), type(value))


@pytest.mark.parametrize(
    "text",
    [
        *["nan", "inf", "-inf", "infinity", "0", "0.0", "-0", "-1", "1e400", "1e-400"],
        *["", " ", "four", "4x", " 4", "4 ", "1_0", "٤", "４", "0x4", "4,5", "1/2", "4\n", "--4"],
        "9" * 5000,
    ],
)
def test_scales_that_cannot_be_read_are_named(text):
    with pytest.raises(InputError) as caught:
        read_scale(text)
    assert repr(text) in str(caught.value)
    assert "a finite positive number" in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "224.0", "-224", "+224", "2_24", "٢٢٤", " 224", "1e2"])
def test_resolutions_that_cannot_be_read_are_named(text):
    with pytest.raises(InputError) as caught:
        read_resolution(text)
    assert repr(text) in str(caught.value)
    assert "whole number" in str(caught.value)


def test_read_resolution():
    assert read_resolution("224") == 224


def test_a_grid_is_read_in_its_order(tmp_path):
    entries = [
        {"base": "EN-B0", "scale_type": "dWr", "scale": 4},
        {"base": "X-50-32x4d", "scale_type": None, "scale": None},
        {"base": "RegNetZ-4GF-head1024"},
        {"scale": 0.5, "scale_type": "w", "base": "R-50-1x64d"},
    ]
    rows = grid_rows(write(tmp_path, json.dumps(entries)))
    assert rows == [
        describe("EN-B0", "dWr", 4),
        describe("X-50-32x4d"),
        describe("RegNetZ-4GF-head1024"),
        describe("R-50-1x64d", "w", 0.5),
    ]


def test_the_whole_reference_file_as_a_grid(tmp_path, reference_rows):
    grid = [{key: row[key] for key in ("base", "scale_type", "scale")} for row in reference_rows]
    rows = grid_rows(write(tmp_path, json.dumps(grid)))
    keys = ("flops", "params", "acts", "config")
    assert [[r[k] for k in keys] for r in rows] == [[r[k] for k in keys] for r in reference_rows]
    assert [[r["model"], r["strategy"], r["scale"]] for r in rows] == [
        list(g.values()) for g in grid
    ]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert grid_rows(write(tmp_path, b'\xef\xbb\xbf[{"base": "EN-B0"}]')) == [describe("EN-B0")]


GOOD = '{"base": "EN-B0"}'


@pytest.mark.parametrize(
    "content, said",
    [
        ("", ["is not JSON"]),
        ("[", ["is not JSON"]),
        ("[" + GOOD + ",]", ["is not JSON"]),
        (b"\xff\xfe\x00", ["is not JSON"]),
        (b'[{"base": "\xff"}]', ["is not JSON"]),
        ("[" * 100_000, ["nested too deeply"]),
        ('{"a":' * 100_000, ["nested too deeply"]),
        ("[" + "9" * 5000 + "]", ["is not JSON"]),
        ("[]", ["empty list"]),
        ("null", ["not a list of rows but null"]),
        ('"EN-B0"', ['not a list of rows but "EN-B0"']),
        (GOOD, ["not a list of rows", '{"base"']),
        ("[null]", ["row 1", "null is not a row with base"]),
        ("[[]]", ["row 1", "[] is not a row"]),
        ("[{}]", ["row 1", "'base' is missing"]),
        (f'[{GOOD}, "EN-B0"]', ["row 2", '"EN-B0" is not a row']),
        ('[{"name": "EN-B0"}]', ["row 1", "unknown key 'name'"]),
        ('[{"Base": "EN-B0"}]', ["unknown key 'Base'", "Did you mean 'base'?"]),
        ('[{"base": "EN-B0", "scaletype": "d"}]', ["'scaletype'", "Did you mean 'scale_type'?"]),
        ('[{"base": "EN-B0", "": 1}]', ["unknown key ''"]),
        ('[{"base": "EN-B0", "scale": 2, "scale": 4}]', ["row 1", "'scale' stands twice"]),
        (f'[{GOOD}, {{"base": "EN-B9"}}]', ["row 2", "'EN-B9'", "Did you mean"]),
        ('[{"base": null}]', ["base null"]),
        ('[{"base": 3}]', ["base 3"]),
        ('[{"base": ["EN-B0"]}]', ['base ["EN-B0"]']),
        ('[{"base": {"a": 1, "a": 2}}]', ['base {"a": 2}']),
        ('[{"base": "EN-B0", "scale_type": 4, "scale": 4}]', ["scale_type 4"]),
        ('[{"base": "EN-B0", "scale_type": "dx", "scale": 4}]', ["row 1", "strategy 'dx'"]),
        ('[{"base": "EN-B0", "scale_type": "", "scale": 4}]', ["strategy ''"]),
        ('[{"base": "EN-B0", "scale_type": "d"}]', ["row 1", "'d' is given without a scale"]),
        ('[{"base": "EN-B0", "scale": 4}]', ["row 1", "4 is given without a strategy"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": "4"}]', ['scale "4" is not a number']),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": true}]', ["scale true"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": [4]}]', ["scale [4]"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": NaN}]', ["row 1", "scale nan"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": Infinity}]', ["scale inf"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": 0}]', ["scale 0"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": -1}]', ["scale -1"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": 1e400}]', ["scale inf"]),
        ('[{"base": "EN-B0", "scale_type": "d", "scale": 1e300}]', ["1e+300 is too large"]),
        ('[{"base": "EN-B0", "scale_type": "r", "scale": 1e-9}]', ["resolution 0 is too small"]),
    ],
)
def test_bad_grids_are_named(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        grid_rows(path)
    message = str(caught.value)
    assert path in message
    assert "\n" not in message
    for words in said:
        assert words in message


@pytest.mark.parametrize(
    "name, said", [("nowhere.json", "No such file"), ("", "Is a directory"), ("a\0b", "null")]
)
def test_unreadable_files_are_named(tmp_path, name, said):
    path = f"{tmp_path}/{name}"
    with pytest.raises(InputError, match=said) as caught:
        grid_rows(path)
    assert repr(path) in str(caught.value)


def test_long_values_are_cut_short(tmp_path):
    path = write(tmp_path, json.dumps([{"base": ["x" * 10_000]}]))
    with pytest.raises(InputError) as caught:
        grid_rows(path)
    assert len(str(caught.value)) < len(path) + 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["base", "scale_type", "scale", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
near_rows = st.fixed_dictionaries(
    {},
    optional={
        "base": st.sampled_from(["EN-B0", "R-50-1x64d", "EN-B9"]) | json_values,
        "scale_type": st.sampled_from(["d", "dWr", "w1_g1", "", "dd", None]) | json_values,
        "scale": st.sampled_from([4, 0.5, 1e300, 1e-300, -1, None]) | json_values,
    },
)


@given(st.lists(near_rows | json_values, max_size=3) | json_values)
def test_any_json_is_a_grid_or_an_input_error(tmp_path_factory, document):
    path = write(tmp_path_factory.getbasetemp(), json.dumps(document))
    try:
        rows = grid_rows(path)
    except InputError as error:
        assert path in str(error) and "\n" not in str(error)
    else:
        assert [row["model"] for row in rows] == [entry["base"] for entry in document]
