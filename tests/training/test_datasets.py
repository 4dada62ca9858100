"""Data sets as they are found on disks: whole, damaged, missing, of another shape."""

import functools
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import zipfile

import numpy as np
import pytest
import torch
from pictures import jpeg
from PIL import Image

from repro.errors import InputError
from repro.training import datasets, download
from repro.training.datasets import fixed_order, load, split_off
from repro.training.distributed import World
from repro.training.download import Archive
from repro.training.plan import plan
from repro.training.sources import open_source

ALONE = World(0, 1, torch.device("cpu"))
BOTH = {"train": 4, "val": 2}
PAIR = [World(rank, 2, torch.device("cpu")) for rank in (0, 1)]


@pytest.fixture(autouse=True)
def fresh():
    datasets._load.cache_clear()


def pack(path, splits, classes, first=0, side=64, damage=None):
    """A packed file: ``splits`` maps a name to images per class."""
    content = {"names": np.array([f"class {first + c}" for c in range(classes)])}
    content["classes"] = np.arange(first, first + classes)
    for split, each in splits.items():
        labels = np.repeat(np.arange(classes), each)
        files = [
            jpeg(first + label, i, side, "L" if i == 1 else "RGB") for i, label in enumerate(labels)
        ]
        if damage == split:
            files[2] = files[2][: len(files[2]) // 2]
        content[f"{split}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        content[f"{split}_offset"] = np.cumsum([0, *map(len, files)])
        content[f"{split}_y"] = labels + first
    np.savez_compressed(path, **content)


def tiny_folder(root, wnids=("n01", "n02", "n03"), each=4):
    """Tiny ImageNet's official layout."""
    for label, wnid in enumerate(wnids):
        place = root / "train" / wnid / "images"
        place.mkdir(parents=True)
        for i in range(each):
            (place / f"{wnid}_{i}.JPEG").write_bytes(jpeg(label, i))
    place = root / "val" / "images"
    place.mkdir(parents=True)
    lines = []
    for i in range(6):
        (place / f"val_{i}.JPEG").write_bytes(jpeg(i % len(wnids), 100 + i))
        lines.append(f"val_{i}.JPEG\t{wnids[i % len(wnids)]}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join(wnids) + "\n")


# ------------------------------------------------------------------------------ fixed splits


def test_digits_have_fixed_splits():
    data = load("digits")
    assert (len(data.train), len(data.test), data.side) == (1438, 359, 8)
    assert data.train.pixels.max() == 255
    assert np.bincount(data.test.labels).min() >= 34  # every class gives its share
    # Pinned: these very images are the test split, whatever library comes along.
    assert hashlib.sha256(data.test.pixels.tobytes()).hexdigest()[:16] == "0f30c566f61520ce"


def test_order_mixes_classes_evenly():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    order = fixed_order(labels, "salt")
    assert sorted(order) == list(range(100))
    assert list(np.bincount(labels[order[:50]])) == [30, 15, 5]
    assert not np.array_equal(order, fixed_order(labels, "pepper"))


def test_holdout_is_apart_and_the_same_for_every_seed_and_subset():
    labels = np.repeat(np.arange(10), 50)
    train, held = split_off(labels, 0.1, None)
    assert len(train) == 450 and len(held) == 50 and not set(train) & set(held)
    assert (np.bincount(labels[held]) == 5).all()
    fewer, same = split_off(labels, 0.1, 100)
    assert set(fewer) < set(train) and np.array_equal(same, held)
    assert (np.bincount(labels[fewer]) == 10).all()
    with pytest.raises(InputError, match="only 450 training images"):
        split_off(labels, 0.1, 451)
    assert len(split_off(labels, 0.0, None)[1]) == 0


# ------------------------------------------------------------------------------ readers


def test_packed_parts_are_joined(tmp_path):
    pack(tmp_path / "tiny_imagenet_part1.npz", BOTH, 3)
    pack(tmp_path / "tiny_imagenet_part2.npz", BOTH, 3, first=3)
    data = load("tiny-imagenet", tmp_path)
    assert data.train.pixels.shape == (24, 3, 64, 64) and len(data.test) == 12
    assert list(data.train.labels) == sorted(4 * list(range(6)))
    assert data.classes == tuple(f"class {i}" for i in range(6)) and "parts 1, 2" in data.source
    reference = np.asarray(Image.open(io.BytesIO(jpeg(4, 5))).convert("RGB"))
    assert np.array_equal(data.train.pixels[12 + 5].transpose(1, 2, 0), reference)
    # The second part alone: its labels start at 0.
    (tmp_path / "tiny_imagenet_part1.npz").unlink()
    datasets._load.cache_clear()
    assert sorted(set(load("tiny-imagenet", tmp_path).train.labels)) == [0, 1, 2]


def test_official_tiny_imagenet(tmp_path):
    tiny_folder(tmp_path / "tiny-imagenet-200")
    data = load("tiny-imagenet", tmp_path)  # the outer folder, then the inner one
    assert len(data.train) == 12 and list(data.test.labels) == [0, 1, 2, 0, 1, 2]
    assert load("tiny-imagenet", tmp_path / "tiny-imagenet-200").digest == data.digest
    assert data.classes == ("n01", "n02", "n03")


def cifar(folder, monkeypatch, python=False):
    monkeypatch.setattr(datasets, "_CIFAR_BATCH", 20)
    rng = np.random.default_rng(0)
    folder.mkdir()
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    classes = [f"c{i}" for i in range(10)]
    for name in names:
        labels, pixels = np.arange(20) % 10, rng.integers(0, 256, (20, 3072), np.uint8)
        if python:
            content = {b"data": pixels, b"labels": labels.tolist()}
            (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        else:
            rows = np.concatenate([labels[:, None].astype(np.uint8), pixels], 1)
            (folder / f"{name}.bin").write_bytes(rows.tobytes())
    if python:
        meta = {b"label_names": [c.encode() for c in classes]}
        (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    else:
        (folder / "batches.meta.txt").write_text("\n".join(classes) + "\n\n")


def test_official_cifar_in_both_versions(tmp_path, monkeypatch):
    cifar(tmp_path / "cifar-10-batches-bin", monkeypatch)
    binary = load("cifar10", tmp_path)
    datasets._load.cache_clear()
    (tmp_path / "other").mkdir()
    cifar(tmp_path / "other" / "cifar-10-batches-py", monkeypatch, python=True)
    python = load("cifar10", tmp_path / "other")
    assert binary.train.pixels.shape == (100, 3, 32, 32) and len(binary.test) == 20
    assert np.array_equal(binary.train.pixels, python.train.pixels)
    assert np.array_equal(binary.test.labels, python.test.labels)
    assert binary.classes == python.classes == tuple(f"c{i}" for i in range(10))


class Evil:
    def __reduce__(self):
        return print, ("ran",)


def test_pickles_run_nothing(tmp_path, monkeypatch, capsys):
    cifar(tmp_path / "cifar-10-batches-py", monkeypatch, python=True)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(InputError, match="data_batch_3 cannot be read") as error:
        load("cifar10", tmp_path)
    assert "has no place in it" in str(error.value) and "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "prepare", "says"),
    [
        ("cifar10", lambda p, m: None, "holds no cifar10: looked for cifar-10-batches-bin"),
        ("tiny-imagenet", lambda p, m: p.rmdir(), "is not there; --download fetches"),
        ("cifr10", lambda p, m: None, "Did you mean 'cifar10'"),
        (
            "tiny-imagenet",
            lambda p, m: pack(p / "tiny_imagenet_part1.npz", BOTH, 2, damage="val"),
            "tiny_imagenet_part1.npz, val image 2 cannot be decoded: image file is truncated",
        ),
        (
            "tiny-imagenet",
            lambda p, m: (p / "tiny_imagenet_part1.npz").write_bytes(b"PK not really"),
            "tiny_imagenet_part1.npz' cannot be read",
        ),
        (
            "tiny-imagenet",
            lambda p, m: pack(p / "tiny_imagenet_part1.npz", {"train": 4}, 2),
            "val_jpeg",
        ),
    ],
)  # fmt: skip
def test_unusable_folders(tmp_path, monkeypatch, name, prepare, says):
    folder = tmp_path / "data"
    folder.mkdir()
    prepare(folder, monkeypatch)
    with pytest.raises(InputError) as error:
        load(name, folder)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_damaged_official_files_are_named(tmp_path, monkeypatch):
    tiny_folder(tmp_path)
    bad = tmp_path / "train" / "n02" / "images" / "n02_1.JPEG"
    whole = bad.read_bytes()
    for content, reason in (
        (whole[: len(whole) // 2], "truncated"),
        (b"no picture", "cannot identify"),
    ):
        bad.write_bytes(content)
        with pytest.raises(InputError) as error:
            load("tiny-imagenet", tmp_path)
        assert str(bad) in str(error.value) and reason in str(error.value)
    bad.write_bytes(jpeg(0, 0, side=32))
    with pytest.raises(InputError, match=r"n02_1.JPEG is 32 x 32"):
        load("tiny-imagenet", tmp_path)
    cifar(tmp_path / "cifar-10-batches-bin", monkeypatch)
    cut = tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin"
    cut.write_bytes(cut.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"data_batch_2.bin has 61455 bytes; 61460"):
        load("cifar10", tmp_path)
    cut.unlink()
    with pytest.raises(InputError, match=r"data_batch_2.bin cannot be read: No such file"):
        load("cifar10", tmp_path)


# ------------------------------------------------------------------------------ downloads


@pytest.fixture
def server(tmp_path):
    """A web server with a small official archive of each kind; makes its description."""
    site = tmp_path / "site"
    site.mkdir()
    tiny_folder(tmp_path / "tiny-imagenet-200")
    with zipfile.ZipFile(site / "tiny-imagenet-200.zip", "w") as file:
        for path in sorted((tmp_path / "tiny-imagenet-200").rglob("*")):
            file.write(path, path.relative_to(tmp_path))
    with tarfile.open(site / "small.tar.gz", "w:gz") as file:
        file.add(tmp_path / "tiny-imagenet-200" / "wnids.txt", "inside/wnids.txt")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    handler.log_message = lambda *_: None
    web = http.server.ThreadingHTTPServer(("localhost", 0), handler)
    web.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=web.serve_forever, daemon=True).start()

    def archive(name):
        path = site / name
        content = path.read_bytes() if path.exists() else b""
        digest = hashlib.sha256(content).hexdigest()
        return Archive(f"http://localhost:{web.server_port}/{name}", len(content), digest)

    yield archive
    web.shutdown()


def test_download_is_checked_and_unpacked(tmp_path, monkeypatch, server):
    monkeypatch.setitem(download.ARCHIVES, "tiny-imagenet", server("tiny-imagenet-200.zip"))
    folder = tmp_path / "new" / "data"
    data = load("tiny-imagenet", folder, download=True)
    assert len(data.train) == 12
    assert [p.name for p in folder.iterdir()] == ["tiny-imagenet-200"]  # nothing else is left
    monkeypatch.setitem(download.ARCHIVES, "tiny-imagenet", server("absent.zip"))
    assert load("tiny-imagenet", folder, download=True) is data  # what is there is not fetched
    download.fetch(server("small.tar.gz"), tmp_path)
    assert (tmp_path / "inside" / "wnids.txt").exists()


def test_wrong_or_missing_archives_leave_nothing(tmp_path, server):
    good = server("tiny-imagenet-200.zip")
    folder = tmp_path / "data"
    folder.mkdir()
    for archive, says in (
        (Archive(good.url, good.size, "0" * 64), f"SHA-256 is {good.sha256}"),
        (server("absent.zip"), "cannot be fetched"),
        (Archive("http://127.0.0.1:1/x.zip", 1, ""), "cannot be fetched"),
    ):
        with pytest.raises(InputError, match=says):
            download.fetch(archive, folder)
        assert not list(folder.iterdir())


def test_official_archives_are_named_by_checksum():
    for archive in download.ARCHIVES.values():
        assert len(archive.sha256) == 64 and archive.size > 1e8


# ------------------------------------------------------------------------------ batches


def source(run, world=ALONE, **more):
    return open_source(run.setting, run.net.resolution, world, **more)


def small(**more):
    changes = ["crop=area", "augment=autoaugment", "mixup=0.2"]
    return plan("proxy-Y", "digits", resolution=16, batch=32, changes=changes, images=200, **more)


def test_processes_share_each_batch():
    whole = source(small())
    halves = [source(small(), world) for world in PAIR]
    parts = source(small(accumulate=2))
    assert whole.steps == 6 and whole.images == {"train": 200, "holdout": 144, "test": 359}
    rows = zip(whole.epoch(3, 2), *(h.epoch(3, 2) for h in halves), parts.epoch(3, 2), strict=True)
    for (micro, mixup), (first, _), (second, other), (both, _) in rows:
        x, y = micro[0]
        assert x.shape == (32, 3, 16, 16) and mixup == other
        assert torch.equal(torch.cat([first[0][1], second[0][1]]), y)
        assert torch.equal(torch.cat([labels for _, labels in both]), y)
        torch.testing.assert_close(torch.cat([first[0][0], second[0][0]]), x)


def test_an_epoch_can_begin_anywhere():
    run = small()
    later = list(source(run).epoch(1, 3))
    for (micro, mixup), (again, other) in zip(
        list(source(run).epoch(1, 0))[3:], later, strict=True
    ):
        assert torch.equal(micro[0][0], again[0][0]) and mixup == other


def test_evaluation_sees_each_image_once():
    run = small()
    for split, count in (("holdout", 144), ("test", 359)):
        labels = torch.cat([y for _, y in source(run).evaluation(split)])
        shared = [torch.cat([y for _, y in source(run, world).evaluation(split)]) for world in PAIR]
        assert len(labels) == count
        assert torch.equal(torch.cat(shared).bincount(), labels.bincount())


def test_images_are_normalised_by_the_training_split():
    run = plan("proxy-Y", "digits", resolution=8, changes=["crop=none", "test_resize=1.0"], batch=4)
    feed = source(run)
    x = torch.cat([micro[0][0] for micro, _ in feed.epoch(0, 0)])
    assert x.mean().abs() < 0.01 and x.std() == pytest.approx(1, abs=0.01)
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_larger_than_the_data():
    with pytest.raises(InputError, match="batch 4096 is larger than the 1294 training images"):
        source(plan("proxy-Y", "digits", batch=4096))


def test_class_counts():
    with pytest.raises(InputError, match="has 10 classes in this folder, not 9"):
        source(plan("proxy-Y", "digits", classes=9))
