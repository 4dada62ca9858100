"""``repro predict``: what was asked for becomes counts, and prices become rows and text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from repro.cli.text import json_lines
from repro.errors import InputError

Words = list[str] | None


class Asked(NamedTuple):
    """A network to predict, as it was asked for; ``entry`` has the grid's keys."""

    entry: dict[str, Any]
    network: str
    resolution: int
    counts: Any


def predict(
    names: Annotated[
        Words,
        typer.Argument(
            metavar="[NAME]...", help="`repro list` prints names. Or timm/NAME, or mine.json."
        ),
    ] = None,
    strategy: Annotated[
        Words, typer.Option(metavar="S", help="Scaled so; may be repeated.")
    ] = None,
    scale: Annotated[
        Words, typer.Option(metavar="X", help="By this factor on flops; may be repeated.")
    ] = None,
    resolution: Annotated[
        str | None, typer.Option(metavar="R", help="Of images. [default: each network's own]")
    ] = None,
    device: Annotated[
        Words, typer.Option(metavar="D|all", help="May be repeated. [default: all]")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Training, not inference.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="With torch.compile.")] = False,
    grid: Annotated[
        str | None, typer.Option(metavar="FILE", help="A JSON list of networks; - is stdin.")
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Your device: prices from `repro time --out`."),
    ] = None,
    paper_names: Annotated[
        bool, typer.Option("--paper-names", help="Read w, dw, wr, dwr as the paper does.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """Predict the time of one image from counts: no GPU, no torch, and an error to expect.

    Prices are fitted to public timings of some 600 networks of timm (RTX 3090, 4090, 5090,
    RTX PRO 6000 Max-Q, two CPUs), to the first paper's V100s and to this project's records.
    Each setting gives a row: device/what/dtype/layout/torch/mode. amp is autocast to fp16; nchw
    is PyTorch's own layout, nhwc channels_last; then torch's version; eager or its compiler.
    On the V100, zoo is the authors' model zoo (training without optimizer), figure 2 the paper's.
    GPU times hold for large batches (256 to 2,048), CPU times for one image at a time.

    The error is the median on families of networks that a fit had not seen, for networks of
    the same kind: dense, grouped or depthwise convs, attention.

    \b
    Examples:
      repro predict EN-B0 --strategy dWr --scale 4
      repro predict RegNetY-4.0GF timm/convnext_tiny --device rtx4090 --compile
      repro predict ResNet-50 --device rtx3090 --train
      repro predict EN-B0 EN-B3 --records mine.jsonl
      repro predict --grid grid.json --json

    \b
    A grid is that of `repro complexity`, and may hold networks of timm's:
      [{"base": "EN-B0", "scale_type": "dWr", "scale": 4},
       {"timm": "resnet50", "resolution": 176}]
    """
    from repro.prices import law

    asked = _asked(names or [], strategy or [], scale or [], resolution, grid, paper_names)
    mode: law.Mode = "train" if train else "infer"
    prices = [] if records and not device else law.chosen(device or ["all"], mode, compiled)
    if records:
        from repro.prices.own import own_price

        prices.insert(0, own_price(records, mode, compiled))
    rows = [_row(net, price) for net in asked for price in prices]
    if as_json:
        print(json_lines(rows))
        return
    print(_text(rows))
    if records:
        own = prices[0]
        print(
            f"\n{own.device}: prices from {own.networks} networks of {own.families} "
            f"famil{'ies' if own.families > 1 else 'y'} in {records}"
        )


def _asked(
    names: list[str],
    strategies: list[str],
    scales: list[str],
    resolution: str | None,
    grid: str | None,
    paper_names: bool,
) -> list[Asked]:
    """Every name, as it is or scaled in every way that was given, or the networks of a grid."""
    from repro.cli import rows as catalog

    if grid is not None:
        if names or strategies or scales or resolution:
            raise InputError("--grid brings its own networks; leave out NAME and its options")
        return catalog.each_entry(grid, paper_names, _one, also_timm=True)
    if not names:
        raise InputError("give a NAME (`repro list` prints them) or --grid FILE")
    if bool(strategies) != bool(scales):
        raise InputError("give both --strategy and --scale, or neither")
    size = None if resolution is None else catalog.read_resolution(resolution)
    if paper_names:
        strategies = [catalog.as_in_paper(s) for s in strategies]
    ways: list[tuple[str | None, float | None]] = [
        (s, catalog.read_scale(x)) for s in strategies for x in scales
    ] or [(None, None)]
    asked = [_one(name, s, x, size) for name in names for s, x in ways]
    catalog.note_reading([n for n in names if not n.startswith(TIMM)], ways)
    return asked


TIMM = "timm/"


def _one(base: str, strategy: str | None, factor: float | None, resolution: int | None) -> Asked:
    from repro.cli.rows import find
    from repro.prices.counts import counts_of, timm_counts

    if not base.startswith(TIMM):
        net, _ = find(base, strategy, factor, resolution)
        entry = {"base": base, "scale_type": strategy, "scale": factor}
        return Asked(entry, net.name, net.resolution, counts_of(net))
    if strategy is not None:
        raise InputError(f"{base} has no description here and cannot be scaled; leave out both")
    counts, size = timm_counts(base, resolution)
    return Asked({"timm": base.removeprefix(TIMM)}, base, size, counts)


def _row(net: Asked, price: Any) -> dict[str, Any]:
    from repro.prices.law import milliseconds, unlike

    ms = milliseconds(price, net.counts)
    return {
        "network": net.network,
        "resolution": net.resolution,
        **net.entry,
        "device": price.device,
        "setting": price.setting,
        "mode": price.mode,
        "ms": ms,
        "images_per_s": 1e3 / ms,
        "error": price.error(net.counts.kind),
        "kind": net.counts.kind,
        "warning": unlike(price, net.counts, ms),
    }


def _text(rows: list[dict[str, Any]]) -> str:
    from repro.text import aligned

    several = len({(row["network"], row["resolution"]) for row in rows}) > 1
    lines = [
        (
            *[row["network"], str(row["resolution"])][: 2 * several],
            row["setting"],
            f"{row['ms']:#.3g}".rstrip("."),
            _rate(row["images_per_s"]),
            f"{100 * row['error']:.0f} %",
            row["warning"] or "",
        )
        for row in rows
    ]
    titles = ["<network", "resolution"][: 2 * several]
    head = (*titles, "<setting", "ms per image", "images/s", "error", "<")
    table = aligned(head, lines)
    if not several:
        first = rows[0]
        table = f"{first['network']} at {first['resolution']} x {first['resolution']}\n\n{table}"
    return f"{table}\n\n{NOTE}"


def _rate(images_per_s: float) -> str:
    """Never 0, which nothing takes."""
    return f"{images_per_s:,.0f}" if images_per_s >= 1 else f"{images_per_s:.2g}"


NOTE = (
    "error: the median for networks of this kind in families that the fit had not seen,\n"
    "or for all kinds where too few of this kind were timed.\n"
    "GPUs in batches of 256 to 2,048 (V100: as published), CPUs one image at a time."
)
