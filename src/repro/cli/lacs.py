"""``repro lacs``: the best depth, width and resolution in a budget, and how little that is sure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from repro.errors import InputError

UNITS = {"latency": ("ms", 1e-3), "flops": ("G flops", 1e9), "acts": ("M acts", 1e6)}
"""Of ``--target``, by what it limits; and how many seconds, flops or acts that is."""
RIVALS = ("dWr", "2/3", "w", "dwr", "EfficientNet", "LACS-GPU", "LACS-TPU", "d", "r")
By = Literal["latency", "flops", "acts"]
Form = Literal["quadratic", "norm", "product", "additive"]


def lacs(
    base: Annotated[str, typer.Argument(metavar="BASE", help="EN-B0, EN-TF-B0, EN-X-B0 ...")],
    target: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Budget in ms; G by flops, M by acts."),
    ] = None,
    like: Annotated[
        str | None, typer.Option(metavar="NAME", help="As much as this network needs.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="D", help="Whose roofline says the time, such as V100.")
    ] = None,
    accuracy: Annotated[
        Form | None, typer.Option(help="One surface. [default: the three that fit]")
    ] = None,
    by: Annotated[By, typer.Option(help="What is limited.")] = "latency",
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Images at once.")] = 128,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON in place of a table.")
    ] = False,
) -> None:
    """Scale by latency: the best depth, width and resolution that keep to a budget.

    Errors are those of scaled EfficientNet-B0, as the first paper plots them, by surfaces fitted
    to its points; only networks among the published ones are considered. Where surfaces
    disagree, and how wide the range of equally good networks is, matters more than the best.

    \b
    Examples:
      repro lacs EN-B0 --like EN-B4 --device V100
      repro lacs EN-X-B0 --target 3 --device TPUv3 --accuracy norm
      repro lacs EN-B0 --target 2 --by flops --json
    """
    from repro.arch import get
    from repro.cli.text import json_lines
    from repro.search.accuracy import Surface
    from repro.search.latency import budget, on_device
    from repro.search.scaling import of_b0

    scaler = of_b0(get(base))
    if by == "latency" and device is None:
        raise InputError("give a --device, or --by flops or acts")
    if by != "latency" and device is not None:
        raise InputError(f"--by {by} needs no --device; leave it out")
    if (target is None) == (like is None):
        raise InputError("give either --target or --like NAME")
    cost = on_device(device, batch) if device else budget("flops" if by == "flops" else "acts")
    unit, size = UNITS[by]
    if target is not None and not 0 < target < float("inf"):
        raise InputError(f"target {target:g} {unit} is not allowed; a positive number is")
    limit = target * size if target is not None else cost(get(str(like)))
    surfaces = [
        Surface.fit(f) for f in ([accuracy] if accuracy else ("quadratic", "norm", "product"))
    ]
    rows = _rows(scaler, limit, cost, surfaces, size)
    phi = cost.phi(scaler.base)
    where = f" for {batch} images on {cost.name}" if device else ""
    if as_json:
        about = {"base": base, "target": limit / size, "unit": unit, "device": device, "phi": phi}
        print(json_lines([about | row for row in rows]))
        return
    print(_text(rows, f"{base} within {limit / size:.4g} {unit}{where}", unit))
    if device:
        print(f"\na flop is {100 * phi:.0f} % of {base}'s bill on {cost.name}; maps are the rest")


def _rows(scaler: Any, limit: float, cost: Any, surfaces: list[Any], size: float) -> list[Any]:
    """For each surface its best network, what it cannot tell from that, and rivals' regrets."""
    from repro.arch.strategy import paper_strategy
    from repro.complexity import complexity
    from repro.search.scaling import affordable, grid, regret, shares

    rivals = [paper_strategy(name) for name in RIVALS]
    rows, candidates = [], grid(scaler, surfaces[0])
    for surface in surfaces:
        some, errors = affordable(candidates, limit, surface, cost)
        lost = regret(candidates, rivals, limit, surface, cost)
        alike = some[errors <= errors[0] + surface.residual].built
        net = some.network(0)
        count = complexity(net)
        rows.append(
            {
                "surface": surface.form,
                **{name: float(values[0]) for name, values in some.built._asdict().items()},
                "pixels": net.resolution,
                "blocks": sum(stage.depth for stage in net.stages),
                "flops": count.flops,
                "params": count.params,
                "acts": count.acts,
                "cost": float(some.cost(cost)[0]) / size,
                "error": float(errors[0]),
                "shares": shares([float(x[0]) for x in some.built]),
                "within": surface.residual,
                "alike": {k: [float(v.min()), float(v.max())] for k, v in alike._asdict().items()},
                "regrets": dict(zip(RIVALS, map(float, lost.values), strict=True)),
                "extrapolated": [
                    n for n, known in zip(RIVALS, lost.inside, strict=True) if not known
                ],
            }
        )
    return rows


def _text(rows: list[Any], title: str, unit: str) -> str:
    from repro.text import aligned

    head = ("<surface", "depth", "width", "pixels", "blocks", "flops, G", "params, M", "acts, M")
    best = [
        (
            *(row["surface"], f"{row['depth']:.2f}", f"{row['width']:.2f}", str(row["pixels"])),
            *(str(row["blocks"]), f"{row['flops'] / 1e9:.2f}", f"{row['params'] / 1e6:.1f}"),
            *(f"{row['acts'] / 1e6:.1f}", f"{row['cost']:.4g}", f"{row['error']:.2f}"),
            *(f"{share:.2f}" for share in row["shares"]),
        )
        for row in rows
    ]
    shares = ("d", "w", "r")
    alike = [
        (
            row["surface"],
            f"{row['within']:.2f}",
            *("-".join(f"{x:.2f}" for x in v) for v in row["alike"].values()),
        )
        for row in rows
    ]
    outside = sorted({name for row in rows for name in row["extrapolated"]}, key=RIVALS.index)
    names = [name + "*" * (name in outside) for name in RIVALS]
    lost = [(row["surface"], *(f"{v:.2f}" for v in row["regrets"].values())) for row in rows]
    note = "* outside of what was published: extrapolated" if outside else ""
    return "\n\n".join(
        [
            title + "; error in percent, shares of the log-flops",
            aligned((*head, unit, "error", *shares), best),
            "as good, to so many points:",
            aligned(("<surface", "points", "depth", "width", "resolution"), alike),
            "more error than the best, in points, of each strategy's largest network:",
            aligned(("<surface", *names), lost),
            *[note] * bool(note),
        ]
    )
