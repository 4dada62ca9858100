"""A GPU that is not there: torch.cuda played by torch's meta device and a model of time and memory.

What asks for "cuda" gets tensors without values on torch's meta device, so that networks of any
size cost nothing but their Python, and every shape is right. Each operation takes time on a made-up
device, the longer of its arithmetic and its traffic. What a backward pass needs stays in a made-up
memory until it has run; it is time alone, twice that of the forward pass. CUDA's events read that
device's clock; memory ends as CUDA says it, or as cuDNN does.

`environment` puts it into every process of a command, spawned workers among them: Python imports a
``sitecustomize`` as it starts, and that waits for torch. Nothing of the project is touched.
"""

import contextlib
import importlib.abc
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).parent
VARIABLE = "FAKE_CUDA"
USUAL = {
    "name": "NVIDIA H100 80GB HBM3",
    "memory": 85e9,
    "operations": 4e14,  # per second, a multiply-add as two; half of that in single precision
    "bandwidth": 2.5e12,  # bytes per second
    "kernel_s": 4e-6,  # least time of an operation
    "plan_s": 0.0,  # in which cuDNN plans a conv that it has not seen
    "crowded": None,  # share of the memory from which cuDNN finds no engine
    "waits": False,  # whether a second of the device takes a second
}


def environment(folder, **settings):
    """Variables under which every Python process has this GPU; ``settings`` as in `USUAL`."""
    (folder / "sitecustomize.py").write_text("import fake_cuda\n\nfake_cuda.install()\n")
    paths = [str(folder), str(HERE), str(HERE.parents[1] / "src")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        VARIABLE: json.dumps({**USUAL, **settings}),
    }


def install():
    """Play torch.cuda in this process as soon as it imports torch."""

    class WaitsForTorch(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name != "torch":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec("torch")
            load = spec.loader.exec_module

            def load_and_play(module):
                load(module)
                play(module, json.loads(os.environ[VARIABLE]))

            spec.loader.exec_module = load_and_play
            return spec

    sys.meta_path.insert(0, WaitsForTorch())


class Gpu:
    """The device's clock and memory."""

    def __init__(self, settings):
        self.__dict__.update(settings)
        self.end = 0.0  # when everything that was launched will be done
        self.share = 1.0  # of the memory, that a process may take
        self.element = None  # bytes of a number under autocast
        self.forward_s = self.kept = self.images = self.peak = 0.0
        self.plans = set()
        self.ended = MemoryError

    def now(self):
        return max(self.end, time.perf_counter()) if self.waits else self.end

    def work(self, seconds):
        self.end = self.now() + seconds

    def synchronize(self, *_):
        if self.waits:
            time.sleep(max(0.0, self.end - time.perf_counter()))

    def operate(self, operations, read, written, half, training):
        """One operation, in multiply-adds twice and bytes."""
        rate = self.operations / (1 if half else 2)
        seconds = max(self.kernel_s, operations / rate, (read + written) / self.bandwidth)
        self.work(seconds)
        if training:
            self.forward_s += seconds
            self.kept += written
        self.hold(self.images + self.kept + (0 if training else read + written))

    def hold(self, size):
        limit = self.share * self.memory
        if size > limit:
            raise self.ended("CUDA out of memory. Tried to allocate 2.00 GiB (made up)")
        if self.crowded and size > self.crowded * limit:
            raise RuntimeError("GET was unable to find an engine to execute this computation")
        self.peak = max(self.peak, size)

    def plan(self, key):
        if key not in self.plans:
            self.plans.add(key)
            if self.plan_s:
                time.sleep(self.plan_s)

    def backward(self):
        self.work(2 * self.forward_s)
        self.forward_s = self.kept = 0.0

    def empty_cache(self):
        self.forward_s = self.kept = self.images = 0.0

    def reset_peak(self, *_):
        self.peak = self.images


ELEMENTWISE = {
    *("relu", "relu_", "silu", "silu_", "hardswish", "sigmoid", "sigmoid_", "mul", "mul_"),
    *("add", "add_", "__add__", "__mul__", "__iadd__", "batch_norm", "copy_"),
}
"""Operations whose result looks as their largest operand does: it stands for it."""
VALUES = {"normal_", "uniform_", "zero_", "fill_", "trunc_normal_"}
"""Of these there are none."""
PASSES = ELEMENTWISE | {
    *("adaptive_avg_pool2d", "avg_pool2d", "max_pool2d", "mean", "cat", "softmax", "cross_entropy"),
    *("linear", "matmul"),
}
"""Operations that read and write maps; what else there is (views) is free."""


def play(torch, settings):
    """Put the device in place of ``torch.cuda``."""
    gpu = Gpu(settings)
    gpu.ended = torch.OutOfMemoryError
    _put_tensors_on_meta(torch, gpu)
    cuda = torch.cuda
    properties = SimpleNamespace(
        name=gpu.name,
        total_memory=int(gpu.memory),
        multi_processor_count=132,
        major=9,
        minor=0,
        uuid="made-up",
    )
    cuda.is_available = lambda: True
    cuda.device_count = lambda: 1
    cuda.get_device_properties = lambda *_: properties
    cuda.get_device_capability = lambda *_: (9, 0)
    cuda.get_device_name = lambda *_: gpu.name
    cuda.set_per_process_memory_fraction = lambda share, *_: setattr(gpu, "share", share)
    cuda.synchronize = gpu.synchronize
    cuda.empty_cache = gpu.empty_cache
    cuda.reset_peak_memory_stats = gpu.reset_peak
    cuda.memory_allocated = cuda.memory_reserved = lambda *_: int(gpu.images + gpu.kept)
    cuda.max_memory_allocated = cuda.max_memory_reserved = lambda *_: int(gpu.peak)
    cuda.memory_stats = lambda *_: {"num_alloc_retries": 0}
    torch.version.cuda, torch.backends.cudnn.version = "13.0", lambda: 91200

    class Event:
        def __init__(self, enable_timing=False):
            self.at = 0.0

        def record(self, *_):
            self.at = gpu.now()

        def synchronize(self):
            gpu.synchronize()

        def elapsed_time(self, other):
            return (other.at - self.at) * 1e3

    class Stream:
        def wait_stream(self, other):
            pass

    class Graph:
        seconds = 0.0

        def replay(self):
            gpu.work(self.seconds)

    @contextlib.contextmanager
    def capture(graph):
        start = gpu.now()
        yield
        graph.seconds, gpu.end = gpu.end - start, start

    cuda.Event, cuda.Stream, cuda.current_stream = Event, Stream, lambda *_: Stream()
    cuda.stream = lambda stream: contextlib.nullcontext()
    cuda.CUDAGraph, cuda.graph = Graph, capture

    class Autocast:
        def __init__(self, device, dtype=None, **_):
            self.half = dtype in (torch.float16, torch.bfloat16)

        def __enter__(self):
            gpu.element = 2 if self.half else None

        def __exit__(self, *_):
            gpu.element = None

    class Scaler:
        def __init__(self, *_, **__):
            pass

        def scale(self, loss):
            return loss

        def step(self, optimizer):
            optimizer.step()

        def update(self):
            pass

    torch.autocast, torch.amp.GradScaler = Autocast, Scaler


def _put_tensors_on_meta(torch, gpu):
    from torch.overrides import TorchFunctionMode
    from torch.utils import _device

    def there(value):
        if isinstance(value, str) and value.partition(":")[0] == "cuda":
            return "meta"
        if isinstance(value, torch.device) and value.type == "cuda":
            return torch.device("meta")
        return value

    def is_there(value):
        return isinstance(value, torch.Tensor) and value.is_meta

    def bytes_each(tensor):
        return gpu.element or tensor.element_size()

    def size(tensor):
        return tensor.numel() * bytes_each(tensor)

    def convolved(image, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        def side(i):
            step, edge, apart = (
                n if isinstance(n, int) else n[i] for n in (stride, padding, dilation)
            )
            reach = apart * (weight.shape[2 + i] - 1) + 1
            return (image.shape[2 + i] + 2 * edge - reach) // step + 1

        shape = (image.shape[0], weight.shape[0], side(0), side(1))
        return torch.empty(shape, dtype=image.dtype, device="meta")

    class Meta(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            name = getattr(function, "__name__", "")
            if name == "__get__":
                return function(*args, **(kwargs or {}))
            if args and is_there(args[0]):
                if name in ("__bool__", "item"):
                    return True  # of values that nobody has
                if name in VALUES:
                    return args[0]
                if name == "backward":
                    return gpu.backward()
            args = [there(a) for a in args]
            kwargs = {k: there(v) for k, v in (kwargs or {}).items()}
            learning = torch.is_grad_enabled()
            if name == "conv2d" and is_there(args[0]):
                result = convolved(*args, **kwargs)
            elif name in ELEMENTWISE and is_there(args[0]):
                result = max(filter(is_there, args), key=torch.Tensor.numel)
            else:
                with torch.no_grad():
                    result = function(*args, **kwargs)
            if is_there(result):
                self.account(name, args, result, learning)
            return result

        def account(self, name, args, result, learning):
            if name == "empty" and result.dim() == 4 and result.dtype.is_floating_point:
                gpu.images = float(result.nbytes)  # a conv's weights are made so, too, and earlier
                gpu.peak = max(gpu.peak, gpu.images)
                return
            how = bytes_each(result) == 2, learning
            if name == "conv2d":
                image, weight = args[:2]
                gpu.plan((tuple(image.shape), tuple(weight.shape), learning))
                work = 2 * result.numel() * weight.numel() // weight.shape[0]
                gpu.operate(work, size(image) + size(weight), size(result), *how)
            elif name in PASSES:
                work = 0
                if name in ("linear", "matmul"):
                    work = 2 * result.numel() * args[0].shape[-1]
                gpu.operate(work, size(result), size(result), *how)

    start = _device.DeviceContext.__init__
    _device.DeviceContext.__init__ = lambda self, device: start(self, there(device))
    generator = torch.Generator

    class Generator(generator):  # a type still, since signatures name it
        def __new__(cls, device="cpu"):
            return generator.__new__(generator, "cpu" if there(device) == "meta" else device)

    torch.Generator = Generator
    Meta().__enter__()
