"""Ways to change a claim or what was published, so that its verdict must turn."""

from dataclasses import replace

from repro import reference
from repro.claims import rooflines
from repro.evidence import public
from repro.prices import law


def args(**changes):
    """Change arguments of the claim's judge."""
    return lambda claim, patch: claim.model_copy(update={"args": claim.args | changes})


def published(loader, match, **changes):
    """Change the published rows for which ``match`` is true; at least one must be."""

    def mutate(claim, patch):
        rows = getattr(reference, loader)()
        changed = tuple(row._replace(**changes) if match(row) else row for row in rows)
        assert changed != rows
        patch.setattr(reference, loader, lambda: changed)
        return claim

    return mutate


def timed_publicly(beginning, seconds):
    """Change public times, in the settings whose names begin so, to a function of the network."""

    def mutate(claim, patch):
        rows = public.public_timings()
        changed = tuple(
            replace(
                row,
                seconds={
                    setting: seconds(row) if str(setting).startswith(beginning) else time
                    for setting, time in row.seconds.items()
                },
            )
            for row in rows
        )
        assert changed != rows
        patch.setattr(public, "public_timings", lambda: changed)
        return claim

    return mutate


def charged(beginning, **changes):
    """Change fitted prices, in the settings whose names begin so."""

    def mutate(claim, patch):
        prices = law.published("two prices")
        changed = tuple(
            replace(price, **changes) if price.setting.startswith(beginning) else price
            for price in prices
        )
        assert changed != prices
        patch.setattr(law, "published", lambda _: changed)
        return claim

    return mutate


def on_a_roofline(name, change):
    """Change what a function gives of those that judge rooflines."""
    real = getattr(rooflines, name)

    def mutate(claim, patch):
        patch.setattr(rooflines, name, lambda *given, **more: change(real(*given, **more)))
        return claim

    return mutate
