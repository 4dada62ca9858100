"""Forward and backward as one CUDA graph: a small network then no longer waits for the CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

WARMUP = 3


class Graphed:
    """A function of a batch that leaves gradients in the model, captured once and replayed.

    Batch-norm statistics are put back after the iterations that a capture needs beforehand.
    """

    def __init__(
        self, function: Callable[..., Tensor], model: nn.Module, example: tuple[Tensor, ...]
    ) -> None:
        self.inputs = tuple(t.clone() for t in example)
        before = [b.clone() for b in model.buffers()]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP):
                model.zero_grad(set_to_none=True)
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        torch._foreach_copy_(list(model.buffers()), before)
        # Gradients made during the capture live in the graph's memory: each replay writes them
        # anew, so between replays they must not be replaced.
        model.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = function(*self.inputs)

    def __call__(self, *batch: Tensor) -> Tensor:
        """Run on a batch; the loss, and gradients in the model."""
        for ours, theirs in zip(self.inputs, batch, strict=True):
            ours.copy_(theirs)
        self.graph.replay()
        return self.loss.clone()
