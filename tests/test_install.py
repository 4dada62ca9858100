"""The counting half, installed by itself: small, without torch, with its data, in any folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repro.cli.rows import describe
from repro.paths import root

NO_NETWORK = ("failed to fetch", "dns error", "connection", "timed out", "no matching distribution")
MOST_BYTES = 40e6


def build_tools(env):
    """Commands that make an environment and install into it: uv's, else pip's."""
    uv, python = Path(sys.executable).with_name("uv"), str(env / "bin" / "python")
    if uv.exists():
        install = [str(uv), "pip", "install", "-q", "--python", python]
        return [str(uv), "venv", "-q", "--python", sys.executable, str(env)], install
    install = [python, "-m", "pip", "install", "-q"]
    return [sys.executable, "-m", "venv", str(env)], install


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A function that runs ``repro`` from a fresh environment, in a folder of its own."""
    folder = tmp_path_factory.mktemp("install")
    source, env, elsewhere = folder / "source", folder / "env", folder / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(root() / name, source)
    for name in ("src", "data"):
        leave = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(root() / name, source / name, ignore=leave)
    make, install = build_tools(env)
    subprocess.run(make, check=True, capture_output=True)
    constraints = ["-c", str(root() / "constraints.txt")]
    done = subprocess.run([*install, *constraints, str(source)], capture_output=True, text=True)
    if done.returncode and any(word in done.stderr.lower() for word in NO_NETWORK):
        pytest.skip(f"no package registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    clean = {k: v for k, v in os.environ.items() if k not in ("REPRO_ROOT", "PYTHONPATH")}

    def repro(*words):
        command = [str(env / "bin" / "repro"), *words]
        options = {"cwd": elsewhere, "env": clean, "capture_output": True, "text": True}
        return subprocess.run(command, **options)

    repro.env = env
    return repro


def test_it_is_small_and_has_no_torch(installed):
    packages = next(installed.env.glob("lib/python*/site-packages"))
    names = {path.name.lower() for path in packages.iterdir()}
    assert not names & {"torch", "timm", "numpy", "pandas", "scipy", "matplotlib"}
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    assert size < MOST_BYTES


def test_counting_and_claims_work_in_any_folder(installed):
    listed = installed("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "RegNetY-4GF" in listed.stdout
    counted = installed("complexity", "EN-B0", "--strategy", "dWr", "--scale", "4", "--json")
    assert json.loads(counted.stdout) == describe("EN-B0", "dWr", 4)
    predicted = installed("predict", "EN-B0", "--device", "rtx5090", "--json")
    assert json.loads(predicted.stdout)[0]["ms"] > 0
    claims = installed("claims", "--all", "--json")
    assert (claims.returncode, claims.stderr) == (0, "")
    judged = json.loads(claims.stdout)
    lacking = [j for j in judged if "not installed" in j["why"]]
    assert all(j["verdict"] == "not testable here" for j in lacking)
    assert len(lacking) < 0.05 * len(judged)


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        (("time", "EN-B0"), "psutil", "torch"),
        (("train", "EN-B0"), "torch", "torch"),
        (("run", "what-scaling-costs"), "pandas", "book"),
    ],
)
def test_what_needs_more_says_how_to_get_it(installed, words, package, extra):
    done = installed(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: this needs {package}, which is not installed: pip inst")
    assert f"repro[{extra}] @ file://" in done.stderr and done.stderr.count("\n") == 1
