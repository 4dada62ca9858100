"""Scores of networks that nobody trained, for networks that somebody did.

    python benchmarks/zero_cost.py data/searches/zero-cost.json

Scores networks with fresh weights whose top-1 after training is known: some of EfficientNet-B0's
space, drawn from Accel-NASBench, and the first paper's zoo. A score is to rank as training does:

- naswot (Mellor et al., arXiv 2006.04647): log |det K|, where K counts for each two images of a
  batch the activations that agree whether they are on;
- synflow (Tanaka et al., arXiv 2006.05467): the sum of w dR/dw over all weights |w|, where R is the
  sum of the outputs for an image of ones; batch norm passes everything on. Its logarithm;
- grad norm (Abdelfattah et al., arXiv 2101.08134): Euclidean norms of the loss's gradients, summed
  over layers;
- zico (Li et al., arXiv 2301.11300): over layers, the sum of the log of the sum over weights of
  mean over deviation, between batches, of the gradient's size.

The images are scikit-learn's digits, enlarged; the first networks of the space are scored again
with weights from another seed, and with noise for images, its labels by chance. Weights are those
of convolutions and classifier. Seconds are the processor's, on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro import reference
from repro.arch import Network, get
from repro.models import build
from repro.paths import write_whole
from repro.search.space import EFFICIENTNET
from repro.training.datasets import load

Batch = tuple[Tensor, Tensor]
"""Images (n, 3, side, side), mean 0 and deviation 1, and their labels (n,)."""
CLASSES = 10
INPUTS = ("digits", "noise")
AGAIN = (("digits", 1), ("noise", 0))
"""Images and seed of further scores."""
ZOO_RESOLUTION = 224
"""Larger EfficientNets have larger images; at one size for all they would be other networks."""


def batches(kind: str, count: int, images: int, side: int) -> list[Batch]:
    """The same every time: the first digits, or noise."""
    n = count * images
    if kind == "digits":
        split = load("digits").train
        x = torch.from_numpy(split.pixels[:n]).float().expand(-1, 3, -1, -1)
        x = F.interpolate(x, (side, side), mode="bilinear")
        x, y = (x - x.mean()) / x.std(), torch.from_numpy(split.labels[:n])
    else:
        rng = torch.Generator().manual_seed(0)
        x = torch.randn(n, 3, side, side, generator=rng)
        y = torch.randint(CLASSES, (n,), generator=rng)
    return list(zip(x.split(images), y.split(images), strict=True))


def weights(model: nn.Module) -> list[nn.Parameter]:
    return [m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def agreement(on: Tensor) -> Tensor:
    """How many activations of two images are both on or both off; (n, units) gives (n, n)."""
    x = on.double()
    return x @ x.T + (1 - x) @ (1 - x).T


def naswot(model: nn.Module, images: Tensor) -> float:
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        kernel.add_(agreement(inputs[0].flatten(1) > 0))

    acts = [m for m in model.modules() if isinstance(m, (nn.ReLU, nn.SiLU))]
    hooks = [m.register_forward_pre_hook(note) for m in acts]
    with torch.no_grad():
        model.train()(images)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(kernel).logabsdet)


def synflow(model: nn.Module, image: Tensor) -> float:
    """Of a model that has seen no batch: its batch norms have mean 0 and variance 1."""
    model = deepcopy(model).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    flow = model(torch.ones_like(image, dtype=torch.float64)[None]).sum()
    of_layers = weights(model)
    pairs = zip(of_layers, torch.autograd.grad(flow, of_layers), strict=True)
    return math.log(sum(float((w.detach() * gradient).sum()) for w, gradient in pairs))


def gradients(model: nn.Module, batch: Batch) -> list[Tensor]:
    images, labels = batch
    loss = F.cross_entropy(model.train()(images), labels)
    return list(torch.autograd.grad(loss, weights(model)))


def grad_norm(of_layers: Sequence[Tensor]) -> float:
    return float(sum(g.norm() for g in of_layers))


def zico(of_batches: Sequence[Sequence[Tensor]]) -> float:
    """Gradients of two batches or more; weights that have the same in all are passed over."""
    total = 0.0
    for layer in zip(*of_batches, strict=True):
        size = torch.stack(layer).double().abs()
        mean, deviation = size.mean(0), size.std(0, correction=0)
        moves = deviation > 0
        if moves.any():
            total += float((mean[moves] / deviation[moves]).sum().log())
    return total


def scores(net: Network, data: Sequence[Batch], seed: int) -> dict[str, float]:
    """All scores of a network with weights from a seed."""
    torch.manual_seed(seed)
    model, images = build(net, num_classes=CLASSES), data[0][0]
    flow = synflow(model, images[0])
    found = [gradients(model, batch) for batch in data]
    values = {"naswot": naswot(model, images), "synflow": flow}
    values |= {"grad norm": grad_norm(found[0]), "zico": zico(found)}
    return {name: float(f"{value:.9g}") for name, value in values.items()}


def networks(count: int, draw: int) -> Iterator[tuple[str, Network, float]]:
    """Set, network and trained top-1: some of the space, then all of the zoo."""
    rows = reference.b0_space()
    for place in np.random.default_rng(draw).permutation(len(rows))[:count].tolist():
        code = EFFICIENTNET.parse("-".join([EFFICIENTNET.prefix, *rows[place][:4]]))
        yield "space", EFFICIENTNET.network(code), float(rows[place].top1)
    for row in reference.zoo_timings():
        if row.resolution == ZOO_RESOLUTION:
            yield "zoo", get(row.model.replace("EfficientNet", "EN")), 100 - float(row.top1_err)


def rows(given: argparse.Namespace) -> Iterator[dict[str, object]]:
    drawn = list(networks(given.networks, given.draw))
    jobs = [(*each, "digits", 0) for each in drawn]
    jobs += [(*each, *more) for more in AGAIN for each in drawn[: given.again]]
    data = {kind: batches(kind, given.batches, given.images, given.side) for kind in INPUTS}
    for kind, net, top1, images, seed in jobs:
        start = time.process_time()
        found = scores(net, data[images], seed)
        row = {"set": kind, "network": net.name, "top1": round(top1, 3), "images": images}
        row |= {"seed": seed, **found, "seconds": round(time.process_time() - start, 2)}
        print(json.dumps(row), flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="FILE")
    parser.add_argument("--networks", type=int, default=60, help="of the space")
    parser.add_argument("--draw", type=int, default=60, metavar="SEED", help="of the networks")
    parser.add_argument("--again", type=int, default=20, help="networks scored three times")
    parser.add_argument("--side", type=int, default=64, help="pixels")
    parser.add_argument("--images", type=int, default=32, help="in a batch")
    parser.add_argument("--batches", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    about = {k: v for k, v in vars(given).items() if k != "out"} | {"torch": torch.__version__}
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows(given))
    text = f'{{"about": {json.dumps(about)},\n "rows": [\n{lines}\n]}}\n'
    write_whole(given.out, text.encode())


if __name__ == "__main__":
    main()
