"""``repro advise``: how to grow a network in a budget, which choices are ties, how sure that is."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer


def advise(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="EN-B0 ..., timm/NAME, or a description's FILE.")
    ],
    budget: Annotated[
        str, typer.Option(metavar="B", help="2x (of its time), 5ms, 10GF, 50Macts, 8GB ...")
    ],
    device: Annotated[
        str, typer.Option(metavar="D", help="As for `repro predict`, or a roofline such as H100.")
    ] = "rtx4090",
    error: Annotated[
        float | None, typer.Option(metavar="E", help="The network's own top-1 error, percent.")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Time of training.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="With torch.compile.")] = False,
    batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Images in training, for memory.")
    ] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """Advise how to scale a network: the largest one of each strategy in a budget.

    Says what can be told apart. Strategies are tied where their intervals overlap; ties are
    ordered by memory, since it is size that separates them. Errors follow from how EfficientNets,
    RegNetYs and RegNetZs of one recipe grew; of other families nobody has published that.

    Times are of one image: in large batches on GPUs, alone on CPUs. 2x is twice the network's
    own time. Memory is about what training a batch in single precision takes.

    \b
    Examples:
      repro advise EN-B0 --budget 2x
      repro advise ResNet-50 --budget 2x --device rtx4090 --error 23.9
      repro advise timm/convnext_tiny --budget 30GF --device rtx3090
      repro complexity ResNet-50 --json > mine.json    # edit its numbers, then
      repro advise mine.json --budget 1ms --json
    """
    from repro.cli.text import json_lines
    from repro.search import advise as advice
    from repro.search.budgets import read_budget

    limit = read_budget(budget)
    charges = advice.device(device, "train" if train else "infer", compiled)
    base = advice.find_base(name)
    known = (error, "given") if error is not None else advice.known_error(base.name)
    value = known[0] if known else None
    rows = _with_progress(advice.advise, base, charges, limit, value, batch)
    if as_json:
        print(json_lines(row._asdict() for row in rows))
        return
    print(_text(base, charges, limit, known, rows, advice))


def _with_progress(advise: Any, base: Any, charges: Any, limit: Any, *more: Any) -> Any:
    """A bar for what has to be built to be counted."""
    if base.base.net is not None:
        return advise(base, charges, limit, *more)
    from tqdm import tqdm

    from repro.search.advise import STRATEGIES

    bar = tqdm(total=len(STRATEGIES), unit="strategy", delay=2, disable=None, file=sys.stderr)
    with bar:
        return advise(base, charges, limit, *more, progress=bar.update)


def _text(base: Any, charges: Any, limit: Any, known: Any, rows: Any, advice: Any) -> str:
    from repro.search.scale_law import ScaleLaw
    from repro.text import aligned

    own, law = base.base, ScaleLaw.known()
    phi = 100 * charges.phi(own)
    lines = [
        f"a flop is {phi:.0f} % of {base.name}'s bill on {charges.name}; the rest goes to maps"
        f"{'' if phi < 50 else ', and to what every image costs'}",
        f"{base.name} itself: {charges.ms(own):.3g} ms an image ({charges.source})",
        "",
    ]
    error = "top-1 error" if known else "against dWr"
    head = ("<", "<strategy", "scale", "flops (G)", "params (M)", "acts (M)", "memory (GB)")
    cells = [
        (
            *("tied" if row.tied else "", row.strategy, f"{row.scale:.4g}"),
            *(f"{row.flops / 1e9:.2f}", f"{row.params / 1e6:.1f}", f"{row.acts / 1e6:.1f}"),
            *(f"{row.memory / 1e9:.2f}", f"{row.ms:.3g}"),
            "-" if row.ms_error is None else f"{100 * row.ms_error:.0f} %",
            (f"{row.top1_error:.1f}" if known else f"{row.gap:+.1f}") + "*" * row.extrapolated,
            f"± {row.band:.1f}",
            row.warning or "",
        )
        for row in rows
    ]
    lines.append(aligned((*head, "ms", "off by", error, "", "<"), cells))
    tied = [row.strategy for row in rows if row.tied]
    lines += ["", f"In {limit.text}, {', '.join(tied)} cannot be told apart; least memory first."]
    if len(tied) == 1:
        lines[-1] = f"In {limit.text}, nothing is tied with {tied[0]}."
    if known:
        lines.append(
            f"{base.name}'s own error: {known[0]:g} % ({known[1]}). All errors of the table may be "
            f"{law.level:.1f} points higher or lower together."
        )
    else:
        lines.append(
            f"Accuracy is unknown for {base.name}; give its --error. Points against dWr are those "
            "of published families."
        )
    if base.family not in advice.SCALED:
        lines.append(
            f"Nobody published how {base.family} scales: carried over from "
            f"{', '.join(advice.SCALED)}."
        )
    if any(row.extrapolated for row in rows):
        lines.append(
            f"* more than {law.reach:.0f} times the flops: beyond what was published of nearly all."
        )
    left_out = [name for name in advice.STRATEGIES if name not in {row.strategy for row in rows}]
    if left_out:
        lines.append(f"Beyond the budget's reach: {', '.join(left_out)}.")
    return "\n".join(lines)
