"""Judges that search, or ask what a network would err: by `repro.search`, not by training.

Accuracy is a model of what others trained (`repro.search.table`) or a surface through the first
paper's published errors (`repro.search.accuracy`); time is a roofline or fitted prices. One
multiply-add is one flop.

`repro.search` needs numpy and scipy, which the smallest installation has not: it is imported where
it is used, so that there these claims alone are not testable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from repro.arch import get
from repro.arch.strategy import paper_strategy
from repro.claims.claim import Claim
from repro.claims.judging import Points, holds, judge_function

FORMS = ("quadratic", "norm", "product")
"""Of surfaces: the two that fit best, and one that dissents."""
Positive = Annotated[float, Field(gt=0)]


@judge_function("our model")
def nothing_better_than_b0(
    claim: Claim, devices: list[str], evaluations: int, errors: Positive
) -> Points:
    """In B0's own space no network as fast as B0 gains more than so many errors of the model.

    Fast on the roofline of each device; the model's error is its mean on networks left out.
    """
    from repro.search.evolve import evolve, within
    from repro.search.latency import roofline
    from repro.search.space import EFFICIENTNET, Codes, Floats, Sums
    from repro.search.table import table

    b0, model = EFFICIENTNET.parse(EFFICIENTNET.base)[None], table()
    most = errors * model.held_out.mae
    for device in devices:
        cost = Sums(EFFICIENTNET, roofline(device))
        fitness = within(float(cost(b0)[0]))

        def score(codes: Codes, cost: Sums = cost) -> tuple[Floats, Floats]:
            return model.top1(codes), cost(codes)

        found = evolve(EFFICIENTNET, score, fitness, evaluations)
        best = found.codes[found.best(fitness)]
        gain = float((model.top1(best) - model.top1(b0))[0])
        name = EFFICIENTNET.text(best[0])
        required = f"at most {most:.2f} points above B0"
        yield holds(f"{device}'s roofline", required, f"{gain:+.2f} by {name}", gain <= most)


@judge_function("our model")
def errs_no_more(
    claim: Claim, base: str, device: str, levels: list[str], rule: str, than: str, surfaces: int
) -> Points:
    """Grown to a level's time by one rule, a base errs no more than by another.

    By so many of the three surfaces at least. Time: on the device's roofline, of the family's own
    network of the level; nothing is rounded. Surfaces are EN-B0's, whatever the base.
    """
    from repro.search.accuracy import Surface
    from repro.search.latency import roofline
    from repro.search.scaling import largest, of_b0

    cost = replace(roofline(device), constant=0.0)
    start, rules = of_b0(get(base), "none"), [paper_strategy(r).shares for r in (rule, than)]
    for level in levels:
        grown = largest(start, rules, cost(get(base.replace("B0", level))), cost)
        pairs = [Surface.fit(form).error(*grown.built) for form in FORMS]  # type: ignore[arg-type]
        gaps = {form: float(a - b) for form, (a, b) in zip(FORMS, pairs, strict=True)}
        found = ", ".join(f"{gap:+.2f} by {form}" for form, gap in gaps.items())
        required = f"{rule} less {than} at most 0 by {surfaces} of {len(gaps)} surfaces"
        ok = sum(gap <= 0 for gap in gaps.values()) >= surfaces
        yield holds(f"{base} at the time of {level}, {device}", required, found, ok)


@judge_function("our model")
def flops_share(
    claim: Claim, below: dict[str, list[str]], above: dict[str, list[str]], low: float, high: float
) -> Points:
    """The share of a network's time that its flops are charged for, on some devices each.

    Devices are rooflines or fitted prices, for 128 images; the time is the whole one, with what is
    charged once an image. Networks of ``below`` stay under ``low``, of ``above`` exceed ``high``.
    """
    from repro.search.latency import on_device

    for nets, what in ((below, f"below {low:g}"), (above, f"above {high:g}")):
        for net, devices in nets.items():
            for cost in map(on_device, devices):
                share = cost.phi(get(net))
                ok = share < low if nets is below else share > high
                yield holds(f"{net}, {cost.name}", what, f"{share:.3f}", ok)
