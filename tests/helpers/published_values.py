"""Which published values a judge reads, and what it says once one of them is changed."""

import sys
from decimal import Decimal

import repro.claims
from repro import reference
from repro.claims import JUDGES, Judgement, judge
from repro.errors import InputError

KEYS = "table stage model strategy base scaling figure device level family group panel note alpha"
"""What tells a row from others; all else in it is a published value."""
COUNTERS = ("get", "network", "network_of_row", "scale", "count", "complexity")
"""By these names judges ask for networks and their counts."""


class Reference:
    """Stands for `repro.reference` in the judges: notes what is read, with one value changed."""

    def __init__(self, loader=None, row=None, **change):
        self.read, self.counted, self.changed = {}, False, (loader, row, change)

    def __getattr__(self, name):
        found = getattr(reference, name)
        return found if isinstance(found, type) else lambda: self.rows(name, found())

    def rows(self, loader, rows):
        read, (changed, which, change) = self.read, self.changed

        class Watched(type(rows[0])):
            def __getattribute__(self, name):
                value = super().__getattribute__(name)
                if isinstance(value, (int, str, Decimal)) and value and name not in KEYS.split():
                    read.setdefault((loader, name), []).append(self)
                return value

        rows = [r._replace(**change) if loader == changed and r == which else r for r in rows]
        return tuple(Watched(*row) for row in rows)

    def counts(self, function):
        def noted(*args, **kwargs):
            self.counted = True
            return function(*args, **kwargs)

        return noted


def judged(claim, patch, stand_in) -> Judgement | None:
    """A judgement by what a stand-in holds; None where that makes no sense to the judge."""
    with patch.context() as p:
        for module in vars(repro.claims).values():
            if hasattr(module, "judge_function"):
                for name in set(COUNTERS) & set(vars(module)):
                    p.setattr(module, name, stand_in.counts(getattr(module, name)))
                if hasattr(module, "reference"):
                    p.setattr(module, "reference", stand_in)
        try:
            return judge(claim)
        except (InputError, ZeroDivisionError):
            return None


def outcome(judgement):
    """What must turn: the verdict, or where it fails already the match of a point."""
    return judgement and (judgement.verdict, [point.match for point in judgement.points])


def others(claim, value, before):
    """A value made another: by three last digits beyond the tolerance where digits decide.

    Elsewhere made four times as large and as small. Where all points are off, made ours.
    """
    if isinstance(value, str):
        return ["7"]
    unit = Decimal(1).scaleb(Decimal(value).as_tuple().exponent)
    allowed = claim.tolerance.abs if claim.tolerance else 0
    steps = [3 * unit + allowed, -3 * unit - allowed]
    if not (claim.kind == "number" and "paper against itself" not in before.basis):
        steps += [3 * value, -value * Decimal("0.75")]
    steps += [Decimal(p.difference) for p in before.points if p.match == "no" and p.difference]
    made = [Decimal(value) + step for step in steps]
    return [int(m) if isinstance(value, int) else m.quantize(unit) for m in made]


def turned(claim, before, patch):
    """What the judge reads, as a `Reference` noted it, and by column whether a change turned it."""
    seen, found = Reference(), {}
    if hasattr(sys.modules[JUDGES[claim.judge].__module__], "reference"):
        judged(claim, patch, seen)

    def tried(name, changed, stand_in):
        after = judged(changed, patch, stand_in)
        found[name] = after is not None and outcome(after) != outcome(before)
        return found[name]

    for (loader, column), rows in seen.read.items():
        any(
            tried(f"{loader}.{column}", claim, Reference(loader, row, **{column: other}))
            for row in rows[:: -(-len(rows) // 8)]
            for other in others(claim, getattr(row, column), before)
        )
    for i, value in enumerate(claim.published):
        for other in others(claim, value, before):
            values = (*claim.published[:i], other, *claim.published[i + 1 :])
            if tried(f"published {i}", claim.model_copy(update={"published": values}), Reference()):
                break
    return seen, found
