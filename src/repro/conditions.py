"""Under which conditions a number was measured: what was run, how, on what machine, in what state.

Parts of a record; `repro.records` hands them on.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Device = Literal["cpu", "cuda"]
Mode = Literal["infer", "train", "step"]
Dtype = Literal["fp32", "tf32", "fp16", "bf16"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """Base of everything inside a record: frozen, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Protocol(Part):
    """How a network is timed. Two timings are comparable when their protocols are equal.

    Attributes:
        device: ``"cuda"`` is the first visible NVIDIA GPU.
        batch: images per iteration, or ``"max"`` for the most that fit in memory.
        mode: ``"infer"``: forward without gradients, batch norm folded nowhere, eval mode.
            ``"train"``: forward, cross-entropy loss and backward. ``"step"``: also an SGD update
            with momentum 0.9 (learning rate 0, so that every iteration does the same work).
        dtype: ``"fp32"`` is IEEE single precision with TF32 off; ``"tf32"`` the same tensors with
            TF32 allowed in matrix products and convs. ``"fp16"`` and ``"bf16"``: inference casts
            weights and input; training keeps fp32 weights and runs under autocast, fp16 with
            loss scaling.
        memory_format: of weights and input.
        compile: eager, a captured CUDA graph, or ``torch.compile`` with inductor.
        resolution: of the input; None is the network's own.
        threads: of the CPU; None lets the machine decide and is filled in before timing.
        allocator: what a CPU process does with freed memory: ``"keep"`` it, or what the
            ``"system"`` does, which is to give large blocks back at every layer. None: as threads.
        samples: number of timed samples. min_time: seconds they last together at least; each
            sample runs as many iterations as that takes.
        rounds: turns in which samples are taken, networks of a group alternating.
        seed: of weights and input, and of the images from which inference has the statistics of
            its batch norms. input: ``"zeros"`` exists to show why not to use it.
        memory_gb: limit (in 1e9 bytes) for ``batch="max"``; None is the whole GPU, or half of
            the CPU memory that is free.
        cudnn_benchmark: let cuDNN try algorithms before the first iteration.
    """

    device: Device = "cpu"
    batch: PositiveInt | Literal["max"] = 1
    mode: Mode = "infer"
    dtype: Dtype = "fp32"
    memory_format: Literal["channels_last", "contiguous"] = "channels_last"
    compile: Literal["none", "graph", "inductor"] = "none"
    resolution: PositiveInt | None = None
    threads: PositiveInt | None = None
    allocator: Literal["keep", "system"] | None = None
    samples: PositiveInt = 10
    min_time: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1.0
    rounds: PositiveInt = 5
    seed: NonNegativeInt = 0
    input: Literal["random", "zeros"] = "random"
    memory_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    cudnn_benchmark: bool = False

    def inputs(self) -> dict[str, Any]:
        """As keys have it: a field that came later is left out where nothing is said."""
        values = self.model_dump()
        if self.allocator is None:
            del values["allocator"]
        return values


class Subject(Part):
    """The network that was measured.

    Attributes:
        name: as tables show it. base: its zoo name, or ``name`` where it has none.
        strategy: short name where the paper has one (dWr), else the grammar; None: unscaled.
        grammar: the strategy in the authors' grammar. scale: factor on flops.
        resolution: of the input that was used.
        description: the complete `repro.arch.Network`; None for a module from elsewhere.
        flops, acts: for one image at ``resolution``, by the first paper's convention.
        params: trainable parameters. kernels: forward operations, see `repro.runtime.roofline`.
    """

    name: str
    base: str
    strategy: str | None = None
    grammar: str | None = None
    scale: Finite | None = None
    resolution: PositiveInt
    description: dict[str, Any] | None = None
    flops: NonNegativeInt | None = None
    params: NonNegativeInt
    acts: NonNegativeInt | None = None
    kernels: NonNegativeInt | None = None


class Machine(Part):
    """What the result was measured on: device and software, no names of hosts or people."""

    device: Device
    device_name: str
    memory_bytes: NonNegativeInt
    compute_units: PositiveInt  # streaming multiprocessors, or logical processors
    capability: str  # "9.0", or the CPU's vector instructions as torch names them
    python: str
    system: str
    torch: str
    timm: str
    driver: str | None = None
    cuda: str | None = None
    cudnn: str | None = None

    def identity(self) -> dict[str, Any]:
        """The part that makes a result another result when it changes."""
        return self.model_dump(include={"device_name", "torch", "cuda", "cudnn"})


class State(Part):
    """What the device was doing at one moment; None where it does not report.

    ``throttle`` lists NVML's reasons for lowered clocks; ``load`` is the CPU's run queue.
    """

    sm_clock_mhz: Finite | None = None
    max_sm_clock_mhz: Finite | None = None
    memory_clock_mhz: Finite | None = None
    power_w: Finite | None = None
    power_limit_w: Finite | None = None
    temperature_c: Finite | None = None
    throttle: tuple[str, ...] | None = None
    load: Finite | None = None
    cpu_clock_mhz: Finite | None = None
