"""Networks as rows: what `repro list` and `repro complexity` print, from names and grid files.

A row is a plain dict with the same keys wherever it comes from, ready for JSON.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeVar

from repro.arch import NAMES, PAPER, Network, get, parse_strategy, scale, to_config
from repro.cli.text import Row
from repro.complexity import complexity
from repro.errors import InputError

Made = TypeVar("Made")

NOTES = {
    "RegNetY-4.0GF": "the authors' public zoo; a different network from RegNetY-4GF",
    "RegNetY-4GF": "the paper's own, recovered from its figures; not the zoo's RegNetY-4.0GF",
    "RegNetY-500MF": "the paper's own, recovered from its figures",
    "RegNetZ-500MF": "head conv 1000 wide; RegNetZ-500MF-headN for width N, 0 for none",
    "RegNetZ-4GF": "head conv 1000 wide; RegNetZ-4GF-headN for width N, 0 for none",
    "ResNet-50": "also R-50-1x64d; likewise 101, 152, 200",
    "ResNeXt-50": "also X-50-32x4d; likewise 101, 152",
    "EN-TF-B0": "EN-B0 by the second paper's rules: other padding and BN; likewise to B7",
    "EN-X-B0": "the second paper's, EfficientNet's own coefficients; variants: EN-X-B0+relu",
    "EN-X-TPU-B0": "latency-aware scaling for TPUv3, the authors' builder",
    "EN-X-GPU-B0": "latency-aware scaling for V100, the authors' builder",
    "EN-H-B5": "in the same builder, of a later paper",
    "EN-X-Table6-GPU-B1": "depths and resolutions as printed, widths inferred; not the builder's",
    "EN-X-Table6-TPU-B1": "depths and resolutions as printed, widths inferred; not the builder's",
}
"""What a name alone does not say."""


def describe(
    base: str,
    strategy: str | None = None,
    factor: float | None = None,
    resolution: int | None = None,
) -> Row:
    """One network's row: what was asked for, exact counts, their parts, and the stages.

    Args:
        base: a name that `repro.arch.get` knows.
        strategy: in the authors' grammar, where a bare ``w`` leaves group width alone.
        factor: scale factor on flops; given exactly when ``strategy`` is.
        resolution: count at this size in place of the (scaled) network's own.

    Returns:
        Keys model, strategy, scale, multipliers (of d, w, g, r; None when not scaled),
        resolution, flops, params, acts, parts, config (stage lists).

    Raises:
        InputError: any of them cannot be used.
    """
    net, multipliers = find(base, strategy, factor, resolution)
    count = complexity(net)
    return {
        "model": base,
        "strategy": strategy,
        "scale": factor,
        "multipliers": multipliers,
        "resolution": net.resolution,
        "flops": count.flops,
        "params": count.params,
        "acts": count.acts,
        "parts": count.parts(),
        "config": to_config(net),
    }


def find(
    base: str, strategy: str | None, factor: float | None, resolution: int | None
) -> tuple[Network, dict[str, float] | None]:
    """The network that `describe` counts, and what its dimensions were multiplied by."""
    net = get(base)
    multipliers = None
    if strategy is not None:
        parsed = parse_strategy(strategy)
        if factor is None:
            given = f"strategy {strategy!r} is given without a scale"
            raise InputError(f"{given}; give both or neither")
        net = scale(net, parsed, factor)
        multipliers = parsed.multipliers(factor)._asdict()
    elif factor is not None:
        raise InputError(f"scale {factor!r} is given without a strategy; give both or neither")
    return (net if resolution is None else net.at(resolution)), multipliers


def zoo_rows() -> list[Row]:
    """Every zoo name with resolution, flops, params, acts, and a note ("" for most)."""
    keys = ("model", "resolution", "flops", "params", "acts")
    rows = (describe(name) for name in NAMES)
    return [{k: row[k] for k in keys} | {"note": NOTES.get(row["model"], "")} for row in rows]


# Python's own readers also take underscores, blanks and other scripts' digits.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,300}")


def read_scale(text: str) -> float:
    """A scale factor from the command line: whole numbers stay whole.

    Raises:
        InputError: not a finite positive number.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            f"scale {text!r} is not allowed; a finite positive number is needed, such as 4 or 0.5"
        )
    return int(text) if _WHOLE.fullmatch(text) else value


def read_resolution(text: str) -> int:
    """A resolution from the command line.

    Raises:
        InputError: not a whole number. Whether it is large enough, the network knows.
    """
    if not _WHOLE.fullmatch(text):
        raise InputError(
            f"resolution {text!r} is not allowed; a whole number of pixels per side is needed, "
            "such as 224"
        )
    return int(text)


def as_in_paper(strategy: str) -> str:
    """What the paper calls so, in the authors' grammar: ``w`` as ``w1_g1``; other text as it is."""
    return PAPER[strategy].grammar if strategy in PAPER and strategy != "dWr" else strategy


def note_reading(
    names: Iterable[str],
    ways: Iterable[tuple[str | None, float | None]],
    find: Callable[[str], Network] = get,
) -> bool:
    """One line on standard error where the paper's strategy of the same name is another network.

    Args:
        names: of base networks; those of other collections are passed over.
        ways: strategies in the authors' grammar and scale factors.
        find: the network that a name stands for.

    Returns:
        Whether the line was printed.
    """
    for (strategy, factor), name in product(ways, names):
        if strategy is None or factor is None or (meant := as_in_paper(strategy)) == strategy:
            continue
        net = find(name)
        if to_config(scale(net, strategy, factor)) != to_config(scale(net, meant, factor)):
            print(
                f"note: {strategy!r} leaves group width as it is; the paper's {strategy}, in which "
                f"it follows width, is {meant!r}, or {strategy!r} with --paper-names",
                file=sys.stderr,
            )
            return True
    return False


def grid_rows(source: str, paper_names: bool = False) -> list[Row]:
    """The rows of a grid file, in its order; see `each_entry`."""
    return each_entry(source, paper_names, describe)


def each_entry(
    source: str,
    paper_names: bool,
    make: Callable[[str, str | None, float | None, int | None], Made],
    also_timm: bool = False,
) -> list[Made]:
    """What is made of each network of a grid file, in its order.

    Args:
        source: path of a JSON list of ``{"base": .., "scale_type": .., "scale": ..}``, where a
            missing or null type leaves the base unscaled; ``-`` reads standard input.
        paper_names: read ``w``, ``dw``, ``wr`` and ``dwr`` as the paper does.
        make: from base, strategy, scale factor and resolution.
        also_timm: allow ``{"timm": .., "resolution": ..}`` too, whose base is ``timm/NAME``.

    Raises:
        InputError: the file or one of its rows cannot be used; names the file and the row.
    """
    from repro.handwritten import GridRow, TimmRow, entries, file_bytes

    where = "standard input" if source == "-" else source
    made, kinds = [], [GridRow, TimmRow] if also_timm else [GridRow]
    for place, row in entries(file_bytes(source, "grid file"), where, *kinds, unit="row"):
        try:
            if isinstance(row, TimmRow):
                made.append(make(f"timm/{row.timm}", None, None, row.resolution))
                continue
            strategy = row.scale_type
            if paper_names and strategy is not None:
                strategy = as_in_paper(strategy)
            made.append(make(row.base, strategy, row.scale, None))
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    return made
