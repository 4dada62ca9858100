"""Training throughput: ours, timm's loop, plain PyTorch, side by side.

    python benchmarks/training.py [--network proxy-EN] [--resolution 32] [--batch 128]

Every side trains the same network with the same optimizer, batch and precision on the same images
(10,000 of random pixels, as large as CIFAR-10's), in turns in one process. Printed are medians,
and the ratio to our speed in the same round, with the lowest and highest of all rounds:

- ours: images on the device, crops and mirroring in batches there; the loop's own update, with its
  schedule; no weight averaging, as timm's default. Once more without augmentation, which plain
  PyTorch has none of either.
- timm: `create_loader` with its transforms, prefetcher and workers over images in memory (nothing
  is read from disk), timm's SGD and schedule, and what its training script does at each update.
- plain: a `DataLoader` over decoded float tensors, no augmentation at all, the shortest loop.
- the update alone: one batch again and again. Nothing can be faster.

Crops of a random area and mirroring are the augmentation of both ours and timm's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from repro.models import build
from repro.training.datasets import Dataset, Split
from repro.training.distributed import World
from repro.training.plan import Run, plan
from repro.training.sources import MemorySource
from repro.training.trainer import Pace, Trainer

IMAGES = 10_000
PLAIN = ("ema=none", "lr=0.001")
Side = Callable[[int], float]


def images(count: int = IMAGES, side: int = 32) -> Split:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 3, side, side), np.uint8)
    return Split(pixels, np.arange(count) % 10)


def endless(make: Callable[[], Any]) -> Iterator[Any]:
    while True:
        yield from make()


def settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Clock:
    """Seconds, and the share of them spent waiting for data, of the last turn."""

    def __init__(self) -> None:
        self.waited = 0.0

    def fetch(self, stream: Iterator[Any]) -> Any:
        start = time.perf_counter()
        batch = next(stream)
        self.waited += time.perf_counter() - start
        return batch


def ours(run: Run, data: Split, world: World, clock: Clock) -> Side:
    whole = Dataset("cifar10", "random", data, data, tuple("0123456789"), True, 32, "-")
    source = MemorySource(whole, run.setting, run.net.resolution, world)
    trainer = Trainer(run.net, run.setting, world, Pace(source.steps, source.images["train"]))
    stream = endless(lambda: source.epoch(0, 0))
    step = 0

    def turn(updates: int) -> float:
        nonlocal step
        start = time.perf_counter()
        losses = []
        for _ in range(updates):
            micro, mixup = clock.fetch(stream)
            losses.append(trainer.update(micro, mixup, step))
            step += 1
        torch.stack(losses).tolist()
        return time.perf_counter() - start

    return turn


def fresh(run: Run, world: World) -> torch.nn.Module:
    torch.manual_seed(0)
    model = build(run.net).to(world.device).train()
    return model.to(memory_format=run.setting.torch_memory_format())


def autocast(run: Run, world: World) -> Any:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(run.setting.amp)
    return torch.autocast(world.device.type, dtype, enabled=dtype is not None)


def timms(run: Run, data: Split, world: World, clock: Clock, workers: int) -> Side:
    from timm.data import create_loader
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import AverageMeter

    class Pictures(torch.utils.data.Dataset):
        transform: Any = None

        def __len__(self) -> int:
            return len(data)

        def __getitem__(self, i: int) -> Any:
            picture = Image.fromarray(data.pixels[i].transpose(1, 2, 0))
            return self.transform(picture), int(data.labels[i])

    recipe, size = run.setting.recipe, run.net.resolution
    loader = create_loader(
        Pictures(),
        (3, size, size),
        recipe.batch,
        is_training=True,
        color_jitter=0.0,
        interpolation="bilinear",
        num_workers=workers,
        persistent_workers=workers > 0,
        device=world.device,
    )
    model = fresh(run, world)
    optimizer = create_optimizer_v2(
        model, "sgd", lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay or 0.0
    )
    updates = len(loader)
    scheduler, _ = create_scheduler_v2(optimizer, num_epochs=100, updates_per_epoch=updates)
    loss_of = LabelSmoothingCrossEntropy(recipe.label_smoothing)
    stream = endless(lambda: loader)
    step = 0

    def turn(count: int) -> float:
        nonlocal step
        meter = AverageMeter()
        start = time.perf_counter()
        for i in range(count):
            x, y = clock.fetch(stream)
            x = x.contiguous(memory_format=run.setting.torch_memory_format())
            with autocast(run, world):
                loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if i == count - 1:  # its log interval is 50 updates
                meter.update(loss.item(), x.shape[0])
            scheduler.step_update(num_updates=step, metric=meter.avg)
        settle(world.device)
        return time.perf_counter() - start

    return turn


def plain(run: Run, data: Split, world: World, clock: Clock) -> Side:
    recipe, size = run.setting.recipe, run.net.resolution
    x = F.interpolate(torch.from_numpy(data.pixels).float() / 255, (size, size))
    tensors = torch.utils.data.TensorDataset(x, torch.from_numpy(data.labels))
    loader = torch.utils.data.DataLoader(tensors, recipe.batch, shuffle=True, drop_last=True)
    return loop(run, world, clock, endless(lambda: loader))


def alone(run: Run, data: Split, world: World, clock: Clock) -> Side:
    size = run.net.resolution
    x = torch.randn(run.setting.recipe.batch, 3, size, size, device=world.device)
    y = torch.arange(len(x), device=world.device) % 10
    x = x.contiguous(memory_format=run.setting.torch_memory_format())
    return loop(run, world, clock, endless(lambda: [(x, y)]))


def loop(run: Run, world: World, clock: Clock, stream: Iterator[Any]) -> Side:
    recipe, model = run.setting.recipe, fresh(run, world)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay or 0.0,
        fused=True,
    )

    def update(x: Tensor, y: Tensor) -> None:
        with autocast(run, world):
            logits = model(x)
        F.cross_entropy(logits.float(), y, label_smoothing=recipe.label_smoothing).backward()
        optimizer.step()
        optimizer.zero_grad()

    def turn(updates: int) -> float:
        start = time.perf_counter()
        for _ in range(updates):
            x, y = clock.fetch(stream)
            x = x.to(world.device).contiguous(memory_format=run.setting.torch_memory_format())
            update(x, y.to(world.device))
        settle(world.device)
        return time.perf_counter() - start

    return turn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="proxy-EN")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--updates", type=int, default=10, help="in each turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False))
    a = parser.parse_args()
    cuda = torch.cuda.is_available()
    world = World(0, 1, torch.device("cuda" if cuda else "cpu"))
    torch.set_num_threads(a.threads)
    torch.backends.cudnn.benchmark = True

    def planned(**more: Any) -> Run:
        return plan(
            a.network,
            "cifar10",
            resolution=a.resolution,
            batch=a.batch,
            amp="bf16" if cuda else "none",
            **{"changes": ["crop=area", *PLAIN], **more},
        )

    data, run = images(), planned()
    bare = planned(changes=["crop=none", "test_resize=1.0", "flip=false", *PLAIN])
    sides: dict[str, tuple[Clock, Side]] = {}

    def add(name: str, make: Callable[..., Side], *more: Any, using: Run = run) -> None:
        clock = Clock()
        sides[name] = (clock, make(using, data, world, clock, *more))

    add("ours", ours)
    if cuda:
        add("ours, CUDA graph", ours, using=planned(compile="graph"))
    for workers in (0, 1, a.threads) if a.threads > 1 else (0, 1):
        add(f"timm, {workers} workers", timms, workers)
    add("ours, no augmentation", ours, using=bare)
    add("plain PyTorch, no augmentation", plain)
    add("the update alone", alone)

    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(a.rounds + 1):
        for name, (clock, side) in sides.items():
            clock.waited *= turn > 0
            took = side(a.updates)
            if turn:  # the first one warms up
                seconds[name].append(took)
            else:
                clock.waited = 0.0

    kind = torch.cuda.get_device_name() if cuda else f"CPU, {a.threads} threads"
    print(
        f"{a.network} at {a.resolution} x {a.resolution}, batch {a.batch}, "
        f"{run.setting.amp if cuda else 'fp32'}, {kind}, {a.rounds} rounds of {a.updates} updates"
    )
    for name, (clock, _) in sides.items():
        middle = median(seconds[name])
        ratios = [b / a for a, b in zip(seconds[name], seconds["ours"], strict=True)]
        waiting = clock.waited / sum(seconds[name])
        print(
            f"{name:<34}{a.updates * a.batch / middle:>10,.0f} images/s"
            f"{median(ratios):>8.2f} x ours ({min(ratios):.2f} to {max(ratios):.2f})"
            f"{100 * waiting:>8.1f} % of the time for data"
        )


if __name__ == "__main__":
    main()
