"""Counts of a built module: from the operators it runs, and by three outside counters.

The analytic count (`repro.complexity`) reads a description and never builds. `count` is its
opposite: it never reads a description, it watches a module run. That both agree to the unit for
every network is the evidence that description, counter and builder speak of the same thing.
Outside counters follow other conventions; `explain` names each difference and its size.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from repro.arch import Network
from repro.complexity import complexity, out_size
from repro.models import build

Size = Sequence[int]
"""Channels, height and width of one input image."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a module did for one image, as far as operators show it.

    Attributes:
        conv_macs, linear_macs: multiply-adds of convs and of matrix products.
        bias_adds: output elements that a bias was added to.
        conv_acts, linear_acts, pool_acts: output elements of convs, of matrix products, of
            max-pools.
        params: trainable parameters of the module.
        free: names of the operators that ran and count as nothing.
        depthwise_acts, grouped_acts: the part of conv_acts that such convs put out.
        attention_macs: the part of linear_macs in products of two maps.
        written: output elements of all operators. kernels: how many ran; views are none.
    """

    conv_macs: int
    linear_macs: int
    bias_adds: int
    conv_acts: int
    linear_acts: int
    pool_acts: int
    params: int
    free: frozenset[str]
    depthwise_acts: int
    grouped_acts: int
    attention_macs: int
    written: int
    kernels: int

    @property
    def flops(self) -> int:
        """Multiply-adds and bias additions: the first paper's convention."""
        return self.conv_macs + self.linear_macs + self.bias_adds

    @property
    def acts(self) -> int:
        """Outputs of convs, classifier and max-pool: the first paper's convention."""
        return self.conv_acts + self.linear_acts + self.pool_acts


Handler = Callable[[Any, Any], dict[str, int]]


def _convolution(args: Any, out: Tensor) -> dict[str, int]:
    x, weight, bias, transposed = args[0], args[1], args[2], args[6]
    grouped = args[8] > 1
    depthwise = grouped and weight.shape[1] == 1
    # Each output element (input element, where transposed) meets one filter's weights.
    return {
        "conv_macs": (x if transposed else out).numel() * math.prod(weight.shape[1:]),
        "bias_adds": out.numel() if bias is not None else 0,
        "conv_acts": out.numel(),
        "depthwise_acts": out.numel() * depthwise,
        "grouped_acts": out.numel() * (grouped and not depthwise),
    }


def _product(x: Tensor, out: Tensor, biased: bool) -> dict[str, int]:
    return {
        "linear_macs": out.numel() * x.shape[-1],
        "bias_adds": out.numel() if biased else 0,
        "linear_acts": out.numel(),
    }


_aten = torch.ops.aten
_HANDLERS: dict[Any, Handler] = {
    _aten.convolution: _convolution,
    _aten.addmm: lambda args, out: _product(args[1], out, biased=True),
    _aten.mm: lambda args, out: _product(args[0], out, biased=False),
    _aten.bmm: lambda args, out: {
        **_product(args[0], out, biased=False),
        "attention_macs": out.numel() * args[0].shape[-1],
    },
    _aten.max_pool2d_with_indices: lambda args, out: {"pool_acts": out[0].numel()},
}
_STILL = {_aten._unsafe_view, _aten.as_strided_, _aten.empty, _aten.lift_fresh, _aten.zeros}
"""Operators that compute nothing, besides those that make views."""


class _Like(NamedTuple):
    """What an operator's output on the meta device depends on."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def made(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")


def _like(item: Any) -> Any:
    if isinstance(item, Tensor):
        return _Like(tuple(item.shape), item.stride(), item.dtype)
    return tuple(map(_like, item)) if isinstance(item, list | tuple) else item


_RAN: dict[Any, Any] = {}
"""On the meta device working out a shape is all the work: what was put out, by what went in."""


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    meta = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
    if not meta or func.is_view or func._schema.is_mutable:
        return func(*args, **kwargs)
    key = func, _like(args), _like([*kwargs.items()])
    if known := _RAN.get(key):
        return known.made() if isinstance(known, _Like) else tuple(one.made() for one in known)
    out = func(*args, **kwargs)
    found = _like(out)
    if isinstance(found, _Like) or all(isinstance(one, _Like) for one in found):
        _RAN[key] = found
    return out


class _Watch(TorchDispatchMode):
    """Adds up the operators that reach the dispatcher while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.totals = {f.name: 0 for f in fields(Counts) if f.name not in ("params", "free")}
        self.free: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        handler = _HANDLERS.get(func.overloadpacket)
        if handler is None:
            # In inference mode composite operators (linear) arrive whole: look inside.
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = _run(func, args, kwargs)
        first = out[0] if isinstance(out, tuple | list) else out
        if isinstance(first, Tensor) and not (func.is_view or func.overloadpacket in _STILL):
            self.totals["written"] += first.numel()
            self.totals["kernels"] += 1
        if handler is None:
            self.free.add(func.overloadpacket.__name__)
        else:
            for part, value in handler(args, out).items():
                self.totals[part] += value
        return out


_FILLS = {"normal_", "uniform_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_"}


class Unfilled(TorchFunctionMode):
    """To make modules on the meta device: passes over what would fill weights that are not there,
    which takes longer than all else."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.__name__ in _FILLS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every submodule's own mode comes back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _image(model: nn.Module, size: Size | None) -> Tensor:
    """One black image for ``model``, by default of the size in its ``default_cfg``."""
    cfg: Any = getattr(model, "default_cfg", None)
    if size is None and cfg is None:
        raise ValueError("this module has no default_cfg: give the size of its input image")
    parameter = next(model.parameters())
    shape: Size = cfg["input_size"] if size is None else size
    return torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)


def count(model: nn.Module, size: Size | None = None) -> Counts:
    """Run a module on one image and count its operators.

    Args:
        model: any module made of convs, matrix products and what is free beside them; on the
            meta device nothing is computed, so that even the largest network takes milliseconds.
        size: (channels, height, width) of the image; by default the module's own
            ``default_cfg["input_size"]``.
    """
    watch = _Watch()
    image = _image(model, size)
    with _evaluating(model), watch:
        model(image)
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Counts(**watch.totals, params=params, free=frozenset(watch.free))


def fvcore_counts(model: nn.Module, size: Size | None = None) -> dict[str, Any]:
    """``flops``, ``params``, ``acts`` by fvcore, and what it could not count.

    ``unsupported`` has the operators without a formula and how often they ran, for flops: fvcore
    takes them as free. It traces a real run, so ``model`` must hold real tensors; the meta device
    will not do.
    """
    if next(model.parameters()).is_meta:
        raise ValueError("fvcore traces a real run: build the module on a CPU or a GPU")
    with warnings.catch_warnings():
        # fvcore is made with torch.jit, which announces its end at import and at each trace.
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

        with _evaluating(model):
            image = _image(model, size)
            flops = FlopCountAnalysis(model, image).unsupported_ops_warnings(False)
            acts = ActivationCountAnalysis(model, image).unsupported_ops_warnings(False)
            total = {"flops": int(flops.total()), "acts": int(acts.total())}
            unsupported = dict(flops.unsupported_ops())
            return {**total, "params": parameter_count(model)[""], "unsupported": unsupported}


def torchinfo_counts(model: nn.Module, size: Size | None = None) -> dict[str, Any]:
    """``flops`` (its "mult-adds"), ``params`` and ``acts`` by torchinfo.

    Its "forward/backward pass size" is twice the bytes of the outputs of all leaf modules that
    have parameters; ``acts`` is the number of elements behind that figure.
    """
    import torchinfo

    with _evaluating(model):
        image = _image(model, size)
        info = torchinfo.summary(model, input_data=image, device=image.device, verbose=0)
    acts = info.total_output_bytes // (2 * image.element_size())
    return {"flops": info.total_mult_adds, "params": info.total_params, "acts": acts}


def torch_counts(model: nn.Module, size: Size | None = None) -> dict[str, Any]:
    """``flops`` by PyTorch's own ``FlopCounterMode``, which counts nothing else."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with _evaluating(model), counter:
        model(_image(model, size))
    return {"flops": counter.get_total_flops()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Flops, params or acts (``figure``) by fvcore, torchinfo or torch beside ours.

    ``reasons``: why they differ, and by how much each; signed, theirs minus ours.
    """

    counter: str
    figure: str
    ours: int
    theirs: int
    reasons: dict[str, int]

    @property
    def residual(self) -> int:
        """What the reasons leave unexplained; 0 for every network and every piece of one."""
        return self.theirs - self.ours - sum(self.reasons.values())


def _pooled_elements(net: Network) -> int:
    """Elements of the last feature map, which the global average pool reads; a piece has none."""
    if net.is_piece:
        return 0
    size = out_size(net.resolution, 2)
    if net.stem == "conv7_pool":
        size = out_size(size, 2)
    for stage in net.stages:
        size = out_size(size, stage.stride)
    return (net.head_width or net.stages[-1].width) * size * size


def _leaf_norm_params(model: nn.Module) -> int:
    return sum(
        p.numel()
        for module in model.modules()
        if isinstance(module, nn.BatchNorm2d) and not any(module.children())
        for p in module.parameters()
    )


def explain(net: Network) -> tuple[Comparison, ...]:
    """Why each outside counter gives another figure, to the last unit.

    The size of a reason comes from the analytic parts or from the module's structure, never from
    the outside counter's own figure, so that `Comparison.residual` is a real check. fvcore runs
    the network once on the CPU at its full resolution.
    """
    c = complexity(net)
    meta = build(net, device="meta")
    no_biases = {
        "bias additions of squeeze-excite left out": -c.se_biases,
        "bias additions of the classifier left out": -c.classifier_biases,
    }
    no_pool = {"outputs of the stem's max-pool left out": -c.pool_acts}
    reasons: dict[tuple[str, str], dict[str, int]] = {
        ("fvcore", "flops"): {
            # Every conv outside squeeze-excite is followed by a batch norm.
            "batch norm at 2 flops per element": 2 * c.conv_acts,
            "global average pool at 1 flop per input element": _pooled_elements(net),
            **no_biases,
        },
        ("fvcore", "params"): {},
        ("fvcore", "acts"): no_pool,
        ("torchinfo", "flops"): {
            # One multiply-add per parameter. timm's batch norm contains its activation, so it is
            # no leaf and torchinfo passes it over; a plain nn.BatchNorm2d would count.
            "batch norms that are leaf modules": _leaf_norm_params(meta)
        },
        ("torchinfo", "params"): {},
        ("torchinfo", "acts"): no_pool,
        ("torch", "flops"): {"a multiply-add is two flops": c.macs, **no_biases},
    }
    theirs = {"fvcore": fvcore_counts(build(net)), "torchinfo": torchinfo_counts(meta)}
    theirs["torch"] = torch_counts(meta)
    ours = {"flops": c.flops, "params": c.params, "acts": c.acts}
    return tuple(
        Comparison(counter, figure, ours[figure], theirs[counter][figure], why)
        for (counter, figure), why in reasons.items()
    )
