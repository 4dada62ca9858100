"""Ways to change a claim or what was published, so that its verdict must turn."""

from repro import reference


def literal(**changes):
    """Change keys of the claim."""
    return lambda claim, patch: claim.model_copy(update=changes)


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


def both(*mutations):
    """One change after the other."""

    def mutate(claim, patch):
        for change in mutations:
            claim = change(claim, patch)
        return claim

    return mutate
