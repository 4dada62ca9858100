"""``repro search --score``."""

import json

import pytest

from repro import reference
from repro.cli.score import read_points

HEADER = "e,k,l,se\n"
B0 = "1666666,3353553,1223341,1111111\n"


@pytest.fixture
def write(tmp_path):
    def file(text, **options):
        path = tmp_path / "networks.csv"
        path.write_text(text, **(options or {"encoding": "utf-8"}))
        return str(path)

    return file


def test_score_prints_an_object_a_row_in_order(run, write):
    rows = reference.b0_space()[:40]
    text = HEADER + "".join(",".join(row[:4]) + "\n" for row in (*rows, rows[0]))
    status, out, err = run("search", "--score", write(text), "--device", "all", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert len(found) == 41 and found[-1] == found[0]  # the same network may stand twice
    for row, score in zip(rows, found, strict=False):
        assert set(score) == {"top1", "ms"}
        assert {"A100", "RTX 3090", "TPUv2", "TPUv3"} <= set(score["ms"])
        assert score["top1"] == pytest.approx(float(row.top1), abs=2)
        assert score["ms"]["A100"] == pytest.approx(1000 / float(row.a100_img_s), rel=0.2)


def test_the_whole_reference_file_may_be_scored(run):
    path = reference.reference_file("accel_nasbench.csv")
    status, out, _ = run("search", "--score", str(path), "--device", "rtx3090", "--json")
    found = json.loads(out)
    assert status == 0 and len(found) == len(reference.b0_space())
    assert set(found[0]["ms"]) == {"RTX 3090"}


def test_text_says_how_far_off_it_is(run, write):
    status, out, _ = run("search", "--score", write(HEADER + B0), "--device", "A100")
    assert status == 0
    head, row = out.splitlines()[:2]
    assert head.split() == ["row", "top-1", "A100", "ms"] and row.split()[0] == "1"
    assert "short schedule" in out and "median error" in out


def test_columns_may_stand_in_any_order_among_others(write):
    turned = "se,note,l,k,e\n1111111,mine,1223341,3353553,1666666\n\n"
    byte_order_mark = write("\ufeff" + turned)
    wanted = read_points(write(HEADER + B0)).tolist()
    assert read_points(byte_order_mark).tolist() == wanted
    assert read_points(write(turned)).tolist() == wanted


def test_zeros_that_a_spreadsheet_dropped_are_put_back(write):
    written = [read_points(write(f"{HEADER}1666666,3353553,1223341,{se}\n")) for se in ("11", "0")]
    whole = read_points(write(f"{HEADER}1666666,3353553,1223341,0000011\n"))
    assert written[0].tolist() == whole.tolist()
    assert written[1][0, 21:].tolist() == [0] * 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column e; e, k, l, se are needed"),
        ("e,k,l\n1666666,3353553,1223341\n", "no column se"),
        ("e,e,k,l,se\n" + "1666666," + B0, "two columns e"),
        (HEADER, "holds no network"),
        (HEADER + B0 + B0.replace("1666666", "1666669"), "line 3: e '1666669': 9 in stage 7"),
        (HEADER + B0.replace("3353553", "33535"), "line 2: k '33535' is not 7 digits"),
        (HEADER + B0.replace("1223341", "nan"), "line 2: l 'nan' is not 7 digits"),
        (HEADER + "1666666,3353553,1223341,\n", "line 2: se '' is not 7 digits"),
        (HEADER + "1666666,3353553\n", "line 2: 2 cells, the header has 4"),
        (HEADER + B0.replace(",", ";"), "line 2: 1 cells, the header has 4"),
    ],
)
def test_files_that_cannot_be_scored(fails, write, text, message):
    assert message in fails("search", "--score", write(text), "--json")


def test_no_file_no_device_nothing_to_do(fails, write, tmp_path):
    assert "score file 'nowhere.csv' cannot be read: No such file" in fails(
        "search", "--score", "nowhere.csv"
    )
    assert "cannot be read" in fails("search", "--score", str(tmp_path))
    assert "cannot be read" in fails("search", "--score", write("e,k,l,sé", encoding="latin-1"))
    err = fails("search", "--score", write(HEADER + B0), "--device", "A10")
    assert "unknown device 'A10'. Did you mean 'A100'? Allowed: all, A100" in err
    err = fails("search", "efficientnet", "--score", write(HEADER + B0))
    assert "--score cannot be combined with SPACE" in err
