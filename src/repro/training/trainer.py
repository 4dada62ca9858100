"""One update, one evaluation, and the state between them. `repro.training.loop` repeats these."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from repro.arch import Network
from repro.models.builder import build
from repro.records import Score
from repro.training.distributed import World
from repro.training.ema import Average
from repro.training.graph import Graphed
from repro.training.recipe import Recipe, ema_weight, lr_at, weight_decay_of
from repro.training.spec import Setting

AMP = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Diverged(ArithmeticError):
    """A loss or a weight is no number any more."""


@dataclass(frozen=True)
class Pace:
    """How many updates (``steps``) and images an epoch has."""

    steps: int
    images: int


class Trainer:
    """A network in training, ``model``, and what follows it, ``average``, or None."""

    def __init__(self, net: Network, setting: Setting, world: World, pace: Pace) -> None:
        self.setting, self.world, self.pace = setting, world, pace
        recipe = setting.recipe
        torch.manual_seed(setting.seed)
        self.model = build(
            net,
            dropout=net.dropout if recipe.dropout is None else recipe.dropout,
            drop_path=net.drop_path if recipe.drop_path is None else recipe.drop_path,
        )
        self.model.to(world.device).to(memory_format=setting.torch_memory_format())
        self.average = None if recipe.ema == "none" else Average(self.model)
        fp16 = setting.amp == "fp16"
        decay = weight_decay_of(recipe, net.is_mbconv)
        self.optimizer = make_optimizer(self.model, recipe, decay, scaled=fp16)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=fp16)
        self.forward: nn.Module = self.model
        if world.size > 1:
            self.forward = _exchanging(self.model, world)
        if setting.compile == "inductor":
            self.forward = torch.compile(self.forward)  # type: ignore[assignment]
        self.graphed: Graphed | None = None
        # That of this device alone: torch.manual_seed sees to all, and takes a millisecond.
        self.generator = torch.default_generator
        if world.device.type == "cuda":
            self.generator = torch.cuda.default_generators[world.device.index or 0]

    def update(self, micro: list[tuple[Tensor, Tensor]], mixup: Tensor, step: int) -> Tensor:
        """Train on the parts of one batch, ``step`` updates after the start.

        The loss, (), stays on the device, and is of this process's share. ``mixup``, (), is the
        weight of the image itself.
        """
        if not self.model.training:
            self.model.train()
        # All randomness of a step follows from its number: nothing has to be kept to go on.
        entropy = (self.setting.seed, step, self.world.rank)
        self.generator.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        lr = lr_at(self.setting.recipe, step, self.pace.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        losses = []
        for turn, (x, y) in enumerate(micro, 1):
            with self._no_exchange() if turn < len(micro) else contextlib.nullcontext():
                losses.append(self._backward(x, y, mixup, len(micro)))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.graphed is None:  # a graph writes its gradients anew
            self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            recipe, pace = self.setting.recipe, self.pace
            self.average.update(ema_weight(recipe, step, pace.steps, pace.images))
        return torch.stack(losses).sum()

    def _backward(self, x: Tensor, y: Tensor, mixup: Tensor, parts: int) -> Tensor:
        if self.setting.compile == "graph":
            if self.graphed is None:
                self.graphed = Graphed(self._loss_and_gradients, self.model, (x, y, mixup))
            return self.graphed(x, y, mixup)
        return self._loss_and_gradients(x, y, mixup, parts)

    def _loss_and_gradients(self, x: Tensor, y: Tensor, mixup: Tensor, parts: int = 1) -> Tensor:
        recipe = self.setting.recipe
        if recipe.mixup:
            # With its neighbour in the batch, which is in random order.
            x = torch.lerp(x.roll(1, 0), x, mixup)
        with self._autocast():
            logits = self.forward(x)
        smooth = recipe.label_smoothing
        loss = F.cross_entropy(logits.float(), y, label_smoothing=smooth)
        if recipe.mixup:
            other = F.cross_entropy(logits.float(), y.roll(1, 0), label_smoothing=smooth)
            loss = torch.lerp(other, loss, mixup)
        loss = loss / parts
        self.scaler.scale(loss).backward()
        return loss.detach()

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.setting.amp == "none":
            return contextlib.nullcontext()
        return torch.autocast(
            self.world.device.type,
            AMP[self.setting.amp],
            cache_enabled=self.setting.compile != "graph",
        )

    def _no_exchange(self) -> contextlib.AbstractContextManager[Any]:
        """Gradients are exchanged once per update, with its last part."""
        if isinstance(self.forward, DistributedDataParallel):
            return self.forward.no_sync()
        return contextlib.nullcontext()

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated: the average, where there is one."""
        return self.average.model if self.average else self.model

    @torch.no_grad()
    def evaluate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> Score:
        """Loss and errors of the judged network, over all processes' shares."""
        model = self.judged
        self.world.copy_buffers(model)
        was_training = model.training
        model.eval()
        total = torch.zeros(4, dtype=torch.float64, device=self.world.device)
        for x, y in batches:
            with self._autocast():
                logits = model(x)
            logits = logits.float()
            missed = logits.topk(min(5, logits.shape[1])).indices != y[:, None]
            total += torch.stack(
                [
                    F.cross_entropy(logits, y, reduction="sum"),
                    missed[:, 0].sum(),
                    missed.all(1).sum(),
                    torch.ones_like(y).sum(),
                ]
            )
        model.train(was_training)
        loss, wrong, wrong5, images = self.world.sum(total).tolist()
        if not math.isfinite(loss):
            raise Diverged(f"the loss of the evaluated weights is {loss}")
        return Score(images=int(images), wrong=int(wrong), wrong5=int(wrong5), loss=loss / images)

    def state(self) -> dict[str, Any]:
        """Everything that the next update depends on, besides its number."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        if self.average:
            self.average.model.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        norms = torch._foreach_norm([p.detach() for p in self.model.parameters()])
        return bool(torch.stack(norms).isfinite().all())


def _exchanging(model: nn.Module, world: World) -> nn.Module:
    """The network as one of several that average their gradients.

    Batch norm's statistics do not travel: the leader saves its own, and evaluation copies them.
    """
    parameters = inspect.signature(DistributedDataParallel).parameters
    newer = "forward_sync_buffers" in parameters  # torch 2.15 gave the switch another name
    switch: dict[str, Any] = {"forward_sync_buffers" if newer else "broadcast_buffers": False}
    return DistributedDataParallel(
        model,
        device_ids=[world.device] if world.device.type == "cuda" else None,
        **switch,
    )


def make_optimizer(
    model: nn.Module, recipe: Recipe, decay: float, scaled: bool = False
) -> torch.optim.Optimizer:
    """The recipe's optimizer; weight decay on everything but batch norm, as in both papers.

    With a loss that is ``scaled`` up, the first updates may be left out, and torch's fused SGD
    would then start from momenta that nobody has written.
    """
    norms = [p for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    of_norms = {id(p) for p in norms}
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in of_norms], "weight_decay": decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "rmsprop":
        from timm.optim import RMSpropTF

        return RMSpropTF(
            groups,
            lr=recipe.lr,
            alpha=recipe.rms_decay,
            eps=recipe.rms_epsilon,
            momentum=recipe.momentum,
        )
    return torch.optim.SGD(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        fused=not scaled,
    )
