import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repro.arch import Network, ResStage
from repro.errors import InputError
from repro.models import build
from repro.records import Protocol
from repro.runtime import measure as m
from repro.runtime.protocol import check, settings
from repro.runtime.turns import interleave

TINY = Network("tiny", (ResStage(1, 8, 8), ResStage(1, 16, 8)), resolution=32, num_classes=10)
QUICK = {"samples": 3, "min_time": 0, "batch": 2, "threads": 1}


def bench_of(module, **changes):
    return m.Bench(lambda: module, Protocol(**{**QUICK, **changes}), 32)


@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("mode", ["infer", "train", "step"])
def test_every_mode_and_dtype_runs(mode, dtype, memory_format):
    net = build(TINY)
    protocol = Protocol(**QUICK, mode=mode, dtype=dtype, memory_format=memory_format)
    try:
        check(protocol)
    except InputError as error:
        pytest.skip(str(error))
    record = m.measure(net, protocol)
    assert len(record.samples_s) == 3 and record.batch == 2 and record.halvings == 0
    assert (record.subject.name, record.subject.resolution) == ("tiny", 32)
    assert net.training == (mode != "infer")
    weight = net.stem.conv.weight
    assert weight.dtype == (torch.float32 if mode != "infer" else m.storage_dtype(protocol))
    assert weight.is_contiguous(memory_format=m.MEMORY_FORMAT[memory_format])
    assert (weight.grad is not None) == (mode != "infer")


class Watcher(nn.Module):
    """A network that remembers its inputs, and runs out of memory above some batch."""

    def __init__(self, limit=10**9):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.limit, self.batches, self.inputs = limit, [], []

    def forward(self, x):
        self.batches.append(len(x))
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 PiB")
        self.inputs.append(x.detach().clone())
        return self.conv(x).mean((2, 3))


def test_inputs_are_random_and_the_same_for_a_seed():
    seen = []
    for seed in (1, 1, 2):
        watcher = Watcher()
        m.measure(watcher, Protocol(**QUICK, seed=seed, resolution=8))
        assert all(torch.equal(x, watcher.inputs[0]) for x in watcher.inputs)
        seen.append(watcher.inputs[0])
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])
    assert seen[0].std() == pytest.approx(1, abs=0.2)


class Shrinking(nn.Module):
    """Thirty layers that make values a hundred times smaller each, unless a norm knows them."""

    def __init__(self):
        super().__init__()
        layers = []
        for _ in range(30):
            conv = nn.Conv2d(3, 3, 1, bias=False)
            nn.init.constant_(conv.weight, 0.01)
            layers += [conv, nn.BatchNorm2d(3)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        self.last = self.layers(x)
        return self.last.mean((2, 3))


def test_inference_does_not_work_on_vanished_values():
    fresh = Shrinking()
    m.measure(fresh, Protocol(**QUICK, resolution=8, dtype="bf16"))
    assert 0.5 < fresh.last.float().std() < 2
    assert all(norm.momentum == 0.1 and not norm.training for norm in fresh.layers[1::2])


def test_statistics_of_a_trained_network_are_left_alone():
    trained = Shrinking()
    trained(torch.randn(4, 3, 8, 8))
    before = [norm.running_var.clone() for norm in trained.layers[1::2]]
    m.measure(trained, Protocol(**QUICK, resolution=8))
    after = [norm.running_var for norm in trained.layers[1::2]]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


def test_a_map_of_one_pixel_has_statistics_too():
    m.measure(Shrinking(), Protocol(**{**QUICK, "batch": 1}, resolution=1))


def test_zeros_are_zeros():
    watcher = Watcher()
    m.measure(watcher, Protocol(**QUICK, input="zeros", resolution=8))
    assert not watcher.inputs[0].any()


@pytest.mark.parametrize("limit, batch, halvings", [(64, 64, 0), (63, 32, 1), (9, 8, 3), (1, 1, 6)])
def test_the_batch_halves_until_it_fits(limit, batch, halvings):
    record = m.measure(Watcher(limit), Protocol(**{**QUICK, "batch": 64}, resolution=8))
    assert (record.batch, record.halvings) == (batch, halvings)


def test_a_network_that_fits_at_no_batch_is_an_input_error():
    with pytest.raises(InputError, match="one image of 8 x 8 pixels does not fit in memory"):
        m.measure(Watcher(0), Protocol(**QUICK, resolution=8))


def test_other_errors_are_not_taken_for_memory():
    class Broken(Watcher):
        def forward(self, x):
            raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        m.measure(Broken(), Protocol(**QUICK, resolution=8))


@pytest.mark.parametrize(
    "text",
    ["CUDA out of memory.", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory"],
)
def test_ways_to_run_out_of_memory(text):
    assert m.out_of_memory(RuntimeError(text))


def test_without_an_engine_cudnn_may_lack_memory():
    error = RuntimeError("GET was unable to find an engine to execute this computation")
    assert m.out_of_memory(error, crowded=True)
    assert not m.out_of_memory(error)


class Gigabytes:
    """A GPU whose memory is linear in the batch, with what a bench asks of it."""

    def __init__(self, bench, monkeypatch, total, weights, per_image):
        self.total, self.weights, self.per_image, self.tried = total, weights, per_image, []
        bench.on_gpu, bench._fits = True, self.fits
        self.bench = bench
        properties = type("Properties", (), {"total_memory": total})
        cuda = {
            "max_memory_allocated": lambda: weights + per_image * self.tried[-1],
            "memory_allocated": lambda: weights + self.tried[-1],
            "get_device_properties": lambda _: properties,
        }
        for name, answer in cuda.items():
            monkeypatch.setattr(torch.cuda, name, answer)

    def fits(self, batch, run):
        self.tried.append(batch)
        self.bench.images = type("Images", (), {"nbytes": batch})
        return self.weights + self.per_image * batch <= self.total


@given(
    per_image=st.integers(2, 10**8),
    weights=st.integers(0, 10**9),
    guess=st.integers(1, 5000),
)
def test_one_probe_finds_the_largest_batch(per_image, weights, guess):
    with pytest.MonkeyPatch.context() as patch:
        bench = bench_of(Watcher(), batch="max")
        bench.guess = guess
        gpu = Gigabytes(bench, patch, 32 * 10**9, weights, per_image)
        found = bench._largest_batch()
    ideal = (0.94 * gpu.total - weights) / per_image
    assert found <= max(ideal, gpu.tried[-1]) and found <= m.BATCH_LIMIT
    assert found >= min(ideal - 8, m.BATCH_LIMIT)
    assert found < 8 or found % 8 == 0 or found == gpu.tried[-1]
    # one probe, where the guess was not eight times too high
    assert len(gpu.tried) == 1 or weights + per_image * (guess // 8) > gpu.total
    assert bench.halvings == len(gpu.tried) - 1


def test_the_largest_batch_obeys_the_protocols_limit(monkeypatch):
    bench = bench_of(Watcher(), batch="max", memory_gb=1.0)
    bench.guess = 80
    Gigabytes(bench, monkeypatch, 32 * 10**9, 0, 10**7)
    assert bench._largest_batch() == 88  # 94 images of 10 MB, a multiple of 8


def test_what_does_not_fit_shrinks_by_half_or_an_eighth():
    bench = bench_of(Watcher(), batch="max")
    bench.batch, seen = 100, []
    while bench.batch > 1:
        bench._shrink()
        seen.append(bench.batch)
    assert seen[:3] == [80, 64, 56] and seen[-1] == 1 and bench.halvings == len(seen)


def test_on_a_cpu_the_largest_batch_is_the_estimate():
    bench = m.Bench(Watcher, Protocol(**{**QUICK, "batch": "max"}), 8, guess=24)
    bench.prepare()
    assert bench.batch == 24


def scripted(bench, times):
    """The bench's clock replaced: each iteration takes the next time, the last one for ever."""
    script = iter(times)
    last = times[-1]
    bench._time = lambda iterations: next(script, last)


def test_warm_up_goes_on_until_the_running_median_settles():
    bench = bench_of(Watcher())
    scripted(bench, [9.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    bench.prepare()
    assert bench.settled
    assert bench.warmup[0] == 9.0 and 6 <= len(bench.warmup) <= 9
    steady = bench_of(Watcher())
    scripted(steady, [9.0, 1.0])
    steady.prepare()
    assert len(steady.warmup) == 4


def test_warm_up_ends_in_time_and_says_that_nothing_settled(monkeypatch):
    monkeypatch.setattr(m, "WARMUP_LIMIT_S", 0.0)
    bench = bench_of(Watcher())
    scripted(bench, [9.0, 1.0, 2.0])
    bench.prepare()
    assert not bench.settled and len(bench.warmup) == 2


def test_iterations_fill_the_time_that_was_asked_for():
    bench = bench_of(Watcher(), samples=5, min_time=10.0)
    scripted(bench, [0.3])
    bench.prepare()
    assert bench.iterations == 7  # 5 samples of 7 x 0.3 s are at least 10 s


def test_settings_are_put_back():
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with settings(Protocol(threads=1, dtype="tf32")):
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_num_threads() == 1 and torch.backends.cudnn.allow_tf32
    with settings(Protocol(threads=1)):
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there():
    with pytest.raises(InputError, match=r"device 'cuda' is not here.*Allowed: cpu"):
        m.measure(Watcher(), Protocol(**QUICK, device="cuda"))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"dtype": "tf32"}, "dtype 'tf32' .*Allowed on cpu: fp32, bf16, fp16"),
        ({"compile": "graph"}, "compile 'graph' .*Allowed on cpu: none, inductor"),
    ],
)
def test_what_a_cpu_cannot_do(changes, words):
    with pytest.raises(InputError, match=words):
        check(Protocol(**QUICK, **changes))


def test_a_module_without_a_resolution_needs_one():
    with pytest.raises(InputError, match="give one in the protocol"):
        m.measure(Watcher(), Protocol(**QUICK))


class Counter:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def sample(self, count):
        self.log.append((self.name, count))


def test_networks_take_turns():
    log = []
    interleave([Counter("a", log), Counter("b", log)], samples=5, rounds=2)
    assert log == [("a", 2), ("b", 2), ("a", 3), ("b", 3)]


def test_one_network_takes_its_samples_at_once():
    log = []
    interleave([Counter("a", log)], samples=5, rounds=3)
    assert log == [("a", 5)]


def test_a_block_alone_is_timed_on_a_map_of_its_own_width():
    bench = m.Bench(lambda: build("MBConv-c16@8"), Protocol(**QUICK), 8)
    bench.prepare()
    assert bench.images.shape == (2, 16, 8, 8)
    with pytest.raises(InputError, match="MBConv-c16@8 has no classifier to train"):
        m.Bench(lambda: build("MBConv-c16@8"), Protocol(**QUICK, mode="step"), 8).prepare()
