"""``repro advise``: how to grow a network in a budget, which choices are ties, how sure that is."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from repro.cli.text import DEVICE_HELP, columns, json_lines, level


def advise(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="EN-B0 ..., timm/NAME, or a description's FILE.")
    ],
    budget: Annotated[
        str, typer.Option(metavar="B", help="2x (its time), 5ms (an image), 10GF, 50Macts, 8GB ...")
    ],
    device: Annotated[str, typer.Option(metavar="D", help=DEVICE_HELP)] = "rtx4090",
    error: Annotated[
        float | None, typer.Option(metavar="E", help="The network's own top-1 error, percent.")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Time of training.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="With torch.compile.")] = False,
    batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Images in training, for memory.")
    ] = 32,
    wide: Annotated[bool, typer.Option("--wide", help="All columns.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """Advise how to scale a network: the largest one of each strategy in a budget.

    Says what can be told apart. Strategies are tied where their intervals overlap; ties are
    ordered by memory, since it is size that separates them. Errors follow from how EfficientNets,
    RegNetYs and RegNetZs of one recipe grew; of other families nobody has published that.

    Strategies: d, w, r grow depth, width or resolution alone; dw and dwr both or all three alike.
    dWr grows mostly width: width takes 0.8 of the flops' logarithm; in 2/3 it takes 2/3.
    EfficientNet and LACS (on GPU or TPU) are the rules of EfficientNet and EfficientNet-X.

    Times are of one image: in large batches on GPUs, alone on CPUs. 2x is twice the network's
    own time. Memory is about what training a batch in single precision takes. In --json,
    ms_error is relative (0.05: off by 5 %, the median of families not seen) and null on
    rooflines, which say only the least time.

    \b
    Examples:
      repro advise EN-B0 --budget 2x
      repro advise ResNet-50 --budget 2x --device rtx4090 --error 23.9
      repro advise timm/convnext_tiny --budget 30GF --device rtx3090
      repro complexity ResNet-50 --json > mine.json    # edit its numbers, then
      repro advise mine.json --budget 1ms --json
    """
    from repro.search import advise as advice
    from repro.search.budgets import read_budget
    from repro.search.scale_law import ScaleLaw

    limit = read_budget(budget)
    if error is not None:
        ScaleLaw.known().check(error)
    charges = advice.device(device, "train" if train else "infer", compiled)
    base = advice.find_base(name)
    known = (error, "given") if error is not None else advice.known_error(base.name)
    value = known[0] if known else None
    rows = _with_progress(advice.advise, base, charges, limit, value, batch)
    if as_json:
        print(json_lines(row._asdict() for row in rows))
        return
    print(_text(base, charges, limit, known, rows, advice, wide, batch))


def _with_progress(advise: Any, base: Any, charges: Any, limit: Any, *more: Any) -> Any:
    """A bar for what has to be built to be counted."""
    from repro.search.advise import EVERY

    if base.base.net is not None:
        return advise(base, charges, limit, *more, EVERY)
    from tqdm import tqdm

    bar = tqdm(total=len(EVERY), unit="strategy", delay=0.5, disable=None, file=sys.stderr)
    with bar:
        return advise(base, charges, limit, *more, EVERY, bar.update)


def _text(
    base: Any, charges: Any, limit: Any, known: Any, rows: Any, advice: Any, wide: bool, batch: int
) -> str:
    from repro.search.scale_law import ScaleLaw

    own, law, name = base.base, ScaleLaw.known(), base.name
    phi = f"{100 * charges.phi(own):.0f} %"
    best = min(rows, key=lambda row: row.gap)
    shown = {
        "<": ["best" if row is best else "tied" * row.tied for row in rows],
        "<strategy": [row.strategy for row in rows],
        "scale": level([row.scale for row in rows]),
        "flops (G)": level([row.flops / 1e9 for row in rows]),
        "acts (M)": level([row.acts / 1e6 for row in rows]),
        "memory (GB)": level([row.memory / 1e9 for row in rows]),
        "ms": level([row.ms for row in rows]),
        "params (M)": level([row.params / 1e6 for row in rows]),
        "top-1 error" if known else "points over dWr": [
            (_error(row) if known else f"{round(row.gap, 1) + 0.0:+.1f}") + "*" * row.extrapolated
            for row in rows
        ],
        "<±": [f"{row.band:.1f}" for row in rows],
        "< ": [row.warning or "" for row in rows],
    }
    if not wide:
        for title in ("flops (G)", "acts (M)", "memory (GB)"):
            del shown[title]
    lines = [
        f"flops are {phi} of {name}'s time on {charges.name}; the rest goes to maps, and",
        "to what grows with neither",
        f"{name} itself: {charges.ms(own):.3g} ms an image",
        f"({charges.source})",
        "",
        columns(shown),
        "",
    ]
    tied = [row.strategy for row in rows if row.tied]
    lines.append(
        f"In {limit.text}, these cannot be told apart; least memory first:\n{', '.join(tied)}."
        if len(tied) > 1
        else f"In {limit.text}, nothing is tied with {best.strategy}."
    )
    if any(row.extrapolated for row in rows):
        lines.append(
            f"* BEYOND WHAT WAS PUBLISHED: more than {law.reach:.0f} times the flops of {name}. "
            "Take the order\n  for a guess."
            + f" No error is given beyond {law.furthest:.0f} times."
            * bool(known)
        )
    if charges.card and (large := max(row.memory for row in rows)) > charges.card:
        lines.append(
            f"Training {batch} images takes up to {large / 1e9:.3g} GB; the card has "
            f"{charges.card / 1e9:.0f}."
        )
    if off := sorted({row.ms_error for row in rows if row.ms_error is not None}):
        lines.append(f"Times are off by {100 * off[-1]:.0f} % (the median, of families not seen).")
    elif charges.ratio:
        where = f", assumed from {charges.assumed}'s" * bool(charges.assumed)
        lines.append(
            f"The least time, not the real one. Ratios of times are off\nby "
            f"{100 * charges.ratio:.0f} % (the median{where})."
        )
    if known:
        lines.append(
            f"{name}'s own error: {known[0]:g} % ({known[1]}). All errors may be\n"
            f"{law.level:.1f} points higher or lower together."
        )
    else:
        lines.append(
            f"Accuracy is unknown for {name}; give its --error.\n"
            "Points over dWr are those of published families."
        )
    if base.family not in advice.SCALED:
        lines.append(
            f"Nobody published how {base.family} scales: carried over from\n"
            f"{', '.join(advice.SCALED)}."
        )
    if left_out := [one for one in advice.EVERY if one not in {row.strategy for row in rows}]:
        lines.append(f"Beyond the budget's reach: {', '.join(left_out)}.")
    if not wide:
        lines.append("--wide shows flops, acts and memory too.")
    return "\n".join(lines)


def _error(row: Any) -> str:
    return "unknown" if row.top1_error is None else f"{row.top1_error:.1f}"
