import csv
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro import reference
from repro.arch import get
from repro.errors import InputError
from repro.reference import agrees_as_printed

LOADERS = {
    "fast_scaling_tables.csv": (reference.table_rows, 31),
    "fast_scaling_networks.csv": (reference.printed_networks, 45),
    "fast_scaling_figure_points.csv": (reference.figure_points, 103),
    "fast_scaling_figure2_runtime.csv": (reference.runtime_points, 187),
    "fast_scaling_original_curve.csv": (reference.original_curve, 6),
    "fast_scaling_figure1_epoch_time.csv": (reference.epoch_time_points, 24),
    "fast_scaling_figure1_theory.csv": (reference.theory_points, 4),
    "fast_scaling_figure2_pearson.csv": (reference.printed_pearson, 19),
    "fast_scaling_exponents.csv": (reference.exponent_rows, 15),
    "early_convolutions_table2.csv": (reference.early_convolutions, 23),
    "pycls_model_zoo_v100.csv": (reference.zoo_timings, 36),
    "efficientnet_x_complexity.csv": (reference.efficientnet_x_counts, 24),
    "efficientnet_x_table1.csv": (reference.x_layout, 10),
    "efficientnet_x_table2.csv": (reference.x_bases, 3),
    "efficientnet_x_table3.csv": (reference.x_results, 26),
    "efficientnet_x_table4.csv": (reference.x_ablation, 4),
    "efficientnet_x_table5.csv": (reference.x_searches, 2),
    "efficientnet_x_table6.csv": (reference.x_levels, 24),
    "efficientnet_x_figure2_rooflines.csv": (reference.drawn_rooflines, 3),
    "efficientnet_x_figure2_points.csv": (reference.drawn_intensities, 4),
    "efficientnet_x_figure3.csv": (reference.speedup_bars, 36),
    "efficientnet_x_figure4.csv": (reference.generation_bars, 18),
    "accel_nasbench.csv": (reference.b0_space, 4638),
    "accel_nasbench_schedules.csv": (reference.b0_schedules, 117),
    "public_accuracy.csv": (reference.public_accuracy, 958),
}


@pytest.mark.parametrize("name", LOADERS)
def test_every_cell_is_loaded_unchanged(name):
    load, count = LOADERS[name]
    with reference.reference_file(name).open(encoding="utf-8", newline="") as file:
        header, *cells = csv.reader(file)
    rows = load()
    assert len(rows) == len(cells) == count
    for row, texts in zip(rows, cells, strict=True):
        for column, text in zip(header, texts, strict=True):
            value = getattr(row, column)
            if isinstance(value, Decimal | str):
                assert str(value) == text  # every printed digit is kept
            else:
                assert value == (float(text) if text else None)


def test_every_file_is_described_and_loaded():
    folder = reference.reference_file("README.md").parent
    names = {path.name for path in folder.iterdir()} - {"README.md"}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if name not in readme] == []
    assert {*LOADERS, "scaled_model_complexity.json", "public_timings.csv"} <= names


def test_public_timings_are_loaded_unchanged():
    with reference.reference_file("public_timings.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(reference.public_timings()) == len(cells) == 869
    for row, texts in zip(reference.public_timings(), cells, strict=True):
        *named, rates = (getattr(row, name) for name in row._fields)
        assert [*map(str, named)] == list(texts.values())[: len(named)]
        assert {k: str(v) for k, v in rates.items()} == {
            k: v for k, v in list(texts.items())[len(named) :] if v
        }


def test_scaled_models():
    models = reference.scaled_models()
    assert len(models) == 998
    first = models[0]
    assert (first.base, first.scale_type, first.scale) == ("EN-B0", None, None)
    assert first.config["depths"] == [1, 2, 2, 3, 3, 4, 1]
    with reference.reference_file("scaled_model_complexity.json").open(encoding="utf-8") as file:
        assert [m.acts for m in models] == [row["acts"] for row in json.load(file)]


def test_table_8_repeats_the_rows_of_earlier_tables():
    rows = {(row.table, row.model): row for row in reference.table_rows()}
    repeated = [row for row in reference.table_rows() if "too" in row.note]
    assert len(repeated) == 7
    for row in repeated:
        earlier = rows[int(row.note.split()[-2]), row.model]
        columns = [name for name in row._fields if name not in ("table", "note")]
        same = [c for c in columns if not c.startswith(("error_icml", "error_arxiv"))]
        assert [getattr(row, c) for c in same] == [getattr(earlier, c) for c in same]


def test_what_figure_2_draws():
    drawn = {
        (base, q): sum(p.drawn(q) for p in reference.runtime_points() if p.base == base)
        for base in ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF")
        for q in ("gflops", "mparams", "macts")
    }
    assert drawn["EN-B0", "gflops"] == drawn["EN-B0", "mparams"] == 64
    assert drawn["EN-B0", "macts"] == 54
    assert drawn["RegNetY-500MF", "macts"] == 64 and drawn["RegNetZ-500MF", "macts"] == 59
    assert drawn["RegNetY-500MF", "gflops"] == drawn["RegNetZ-500MF", "mparams"] == 0


def test_plotted_bases_are_in_the_zoo():
    for point in (*reference.figure_points(), *reference.runtime_points()):
        get(point.base)


def test_rows_that_stand_in_two_tables_of_the_second_paper_are_the_same():
    results = {row.model: row for row in reference.x_results()}
    ablation = {row.model: row for row in reference.x_ablation()}
    same = [n for n in reference.XResult._fields if n not in ("model", "top1_percent")]
    b0 = [[getattr(t["EfficientNet-B0"], name) for name in same] for t in (results, ablation)]
    assert b0[0] == b0[1]
    # the last step is X-B0; its TPU latency is printed with one decimal less
    x_b0 = [
        [getattr(row, name) for name in same if name != "tpuv3_ms_batch128"]
        for row in (results["EfficientNet-X-B0"], ablation["+ activation"])
    ]
    assert x_b0[0] == x_b0[1]
    assert {row.scaling for row in reference.x_bases()} - {"accuracy only"} == {
        row.scaling for row in reference.x_levels()
    } - {"single objective"}


def test_unreadable_values_stay_empty():
    (b5,) = [r for r in reference.table_rows() if r.table == 5 and r.model == "B5"]
    assert b5.error_4x is None and b5.spread_4x is None


def test_to_frame():
    frame = reference.to_frame(reference.table_rows())
    assert len(frame) == 31
    assert frame["gflops"].dtype == float
    assert frame["error_icml"].isna().sum() == 25


def write(folder, text):
    path = folder / "file.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns are"),
        ("panel,group\n", "columns are"),
        ("panel,group,pearson_r\nacts,all\n", "line 2: 2 cells"),
        ("panel,group,pearson_r\nacts,all,high\n", "line 2: pearson_r cannot be 'high'"),
        ("panel,group,pearson_r\nacts,all,\n", "pearson_r cannot be ''"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        reference.read_rows(write(tmp_path, text), reference.PrintedPearson)


def test_unknown_file():
    with pytest.raises(InputError, match=r"Did you mean 'fast_scaling_tables\.csv'"):
        reference.reference_file("fast_scaling_table.csv")


def test_no_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    (tmp_path / "work" / "src" / "repro").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "src")
    with pytest.raises(InputError, match=f"no data folder.*REPRO_ROOT={tmp_path / 'work'}$"):
        reference.reference_file("fast_scaling_tables.csv")


@pytest.mark.parametrize(
    ("printed", "computed", "decimals", "agrees"),
    [
        (0.4, 0.386, 1, True),
        (0.4, 0.35, 1, True),  # a half may be rounded either way
        (0.4, 0.45, 1, True),
        (0.4, 0.3499, 1, False),
        (0.4, 0.4501, 1, False),
        (16.2, 16.15, 1, True),
        (4, 4.49, 0, True),
        (4, 4.51, 0, False),
    ],
)
def test_agreement_is_rounding_to_the_printed_digits(printed, computed, decimals, agrees):
    assert agrees_as_printed(printed, computed, decimals) is agrees


@given(st.decimals(0, 10_000, places=4), st.integers(0, 3))
def test_what_is_rounded_agrees_and_the_next_digit_does_not(value, decimals):
    printed = round(value, decimals)
    step = Decimal(1).scaleb(-decimals)
    assert agrees_as_printed(float(printed), float(value), decimals)
    assert not agrees_as_printed(float(printed + 2 * step), float(value), decimals)
