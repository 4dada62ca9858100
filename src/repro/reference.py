"""The published values the book stands beside, read from ``data/reference/``.

Where every file was read, its columns and its units: ``data/reference/README.md``. Published
numbers are `Decimal`, which keeps the digits that were printed (``Decimal("4.10")`` has two
decimals); a value that could not be read is None. Pure Python: no numpy, no pandas.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from repro.errors import InputError, did_you_mean
from repro.paths import root

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of Tables 5 to 8. Errors are ImageNet top-1 in percent, with their printed spread."""

    table: int
    model: str
    note: str
    gflops: Decimal
    mparams: Decimal
    macts: Decimal
    epoch_minutes_8xv100: Decimal
    error_1x: Decimal | None
    spread_1x: Decimal | None
    error_2x: Decimal | None
    spread_2x: Decimal | None
    error_4x: Decimal | None
    spread_4x: Decimal | None
    error_icml: Decimal | None
    error_arxiv: Decimal | None


@dataclass(frozen=True, slots=True)
class FigurePoint:
    """A point of Figures 1 (top) and 4 to 8, with the network that makes it.

    Plotted: ``gflops``, ``top1_error_percent`` and, where the figure has a time panel,
    ``epoch_minutes_8xv100``. The others come from the authors' public code. ``figure`` joins the
    figures with a semicolon where one curve was read from two of them.
    """

    figure: str
    base: str
    strategy: str
    scale: float
    resolution: int
    gflops: Decimal
    mparams: Decimal
    macts: Decimal
    top1_error_percent: Decimal
    epoch_minutes_8xv100: Decimal | None


CLIPPED_MACTS = 140
"""Figure 2's panels over acts end here; models beyond are not drawn in them."""


@dataclass(frozen=True, slots=True)
class RuntimePoint:
    """A model of Figure 2. What of it is plotted depends on the panel, see `drawn`."""

    base: str
    strategy: str
    scale: float
    gflops: Decimal
    mparams: Decimal
    macts: Decimal
    epoch_minutes_8xv100: Decimal

    def drawn(self, quantity: str) -> bool:
        """Whether Figure 2 shows the model's ``gflops``, ``mparams`` or ``macts``.

        EN-B0 has a panel for each; the RegNets are drawn over acts alone. Values that are not
        drawn come from the authors' public code.
        """
        if quantity == "macts":
            return self.macts <= CLIPPED_MACTS
        return self.base == "EN-B0"


@dataclass(frozen=True, slots=True)
class OriginalPoint:
    """A point of the curve "orig" (EfficientNet-B0 to B5) of Figures 4 and 8."""

    figure: str
    model: str
    gflops: Decimal
    top1_error_percent: Decimal
    epoch_minutes_8xv100: Decimal


@dataclass(frozen=True, slots=True)
class EpochTimePoint:
    """A point of Figure 1, bottom right."""

    figure: str
    base: str
    strategy: str
    scale: float
    gflops: Decimal
    epoch_minutes_8xv100: Decimal


@dataclass(frozen=True, slots=True)
class TheoryPoint:
    """The right end of a curve of Figure 1, bottom left."""

    figure: str
    strategy: str
    scale: float
    relative_acts: Decimal


@dataclass(frozen=True, slots=True)
class PrintedPearson:
    """A correlation printed in Figure 2. ``panel``: flops, params, acts or families."""

    panel: str
    group: str
    pearson_r: Decimal


@dataclass(frozen=True, slots=True)
class ExponentRow:
    """A row of Tables 1 to 4: exponents of s as printed, "" where the table has none.

    ``share_*`` are Table 4's e_d, e_w, e_r. In Table 4's general row they are formulas in a,
    the paper's alpha.
    """

    table: int
    strategy: str
    alpha: str
    depth: str
    width: str
    group_width: str
    resolution: str
    flops: str
    params: str
    acts: str
    share_depth: str
    share_width: str
    share_resolution: str


@dataclass(frozen=True, slots=True)
class EarlyConvolutionsRow:
    """A row of Table 2 of "Early Convolutions Help Transformers See Better"; errors in percent."""

    model: str
    gflops: Decimal
    mparams: Decimal
    macts: Decimal
    epoch_minutes_8xv100: Decimal
    batch: int
    error_100_epochs: Decimal
    error_200_epochs: Decimal
    error_400_epochs: Decimal
    error_in21k: Decimal | None


@dataclass(frozen=True, slots=True)
class ZooTiming:
    """A row of the authors' model zoo: exact counts, seconds per batch, errors in percent."""

    model: str
    resolution: int
    flops: int
    params: int
    acts: int
    train_batch_8gpu: int
    test_batch_8gpu: int
    test_fw_s: float
    train_fw_s: float
    train_bw_s: float
    train_fw_bw_s: float
    top1_err: Decimal
    top5_err: Decimal


@dataclass(frozen=True, slots=True)
class EfficientNetXRow:
    """Counts of an EfficientNet or EfficientNet-X by its authors' TensorFlow builder."""

    model: str
    width: float
    depth: float
    resolution: int
    params: int
    flops: int
    acts: int


@dataclass(frozen=True, slots=True)
class XLayoutRow:
    """A row of the second paper's Table 1, EfficientNet-X-B0; ``se_ratio`` None: the row has none.

    ``resolution`` is of the input. Activations are ``"ReLU"`` or ``"swish"``.
    """

    stage: int
    operator: str
    resolution: int
    channels: int
    layers: int
    se_ratio: Decimal | None
    tpu_activation: str
    gpu_activation: str


@dataclass(frozen=True, slots=True)
class XBases:
    """A row of Table 2: what depth, width and resolution are multiplied by from level to level."""

    scaling: str
    depth: Decimal
    width: Decimal
    resolution: Decimal


@dataclass(frozen=True, slots=True)
class XResult:
    """A row of Table 3: ImageNet, and milliseconds for 128 images in one batch.

    ``operational_intensity`` is in operations per byte, a multiply-add being two operations;
    ``efficiency_percent_tpuv3`` is achieved over ideal operations per second.
    """

    model: str
    top1_percent: Decimal
    mparams: Decimal
    gflops: Decimal
    operational_intensity: Decimal
    efficiency_percent_tpuv3: Decimal
    tpuv3_ms_batch128: Decimal
    v100_fp16_ms_batch128: Decimal


@dataclass(frozen=True, slots=True)
class XAblationRow:
    """A row of Table 4; ``top1_percent_gpu`` None: one accuracy is printed for both devices."""

    model: str
    top1_percent: Decimal
    top1_percent_gpu: Decimal | None
    mparams: Decimal
    gflops: Decimal
    operational_intensity: Decimal
    efficiency_percent_tpuv3: Decimal
    tpuv3_ms_batch128: Decimal
    v100_fp16_ms_batch128: Decimal


@dataclass(frozen=True, slots=True)
class XSearchRow:
    """A row of Table 5: bases found by a search at one level, and the X-B7 that they give."""

    searched_at: str
    depth: Decimal
    width: Decimal
    resolution: Decimal
    x_b7_depth: int
    x_b7_resolution: int


@dataclass(frozen=True, slots=True)
class XLevel:
    """A cell pair of Table 6: nominal depth and resolution of one level of one family."""

    scaling: str
    level: str
    depth: int
    resolution: int


@dataclass(frozen=True, slots=True)
class DrawnRoofline:
    """A device of Figure 2, as drawn and as the numbers that were probably meant.

    ``bandwidth_tb_s`` is the slope in 10^12 operations per second per operation per byte,
    ``ridge`` is in operations per byte.
    """

    device: str
    bandwidth_tb_s: Decimal
    peak_tops: Decimal
    ridge: Decimal
    nominal_bandwidth_gb_s: Decimal
    nominal_peak_tops: Decimal


@dataclass(frozen=True, slots=True)
class DrawnIntensity:
    """A model of Figure 2: operations per byte, and 10^12 operations per second reached."""

    model: str
    operational_intensity: Decimal
    tops: Decimal


@dataclass(frozen=True, slots=True)
class SpeedupBar:
    """A bar of Figure 3: speed-up over the EfficientNet of the level; "GM": geometric mean."""

    device: str
    scaling: str
    level: str
    speedup: Decimal


@dataclass(frozen=True, slots=True)
class GenerationBar:
    """A bar of Figure 4: speed-up of TPUv3 over TPUv2; "GM": geometric mean."""

    family: str
    level: str
    speedup: Decimal


@dataclass(frozen=True, slots=True)
class ScaledModel:
    """A network as the authors' own scaling code makes and counts it.

    ``scale_type`` is in the authors' grammar; it and ``scale`` are None for a base network.
    ``config`` holds the stage lists.
    """

    base: str
    scale_type: str | None
    scale: float | None
    config: dict[str, Any]
    flops: int
    params: int
    acts: int


def _optional(text: str) -> Decimal | None:
    return Decimal(text) if text else None


_PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "Decimal | None": _optional,
}


def reference_file(name: str) -> Path:
    """The path of a file in ``data/reference/``.

    Raises:
        InputError: no such file, or no ``data`` folder.
    """
    folder = root() / "data" / "reference"
    path = folder / name
    if not path.is_file():
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        raise InputError(f"no file {name!r} in {folder}.{did_you_mean(name, names)}")
    return path


Row = TypeVar("Row")


def read_rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """The rows of a CSV file, typed by the fields of a dataclass.

    Args:
        path: the file; its header must be the field names of ``kind``, in order.
        kind: one of the dataclasses above.

    Raises:
        InputError: other columns, or a value that its column cannot hold; names file and line.
    """
    columns = fields(kind)  # type: ignore[arg-type]
    parsers = [_PARSERS[str(column.type)] for column in columns]
    names = [column.name for column in columns]
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
            for name, parse, cell in zip(names, parsers, cells, strict=True):
                try:
                    values.append(parse(cell))
                except (ValueError, InvalidOperation):
                    raise InputError(f"{where}: {name} cannot be {cell!r}") from None
            rows.append(kind(*values))
    return tuple(rows)


def _loader(name: str, kind: type[Row], doc: str) -> Callable[[], tuple[Row, ...]]:
    @cache
    def load() -> tuple[Row, ...]:
        return read_rows(reference_file(name), kind)

    load.__doc__ = doc
    return load


table_rows = _loader(
    "fast_scaling_tables.csv", TableRow, "Tables 5 to 8 of Fast and Accurate Model Scaling."
)
figure_points = _loader(
    "fast_scaling_figure_points.csv", FigurePoint, "Figures 1 (top) and 4 to 8, 103 points."
)
runtime_points = _loader("fast_scaling_figure2_runtime.csv", RuntimePoint, "Figure 2, 187 models.")
original_curve = _loader(
    "fast_scaling_original_curve.csv", OriginalPoint, "The curve of B0 to B5, Figures 4 and 8."
)
epoch_time_points = _loader(
    "fast_scaling_figure1_epoch_time.csv", EpochTimePoint, "Figure 1, bottom right."
)
theory_points = _loader(
    "fast_scaling_figure1_theory.csv", TheoryPoint, "Figure 1, bottom left, at s = 32."
)
printed_pearson = _loader(
    "fast_scaling_figure2_pearson.csv", PrintedPearson, "Figure 2's printed correlations."
)
exponent_rows = _loader("fast_scaling_exponents.csv", ExponentRow, "Tables 1 to 4.")
early_convolutions = _loader(
    "early_convolutions_table2.csv", EarlyConvolutionsRow, "Early Convolutions, Table 2."
)
zoo_timings = _loader(
    "pycls_model_zoo_v100.csv", ZooTiming, "The authors' model zoo, timed on V100s."
)
x_layout = _loader(
    "efficientnet_x_table1.csv", XLayoutRow, "Table 1 of Searching for Fast Model Families."
)
x_bases = _loader("efficientnet_x_table2.csv", XBases, "Its Table 2.")
x_results = _loader("efficientnet_x_table3.csv", XResult, "Its Table 3, 26 networks.")
x_ablation = _loader("efficientnet_x_table4.csv", XAblationRow, "Its Table 4.")
x_searches = _loader("efficientnet_x_table5.csv", XSearchRow, "Its Table 5.")
x_levels = _loader("efficientnet_x_table6.csv", XLevel, "Its Table 6, three families.")
drawn_rooflines = _loader(
    "efficientnet_x_figure2_rooflines.csv", DrawnRoofline, "Its Figure 2, three devices."
)
drawn_intensities = _loader(
    "efficientnet_x_figure2_points.csv", DrawnIntensity, "Its Figure 2, four models."
)
speedup_bars = _loader("efficientnet_x_figure3.csv", SpeedupBar, "Its Figure 3.")
generation_bars = _loader("efficientnet_x_figure4.csv", GenerationBar, "Its Figure 4.")
efficientnet_x_counts = _loader(
    "efficientnet_x_complexity.csv", EfficientNetXRow, "EfficientNet and EfficientNet-X counts."
)


@cache
def scaled_models() -> tuple[ScaledModel, ...]:
    """About a thousand networks scaled and counted by the authors' own code."""
    names = [field.name for field in fields(ScaledModel)]
    with reference_file("scaled_model_complexity.json").open(encoding="utf-8") as file:
        return tuple(ScaledModel(*(row[name] for name in names)) for row in json.load(file))


def to_frame(rows: tuple[Row, ...]) -> pd.DataFrame:
    """Rows as a data frame; decimals become floats, None becomes NaN. Imports pandas."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            column.name: [getattr(row, column.name) for row in rows]
            for column in fields(rows[0])  # type: ignore[arg-type]
        }
    )
    for column in fields(rows[0]):  # type: ignore[arg-type]
        if str(column.type).startswith("Decimal"):
            frame[column.name] = frame[column.name].astype(float)
    return frame
