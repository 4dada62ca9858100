"""The moving average of weights and batch-norm statistics that is evaluated and reported."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """A copy of a network, ``model``, that follows it slowly; always in evaluation mode."""

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        ours, theirs = self.model.state_dict(), model.state_dict()
        self.floats: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.whole: tuple[list[Tensor], list[Tensor]] = ([], [])
        for key, value in theirs.items():
            pair = self.floats if value.is_floating_point() else self.whole
            pair[0].append(ours[key])
            pair[1].append(value)

    @torch.no_grad()
    def update(self, weight: float) -> None:
        """Move towards the network: 0 changes nothing, 1 copies it. Counters are copied."""
        if weight <= 0:
            return
        if weight >= 1:
            torch._foreach_copy_(*self.floats)
        else:
            torch._foreach_lerp_(*self.floats, weight)
        if self.whole[0]:
            torch._foreach_copy_(*self.whole)
