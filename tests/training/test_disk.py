"""Folders of images as they are found on disks: nested, linked, damaged, named in any way."""

import json
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import class_folders, jpeg
from PIL import Image
from training_child import Child, metrics, pair

from repro.errors import InputError
from repro.training import disk
from repro.training.checkpoint import existing, read
from repro.training.distributed import World
from repro.training.folder import RunFolder
from repro.training.image import rgb
from repro.training.plan import plan
from repro.training.run import Options, Silent, Stopped
from repro.training.run import run as carry_out
from repro.training.sources import open_source

ALONE = World(0, 1, torch.device("cpu"))
PAIR = [World(rank, 2, torch.device("cpu")) for rank in (0, 1)]


def planned(data="folder", changes=(), **more):
    arguments = {"resolution": 24, "batch": 4, "holdout": 0.25, **more}
    return plan("proxy-Y", data, changes=changes, **arguments)


def on_disk(root, world=ALONE, workers=0, skip=False, **more):
    run = planned(**more)
    feed = {"root": str(root), "workers": workers, "skip_corrupt": skip}
    return open_source(run.setting, run.net.resolution, world, **feed)


def labels(feed, split="test"):
    return torch.cat([y for _, y in feed.evaluation(split)]).tolist()


def huge(path, side=15_000):
    """A PNG that says it has more pixels than Pillow opens; nothing follows."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head)
    with path.open("ab") as file:
        file.write(struct.pack(">I", zlib.crc32(head)) + bytes(4) + b"IDAT")


def test_class_folders(tmp_path):
    class_folders(tmp_path)
    feed = on_disk(tmp_path)
    assert feed.images == {"train": 9, "holdout": 3, "test": 12} and feed.steps == 2
    epoch = list(feed.epoch(0, 0))
    x, y = epoch[0][0][0]
    assert x.shape == (4, 3, 24, 24) and x.dtype == torch.float32 and y.dtype == torch.int64
    # The same images with the same crops from anywhere in the epoch, by other processes.
    again = list(on_disk(tmp_path).epoch(0, 1))
    assert torch.equal(again[0][0][0][0], epoch[1][0][0][0])
    halves = [next(on_disk(tmp_path, world).epoch(0, 0))[0][0] for world in PAIR]
    assert torch.equal(torch.cat([halves[0][0], halves[1][0]]), x)
    other = list(feed.epoch(1, 0))
    assert not torch.equal(other[0][0][0][0], x)
    assert labels(feed) == 6 * [0] + 6 * [1] and len(labels(feed, "holdout")) == 3
    assert feed.used.names == ("cat", "dog") and not feed.used.left_out


def test_folders_that_do_not_fit(tmp_path):
    with pytest.raises(InputError, match="has no train folder"):
        on_disk(tmp_path)
    class_folders(tmp_path, test="validation")
    assert on_disk(tmp_path).images["test"] == 12
    with pytest.raises(InputError, match="has 2 classes in this folder, not 1000"):
        on_disk(tmp_path, data="imagenet")
    with pytest.raises(InputError, match="crop 'shift' is for small data sets"):
        on_disk(tmp_path, changes=["crop=shift"])
    (tmp_path / "train" / "bird").mkdir()
    with pytest.raises(InputError, match=r"train/bird holds no images; .* end in \.bmp, \.jpeg,"):
        on_disk(tmp_path)
    (tmp_path / "train" / "bird" / "0.jpg").write_bytes(jpeg(0, 0))
    with pytest.raises(InputError, match=r"has 3 classes and .* 2; not in both: bird"):
        on_disk(tmp_path)
    (tmp_path / "empty" / "train").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no images in class folders"):
        on_disk(tmp_path / "empty")


def test_posterizing_on_disk_keeps_a_bit():
    from repro.training.recipe import Recipe

    transform = disk.train_transform(Recipe(), 24)
    policy = next(t.policy for t in transform.transforms if hasattr(t, "policy"))
    levels = [o.level_fn(o.magnitude, {}) for pair in policy for o in pair if o.name == "Posterize"]
    assert sorted(levels) == [(1,), (2,)]


# ------------------------------------------------------------------------------ which images


def test_folders_inside_class_folders_belong_to_them(tmp_path):
    class_folders(tmp_path, each=4)
    for name in ("cat", "dog"):
        (tmp_path / "train" / name / "extra" / "2024").mkdir(parents=True)
        for i in range(2):
            (tmp_path / "train" / name / "extra" / "2024" / f"{i}.jpg").write_bytes(jpeg(0, 9 + i))
    used = on_disk(tmp_path).used
    assert used.names == ("cat", "dog") and used.train + used.holdout == 12
    assert used.about == "class folders in train and val, with 4 folders inside them"


def test_what_is_left_out_is_counted(tmp_path):
    class_folders(tmp_path, ("cat", "dog", "fox"), each=4)
    for split in ("train", "val"):
        Image.new("RGB", (20, 20)).save(tmp_path / split / "preview.png")
        fox = tmp_path / split / "fox"
        for path in fox.glob("[01].jpg"):  # what torchvision reads is read here, by whatever name
            Image.open(path).save(path.with_suffix(".WEBP"))
            path.unlink()
        os.mkfifo(fox / "pipe.png")
        for name in ("a.gif", "b.GIF", "notes.txt", "README", ".hidden.jpg"):
            (fox / name).write_bytes(b"")
    used = on_disk(tmp_path).used
    assert used.names == ("cat", "dog", "fox")
    assert (used.train + used.holdout, used.test) == (12, 12)
    left_out = {"beside the class folders": 2, ".gif": 4, ".txt": 2, "without an ending": 2}
    assert used.left_out == {**left_out, "hidden": 2, "not plain files": 2}
    for i in range(20):
        (fox / f"x.{i}").write_bytes(b"")
    assert len(on_disk(tmp_path).used.left_out) == disk.REASONS + 1
    assert sum(on_disk(tmp_path).used.left_out.values()) == 14 + 20


def test_links(tmp_path):
    class_folders(tmp_path, each=4)
    cat = tmp_path / "train" / "cat"
    for name, target in (("up", cat.parent), ("root", tmp_path), ("self", cat)):
        (cat / name).symlink_to(target)
    (cat / "0-again.jpg").symlink_to("0.jpg")
    (cat / "hard.jpg").hardlink_to(cat / "0.jpg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.jpg").write_bytes(jpeg(0, 9))
    (cat / "more").symlink_to(tmp_path / "elsewhere")
    (cat / "same").symlink_to(tmp_path / "elsewhere")
    used = on_disk(tmp_path).used
    assert used.train + used.holdout == 9 and used.test == 8
    assert used.left_out == {"folders linked to again": 4, "linked to again": 2}
    (cat / "gone.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(InputError, match=r"gone.jpg leads nowhere: No such file .*--skip-corrupt"):
        on_disk(tmp_path)
    assert on_disk(tmp_path, skip=True).used.left_out["broken links"] == 1
    (cat / "gone.jpg").unlink()
    for copy in (tmp_path / "train" / "dog" / "x.jpg", tmp_path / "val" / "cat" / "x.jpg"):
        copy.symlink_to(cat / "1.jpg")
        with pytest.raises(InputError, match=r"cat/1.jpg and .*x.jpg are one file; an image is of"):
            on_disk(tmp_path)
        copy.unlink()


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    class_folders(tmp_path)
    scandir, closed = os.scandir, str(tmp_path / "train" / "dog")

    def refusing(path):
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(disk.os, "scandir", refusing)
    with pytest.raises(InputError, match=f"^{closed} cannot be read: Permission denied$"):
        on_disk(tmp_path)


# ------------------------------------------------------------------------------ damaged images


@pytest.mark.parametrize("workers", [0, 1])
def test_corrupt_images_stop_the_run_unless_told_otherwise(tmp_path, workers):
    class_folders(tmp_path)
    bad = tmp_path / "val" / "dog" / "3.jpg"
    bad.write_bytes(bad.read_bytes()[:-300])
    with pytest.raises(InputError) as error:
        labels(on_disk(tmp_path, workers=workers))
    assert str(error.value).startswith(f"image {bad} cannot be decoded: image file is truncated")
    assert str(error.value).endswith("--skip-corrupt goes on without it")
    feed = on_disk(tmp_path, workers=workers, skip=True)
    assert labels(feed) == 6 * [0] + 5 * [1]  # no neighbour counts twice
    assert feed.used.skipped == {"test": 1} and feed.used.test == 12


def test_nothing_is_left_to_judge(tmp_path):
    class_folders(tmp_path)
    for path in (tmp_path / "val").rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 12 images of the test split can be decoded"):
        labels(on_disk(tmp_path, skip=True))


def test_held_out_images_do_not_stand_in_for_corrupt_ones(tmp_path):
    class_folders(tmp_path)
    feed = on_disk(tmp_path, skip=True, changes=["crop=none", "mixup=0", "flip=false"])
    held = {feed.folders.train[i][0] for i in feed.held}
    before = {int(i) for i in feed.train if int(i) + 1 in feed.held}
    assert before  # the next file of some training image is held out
    for index in before:
        Path(feed.folders.train[index][0]).write_bytes(b"rubbish")
    images = disk._Images(feed.folders.train, lambda i: i, (0,), feed.damaged, feed.train)
    theirs = {path: np.asarray(Image.open(path).convert("RGB")) for path in held}
    for index in before:
        image = np.asarray(images[index][0])
        assert not any(np.array_equal(image, other) for other in theirs.values())
    feed.gather()
    assert feed.used.skipped == {"train": len(before)} and feed.skipped == sorted(before)


def test_more_damaged_images_in_a_row_than_python_calls_deep(tmp_path):
    class_folders(tmp_path)
    for i in range(1300):
        (tmp_path / "train" / "cat" / f"empty{i:04}.jpg").write_bytes(b"")
    feed = on_disk(tmp_path, skip=True, holdout=0.0)
    first = feed.folders.train.index((str(tmp_path / "train" / "cat" / "empty0000.jpg"), 0))
    images = disk._Images(feed.folders.train, lambda i: i, (0,), feed.damaged, feed.train)
    assert images[first][1] == 1  # the first dog
    feed.gather()
    assert feed.used.skipped == {"train": 1300}
    for path in (tmp_path / "train" / "dog").iterdir():
        path.write_bytes(b"")
    feed = on_disk(tmp_path, skip=True, images=16)
    with pytest.raises(InputError, match="no image to train on can be decoded"):
        next(feed.epoch(0, 0))


def test_an_image_over_the_limit_of_pixels_is_named_and_can_be_skipped(tmp_path):
    class_folders(tmp_path)
    huge(tmp_path / "val" / "cat" / "huge.png")
    with pytest.raises(InputError, match=r"huge\.png cannot be decoded: Image size \(225000000"):
        labels(on_disk(tmp_path))
    assert len(labels(on_disk(tmp_path, skip=True))) == 12


@pytest.mark.parametrize("name", ["ramp.png", "ramp.tif", "ramp.pgm"])
def test_sixteen_bits_are_scaled(tmp_path, name):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(ramp).save(tmp_path / name)
    image = np.asarray(rgb(tmp_path / name, name))
    assert image.shape == (256, 256, 3) and np.array_equal(image[..., 1], ramp >> 8)


def test_values_without_a_range_are_refused(tmp_path):
    for kind in (np.int32, np.float32):
        Image.fromarray(np.ones((8, 8), kind)).save(tmp_path / "x.tif")
        with pytest.raises(InputError, match="image x cannot be decoded: its values have no known"):
            rgb(tmp_path / "x.tif", "x")


def test_no_image_runs_another_program(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.eps")
    with pytest.raises(InputError, match="cannot identify"):
        rgb(tmp_path / "x.eps", "x")


def test_names_that_are_not_utf_8(tmp_path):
    class_folders(tmp_path, ("cat", "caf\udce9"))
    used = on_disk(tmp_path).used
    assert used.names == ("caf\\xe9", "cat") and used.model_dump_json()
    bad = tmp_path / "val" / "caf\udce9" / "1.jpg"
    bad.write_bytes(b"")
    with pytest.raises(InputError) as error:
        labels(on_disk(tmp_path))
    assert "caf\\xe9/1.jpg cannot be decoded" in str(error.value) and str(error.value).encode()


# ------------------------------------------------------------------------------ whole runs


def command(root, out, *more):
    return [
        *("train", "proxy-EN", "--data", "folder", "--root", root, "--out", out, "--epochs", "1"),
        *("--resolution", "16", "--batch", "4", "--holdout", "0.25", "--workers", "0"),
        *("--threads", "1", "--device", "cpu", *more),
    ]


def test_labels_do_not_depend_on_the_hash_seed(tmp_path):
    """As read by a fresh interpreter each: folder names that differ in case or zeros alone."""
    import subprocess
    import sys

    names = ("1", "01", "A", "B", "a", "b")
    class_folders(tmp_path / "data", names, each=3)
    runs = []
    for seed in ("0", "3"):
        arguments = map(str, command(tmp_path / "data", tmp_path / seed))
        done = subprocess.run(
            [sys.executable, "-m", "repro", *arguments],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = "6 classes (01, 1, A, B, a, ...); 14 images to train on, 4 held out, 18 to test"
        assert told in done.stderr
        description = RunFolder(tmp_path / seed).description()
        assert description["data"]["names"] == sorted(names)
        state = read(existing(tmp_path / seed / "checkpoints")[-1])
        assert [state["progress"]["data"][f"class {i}"] for i in range(6)] == sorted(names)
        record = RunFolder(tmp_path / seed).record()
        assert record.data.names == tuple(sorted(names))
        runs.append((metrics(tmp_path / seed), record.test))
    assert runs[0] == runs[1]


def test_other_labels_are_refused(tmp_path):
    class_folders(tmp_path / "data")
    where = (tmp_path / "run", Options(root=str(tmp_path / "data"), threads=1))
    assert carry_out(planned(epochs=1), *where, Silent(), lambda: True) == Stopped(15, 0)
    for split in ("train", "val"):
        (tmp_path / "data" / split / "dog").rename(tmp_path / "data" / split / "ape")
    resumed = replace(where[1], resume=True)
    says = r"run' holds a run on other images: class 0: 'cat', now 'ape'$"
    with pytest.raises(InputError, match=says):
        carry_out(planned(epochs=1), where[0], resumed, Silent())
    path = tmp_path / "run" / "run.json"
    run = json.loads(path.read_text())
    del run["data"]  # the checkpoint knows it too
    path.write_text(json.dumps(run))
    says = "other images than those in --root now: class 0: 'cat', now 'ape'$"
    with pytest.raises(InputError, match=says):
        carry_out(planned(epochs=1), where[0], resumed, Silent())


def test_processes_that_see_other_folders_are_refused(tmp_path):
    for rank, other in (("rank0", "dog"), ("rank1", "eel")):
        class_folders(tmp_path / rank / "data", ("cat", other), each=4)
    ends = [child.end() for child in pair(command("data", tmp_path / "run"), tmp_path)]
    assert [status for status, _ in ends] == [2, 2] and ends[0][1] == ""
    says = "error: process 1 has other images than process 0: class 1: 'dog', now 'eel'; digest:"
    assert ends[1][1].startswith(says) and ends[1][1].count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_skipped_images_are_told_and_kept(tmp_path):
    class_folders(tmp_path / "data", each=8)
    for name in ("train/cat/1.jpg", "train/dog/2.jpg", "val/dog/3.jpg"):
        (tmp_path / "data" / name).write_bytes(b"")
    (tmp_path / "data" / "val" / "notes.txt").write_text("")
    run = command(tmp_path / "data", tmp_path / "run", "--skip-corrupt")
    status, output = Child(run, tmp_path / "a").end()
    assert status == 0, output
    record = RunFolder(tmp_path / "run").record()
    assert record.test.images == 15 and record.data.test == 16
    assert record.data.skipped["test"] == 1 and sum(record.data.skipped.values()) == 3
    assert record.data.left_out == {"beside the class folders": 1}
    assert "left out: 1 beside the class folders" in output
    assert "damaged images were passed over: " in output and "1 of test" in output
    # Gone on with after the last update, when no training image is read any more.
    (tmp_path / "run" / "record.jsonl").unlink()
    assert Child([*run, "--resume"], tmp_path / "b").end()[0] == 0
    assert RunFolder(tmp_path / "run").record().data.skipped == record.data.skipped
    # What each of two processes passed over is counted by both.
    both = command(tmp_path / "data", tmp_path / "both", "--skip-corrupt")
    assert [child.end()[0] for child in pair(both, tmp_path / "c")] == [0, 0]
    together = RunFolder(tmp_path / "both").record()
    assert together.data.skipped == record.data.skipped and together.test.images == 15
