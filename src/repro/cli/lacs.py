"""``repro lacs``: the best depth, width and resolution in a budget, and how little that is sure."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from repro.cli.text import DEVICE_HELP, columns, json_lines, level
from repro.errors import InputError
from repro.text import aligned

UNITS = {"latency": ("ms", 1e-3), "flops": ("GF", 1e9), "acts": ("Macts", 1e6)}
"""Of ``--target``, by what it limits; and how many seconds, flops or acts that is."""
RIVALS = ("dWr", "2/3", "w", "dwr", "EfficientNet", "LACS-GPU", "LACS-TPU", "d", "r")
By = Literal["latency", "flops", "acts"]
Form = Literal["quadratic", "norm", "product", "additive"]


def lacs(
    base: Annotated[str, typer.Argument(metavar="BASE", help="EN-B0, EN-TF-B0, EN-X-B0 ...")],
    target: Annotated[
        str | None,
        typer.Option(metavar="T", help="5ms for all images at once (5 is 5ms), 2GF or 10Macts."),
    ] = None,
    like: Annotated[
        str | None, typer.Option(metavar="NAME", help="As much as this network needs.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="D", help=DEVICE_HELP)] = None,
    accuracy: Annotated[
        Form | None, typer.Option(help="One surface. [default: the three that fit]")
    ] = None,
    by: Annotated[
        By | None, typer.Option(help="What is limited. [default: what the target is of; latency]")
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Images at once.")] = 128,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON in place of a table.")
    ] = False,
) -> None:
    """Scale by latency: the best depth, width and resolution that keep to a budget.

    Errors are those of scaled EfficientNet-B0, as the first paper plots them, by surfaces fitted
    to its points; only networks among the published ones are considered. Where surfaces
    disagree, and how wide the range of equally good networks is, matters more than the best.
    The second paper's procedure, its grid and reward, is run beside that.

    Times are of a whole batch, as in the second paper, at inference. Strategies are those of
    `repro advise --help`.

    \b
    Examples:
      repro lacs EN-B0 --like EN-B4 --device roofline:V100
      repro lacs EN-X-B0 --target 20ms --device TPUv3 --accuracy norm
      repro lacs EN-B0 --target 2GF --json
    """
    from repro.arch import get
    from repro.arch.strategy import paper_strategy
    from repro.prices.law import other
    from repro.search.budgets import fits
    from repro.search.latency import budget, on_device
    from repro.search.scaling import LARGEST, of_b0, reaching

    scaler = of_b0(get(base))
    limit, what = _target(target, like, by)
    if (what == "latency") != (device is not None):
        needs = "needs no --device; leave it out" if device else "needs a --device, such as V100"
        raise InputError(f"a budget of {what} {needs}" + " (or --by flops)" * (device is None))
    cost = on_device(device, batch) if device else budget("acts" if what == "acts" else "flops")
    unit, size = UNITS[what]
    limit = limit or cost(get(str(like)))
    if not fits(own := cost(scaler.base), limit):
        asked = f"target {target}" if target else f"what {like} needs, {limit / size:.4g} {unit},"
        raise InputError(f"{asked} is too small: {base} itself needs {own / size:.3g} {unit}")
    if not any(able := reaching(scaler, [paper_strategy(name) for name in RIVALS], limit, cost)):
        raise InputError(
            f"{target or like} is more than any rule takes at {LARGEST:g} times {base}'s flops"
        )
    rows = _rows(scaler, limit, cost, accuracy, size, able)
    phi = cost.phi(scaler.base)
    if as_json:
        about = {"base": base, "target": limit / size, "unit": unit, "device": device, "phi": phi}
        print(json_lines([about | row for row in rows]))
        return
    where = f"\nfor {batch} images at once on {cost.name}{other(device)}" if device else ""
    print(_text(rows, f"{base} within {limit / size:.4g} {unit}{where}", unit))
    print(
        f"\nflops are {100 * phi:.0f} % of {base}'s time on {cost.name}; the rest goes to maps, "
        "and to what grows with neither"
        if device
        else f"\n{what} alone decide: nothing else is limited"
    )


def _target(target: str | None, like: str | None, by: By | None) -> tuple[float, By]:
    """The limit, in seconds, flops or acts, 0 where it is that of a network; and what it is of."""
    from repro.search.budgets import read_budget

    if (target is None) == (like is None):
        raise InputError("give either --target or --like NAME; and a --device, or --by flops")
    if target is None:
        return 0.0, by or "latency"
    bare = target.replace(".", "", 1).isdecimal()
    limit = read_budget(target + UNITS[by or "latency"][0] * bare)
    names: dict[str, By] = {"time": "latency", "flops": "flops", "acts": "acts"}
    what = names.get(limit.what)
    if what is None or by not in (what, None):
        allowed = UNITS[by][0] if by else ", ".join(unit for unit, _ in UNITS.values())
        raise InputError(f"target {target!r} is not allowed; a number of {allowed} is")
    return limit.limit, what


def _rows(
    scaler: Any, limit: float, cost: Any, form: Form | None, size: float, able: Any
) -> list[Any]:
    """For each surface its best network, what it cannot tell from that, and rivals' regrets."""
    from tqdm import tqdm

    from repro.arch.strategy import paper_strategy
    from repro.complexity import complexity
    from repro.search.accuracy import Surface
    from repro.search.budgets import fits
    from repro.search.scaling import affordable, grid, regret, shares

    rivals = [name for name, can in zip(RIVALS, able, strict=True) if can]
    forms = (form,) if form else ("quadratic", "norm", "product")
    bar = tqdm(total=2 * len(forms) + 1, unit="step", delay=0.5, disable=None, file=sys.stderr)
    rows, candidates = [], grid(scaler, Surface.fit(forms[0]))
    bar.update()
    for surface in map(Surface.fit, forms):
        some, errors = affordable(candidates, limit, surface, cost)
        lost = regret(candidates, [*map(paper_strategy, rivals)], limit, surface, cost)
        bar.update()
        alike = some[errors <= errors[0] + surface.residual].built
        net = some.network(0)
        count = complexity(net)
        rows.append(
            {
                "surface": surface.form,
                **{name: float(values[0]) for name, values in some.built._asdict().items()},
                "pixels": net.resolution,
                "binds": not fits(float(candidates.cost(cost).max()), limit),
                "blocks": sum(stage.depth for stage in net.stages),
                "flops": count.flops,
                "params": count.params,
                "acts": count.acts,
                "cost": float(some.cost(cost)[0]) / size,
                "error": float(errors[0]),
                "shares": shares([float(x[0]) for x in some.built]),
                "procedure": _procedure(scaler, limit, cost, surface),
                "within": surface.residual,
                "alike": {k: [float(v.min()), float(v.max())] for k, v in alike._asdict().items()},
                "regrets": dict.fromkeys(RIVALS)
                | dict(zip(rivals, map(float, lost.values), strict=True)),
                "extrapolated": [
                    n for n, known in zip(rivals, lost.inside, strict=True) if not known
                ],
            }
        )
        bar.update()
    bar.close()
    return rows


def _procedure(scaler: Any, limit: float, cost: Any, surface: Any) -> dict[str, Any] | None:
    """What the second paper's procedure finds, None where nothing that is known costs so much."""
    from repro.search.scaling import lacs, shares

    try:
        found = lacs(limit, cost, surface, scaler)
    except InputError:
        return None
    c = found.coefficients
    factors = (c.depth, c.width, c.resolution / scaler.base.resolution)
    return {
        "depth": c.depth,
        "width": c.width,
        "pixels": c.resolution,
        "error": found.error,
        "shares": shares(factors),
    }


def _text(rows: list[Any], title: str, unit: str) -> str:
    best = {
        "<surface": [row["surface"] for row in rows],
        "depth": [f"{row['depth']:.2f}" for row in rows],
        "width": [f"{row['width']:.2f}" for row in rows],
        "pixels": [str(row["pixels"]) for row in rows],
        "error": [f"{row['error']:.2f}" for row in rows],
        **{f"share {x}": [f"{row['shares'][i]:.2f}" for row in rows] for i, x in enumerate("dwr")},
    }
    sizes = {
        "GF": level([row["flops"] / 1e9 for row in rows]),
        "M params": level([row["params"] / 1e6 for row in rows]),
        unit: level([row["cost"] for row in rows], 4),
    }
    found = [
        (
            *(row["surface"], f"{p['depth']:.2f}", f"{p['width']:.2f}", str(p["pixels"])),
            *(f"{p['error']:.2f}", *(f"{share:.2f}" for share in p["shares"])),
        )
        for row in rows
        if (p := row["procedure"])
    ]
    alike = [
        (
            row["surface"],
            f"{row['within']:.2f}",
            *("-".join(f"{x:.2f}" for x in v) for v in row["alike"].values()),
        )
        for row in rows
    ]
    outside = sorted({name for row in rows for name in row["extrapolated"]}, key=RIVALS.index)
    rivals = [name for name in RIVALS if rows[0]["regrets"][name] is not None]
    lost = [(row["surface"], *(f"{row['regrets'][v]:.2f}" for v in rivals)) for row in rows]
    marked = [name + "*" * (name in outside) for name in rivals]
    left_out = [name for name in RIVALS if name not in rivals]
    notes = [
        "THE BUDGET DECIDES NOTHING: no network among the published ones costs so much"
        * (not rows[0]["binds"]),
        "* outside of what was published: extrapolated" * bool(outside),
        f"never so slow at 64 times the flops: {', '.join(left_out)}" * bool(left_out),
    ]
    none = "nothing that was published is so large; no procedure finds anything"
    return "\n\n".join(
        [
            title + "\nerror in percent, shares of the log-flops",
            columns(best | sizes),
            "by the second paper's procedure, as asked before rounding:",
            aligned(tuple(best), found) if found else none,
            "as good, to so many points:",
            aligned(("<surface", "points", "depth", "width", "resolution"), alike),
            "more error than the best, in points, of each strategy's largest network:",
            aligned(("<surface", *marked), lost),
            *[note for note in notes if note],
        ]
    )
