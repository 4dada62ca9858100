"""The published values the book stands beside, read from ``data/reference/``.

Where every file was read, its columns and its units: ``data/reference/README.md``. Published
numbers are `Decimal`, which keeps the digits that were printed (``Decimal("4.10")`` has two
decimals); a value that could not be read is None. Pure Python: no numpy, no pandas.
"""
# ruff: noqa: F403, F405 (every kind of row is handed on)

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from repro.errors import InputError, did_you_mean
from repro.paths import root
from repro.reference.rows import *

if TYPE_CHECKING:
    import pandas as pd


_PARSERS: dict[Any, Callable[[str], Any]] = {
    **{kind: kind for kind in (str, int, float, Decimal)},
    Decimal | None: lambda text: Decimal(text) if text else None,
}


def reference_file(name: str) -> Path:
    """The path of a file in ``data/reference/``.

    Raises:
        InputError: no such file, or no ``data`` folder.
    """
    folder = root() / "data" / "reference"
    if not (folder / name).is_file():
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        raise InputError(f"no file {name!r} in {folder}.{did_you_mean(name, names)}")
    return folder / name


Row = TypeVar("Row")


def read_rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """The rows of a CSV file, whose header must be the field names of ``kind``, in order.

    Raises:
        InputError: other columns, or a value that its column cannot hold; names file and line.
    """
    names, types = list(kind.__annotations__), kind.__annotations__.values()
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header != names:
            raise InputError(f"{path.name}: columns are {header}, {names} are needed")
        rows = []
        for cells in reader:
            where = f"{path.name}, line {reader.line_num}"
            if len(cells) != len(names):
                raise InputError(f"{where}: {len(cells)} cells, {len(names)} are needed")
            values = []
            for name, type_, cell in zip(names, types, cells, strict=True):
                try:
                    values.append(_PARSERS[type_](cell))
                except (ValueError, InvalidOperation):
                    raise InputError(f"{where}: {name} cannot be {cell!r}") from None
            rows.append(kind(*values))
    return tuple(rows)


def _loader(name: str, kind: type[Row]) -> Callable[[], tuple[Row, ...]]:
    @cache
    def load() -> tuple[Row, ...]:
        return read_rows(reference_file(name), kind)

    load.__doc__ = kind.__doc__
    return load


table_rows = _loader("fast_scaling_tables.csv", TableRow)
printed_networks = _loader("fast_scaling_networks.csv", PrintedNetwork)
figure_points = _loader("fast_scaling_figure_points.csv", FigurePoint)
runtime_points = _loader("fast_scaling_figure2_runtime.csv", RuntimePoint)
original_curve = _loader("fast_scaling_original_curve.csv", OriginalPoint)
epoch_time_points = _loader("fast_scaling_figure1_epoch_time.csv", EpochTimePoint)
theory_points = _loader("fast_scaling_figure1_theory.csv", TheoryPoint)
printed_pearson = _loader("fast_scaling_figure2_pearson.csv", PrintedPearson)
exponent_rows = _loader("fast_scaling_exponents.csv", ExponentRow)
early_convolutions = _loader("early_convolutions_table2.csv", EarlyConvolutionsRow)
zoo_timings = _loader("pycls_model_zoo_v100.csv", ZooTiming)
x_layout = _loader("efficientnet_x_table1.csv", XLayoutRow)
x_bases = _loader("efficientnet_x_table2.csv", XBases)
x_results = _loader("efficientnet_x_table3.csv", XResult)
x_ablation = _loader("efficientnet_x_table4.csv", XAblationRow)
x_searches = _loader("efficientnet_x_table5.csv", XSearchRow)
x_levels = _loader("efficientnet_x_table6.csv", XLevel)
drawn_rooflines = _loader("efficientnet_x_figure2_rooflines.csv", DrawnRoofline)
drawn_intensities = _loader("efficientnet_x_figure2_points.csv", DrawnIntensity)
speedup_bars = _loader("efficientnet_x_figure3.csv", SpeedupBar)
generation_bars = _loader("efficientnet_x_figure4.csv", GenerationBar)
efficientnet_x_counts = _loader("efficientnet_x_complexity.csv", EfficientNetXRow)
public_accuracy = _loader("public_accuracy.csv", PublicAccuracy)


@cache
def public_timings() -> tuple[PublicTiming, ...]:
    """The table of timm's timings, one row a network and image size; settings keep their order.

    Raises:
        InputError: a value that its column cannot hold; names the line.
    """
    *names, _ = PublicTiming._fields
    rows = []
    with reference_file("public_timings.csv").open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                model, module, image, *counts = (row.pop(name) for name in names)
                rates = {setting: Decimal(cell) for setting, cell in row.items() if cell}
                gmacs, macts, mparams = map(Decimal, counts)
                rows.append(PublicTiming(model, module, int(image), gmacs, macts, mparams, rates))
            except (KeyError, ValueError, InvalidOperation) as error:
                raise InputError(f"public_timings.csv, line {line}: {error!r}") from None
    return tuple(rows)


@cache
def scaled_models() -> tuple[ScaledModel, ...]:
    """About a thousand networks scaled and counted by the authors' own code."""
    with reference_file("scaled_model_complexity.json").open(encoding="utf-8") as file:
        names = ScaledModel._fields
        return tuple(ScaledModel(*(net[name] for name in names)) for net in json.load(file))


def select(rows: Sequence[Row], **where: object) -> list[Row]:
    """The rows whose fields have these values.

    Raises:
        InputError: there is none.
    """
    found = [row for row in rows if all(getattr(row, k) == v for k, v in where.items())]
    if not found:
        raise InputError(f"no published row with {where}")
    return found


def agrees_as_printed(printed: float, computed: float, decimals: int) -> bool:
    """Whether ``computed`` rounds to the digits printed, an exact half either way."""
    return abs(computed - printed) <= 0.5 * 10**-decimals + 1e-9 * max(1.0, abs(printed))


def to_frame(rows: tuple[Row, ...]) -> pd.DataFrame:
    """Rows as a data frame; decimals become floats, None becomes NaN. Imports pandas."""
    import pandas as pd

    kinds = type(rows[0]).__annotations__
    frame = pd.DataFrame({name: [getattr(row, name) for row in rows] for name in kinds})
    for name, kind in kinds.items():
        if kind in (Decimal, Decimal | None):
            frame[name] = frame[name].astype(float)
    return frame
