"""Model scaling and accelerator-friendly networks: describe, scale, count, build, time, train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro.models import build as build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    # Building needs torch, which takes seconds to import; describing and counting do not.
    if name == "build":
        from repro.models import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
