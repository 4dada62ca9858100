"""What a row of each file in ``data/reference/`` holds; a value that could not be read is None."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple


class TableRow(NamedTuple):
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


class PrintedNetwork(NamedTuple):
    """Which network makes a printed row: a base, or a strategy and the scale that it is taken to.

    ``table`` is 5 to 8, or "Early Convolutions" for Table 2 of that paper. Scale factors are not
    printed: each is known as the interval that gives the same rounded network.
    """

    table: str
    row: str
    base: str
    strategy: str
    s: str


class FigurePoint(NamedTuple):
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


CLIPPED_MACTS = 140  # Figure 2's panels over acts end here, and draw no model beyond


class RuntimePoint(NamedTuple):
    """A model of Figure 2. What of it is plotted depends on the panel, see `drawn`."""

    base: str
    strategy: str
    scale: float
    gflops: Decimal
    mparams: Decimal
    macts: Decimal
    epoch_minutes_8xv100: Decimal

    def drawn(self, quantity: str) -> bool:
        """Whether Figure 2 shows this quantity; the rest comes from the authors' public code.

        EN-B0 has a panel for ``gflops``, ``mparams`` and ``macts``; RegNets for acts alone.
        """
        return self.macts <= CLIPPED_MACTS if quantity == "macts" else self.base == "EN-B0"


class OriginalPoint(NamedTuple):
    """A point of the curve "orig" (EfficientNet-B0 to B5) of Figures 4 and 8."""

    figure: str
    model: str
    gflops: Decimal
    top1_error_percent: Decimal
    epoch_minutes_8xv100: Decimal


class EpochTimePoint(NamedTuple):
    """A point of Figure 1, bottom right."""

    figure: str
    base: str
    strategy: str
    scale: float
    gflops: Decimal
    epoch_minutes_8xv100: Decimal


class TheoryPoint(NamedTuple):
    """The right end of a curve of Figure 1, bottom left."""

    figure: str
    strategy: str
    scale: float
    relative_acts: Decimal


class PrintedPearson(NamedTuple):
    """A correlation printed in Figure 2. ``panel``: flops, params, acts or families."""

    panel: str
    group: str
    pearson_r: Decimal


class ExponentRow(NamedTuple):
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


class EarlyConvolutionsRow(NamedTuple):
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


class ZooTiming(NamedTuple):
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


class EfficientNetXRow(NamedTuple):
    """Counts of an EfficientNet or EfficientNet-X by its authors' TensorFlow builder."""

    model: str
    width: float
    depth: float
    resolution: int
    params: int
    flops: int
    acts: int


class XLayoutRow(NamedTuple):
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


class XBases(NamedTuple):
    """A row of Table 2: what depth, width and resolution are multiplied by from level to level."""

    scaling: str
    depth: Decimal
    width: Decimal
    resolution: Decimal


class XResult(NamedTuple):
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


class XAblationRow(NamedTuple):
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


class XSearchRow(NamedTuple):
    """A row of Table 5: bases found by a search at one level, and the X-B7 that they give."""

    searched_at: str
    depth: Decimal
    width: Decimal
    resolution: Decimal
    x_b7_depth: int
    x_b7_resolution: int


class XLevel(NamedTuple):
    """A cell pair of Table 6: nominal depth and resolution of one level of one family."""

    scaling: str
    level: str
    depth: int
    resolution: int


class DrawnRoofline(NamedTuple):
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


class DrawnIntensity(NamedTuple):
    """A model of Figure 2: operations per byte, and 10^12 operations per second reached."""

    model: str
    operational_intensity: Decimal
    tops: Decimal


class SpeedupBar(NamedTuple):
    """A bar of Figure 3: speed-up over the EfficientNet of the level; "GM": geometric mean."""

    device: str
    scaling: str
    level: str
    speedup: Decimal


class GenerationBar(NamedTuple):
    """A bar of Figure 4: speed-up of TPUv3 over TPUv2; "GM": geometric mean."""

    family: str
    level: str
    speedup: Decimal


class ScaledModel(NamedTuple):
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


class PublicTiming(NamedTuple):
    """A network at one image size, timed by the maintainer of timm in up to 22 settings.

    ``module`` is timm's source file. ``gmacs`` and ``macts`` are fvcore's counts for one image.
    ``images_per_s`` holds the settings that were measured, by the table's names of them:
    device/what/dtype/layout/torch/mode.
    """

    model: str
    module: str
    image: int
    gmacs: Decimal
    macts: Decimal
    mparams: Decimal
    images_per_s: Mapping[str, Decimal]


class PublicAccuracy(NamedTuple):
    """ImageNet top-1, in percent, of one of timm's weights at one image size.

    ``tag`` names recipe and training data; ``in1k`` at its end: ImageNet-1k was seen last.
    """

    arch: str
    tag: str
    module: str
    image: int
    crop_pct: Decimal
    top1: Decimal
    mparams: Decimal
