"""The files around the code agree with each other."""

import logging
import os
import re
import stat
import subprocess
import tomllib

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro.book.parameters import chapters
from repro.paths import root

ROOT = root()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
REQUIRED = [
    Requirement(line)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in group
    if not line.startswith(f"{PROJECT['name']}[")  # an extra that brings another
]


def pip_lines():
    (lines,) = (d["pip"] for d in CONDA["dependencies"] if isinstance(d, dict))
    return lines


def pinned(name, python):
    """The versions that constraints.txt allows for a package under a Python version."""
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.1",
    }
    return [
        pin.specifier
        for pin in PINS
        if canonicalize_name(pin.name) == canonicalize_name(name)
        and (pin.marker is None or pin.marker.evaluate(environment))
    ]


class TestEnvironments:
    def test_conda_takes_everything_but_python_from_the_same_pins(self):
        assert pip_lines() == ["-c constraints.txt", "-e .[book,test]"]
        names = [d for d in CONDA["dependencies"] if isinstance(d, str)]
        assert {re.split(r"[=<>]", d)[0] for d in names} == {"python", "pip", "make", "git"}

    def test_conda_installs_the_same_extras_as_make(self):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        wanted = re.search(r"-e '\.\[(.*)\]'", makefile)[1].split(",")
        assert re.search(r"\[(.*)\]", pip_lines()[1])[1].split(",") == wanted
        assert set(wanted) <= set(PROJECT["optional-dependencies"])

    def test_condas_python_is_one_the_project_allows(self):
        (python,) = (d for d in CONDA["dependencies"] if str(d).startswith("python="))
        version = python.removeprefix("python=")
        assert f"{version}.1" in SpecifierSet(PROJECT["requires-python"])

    @pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
    @pytest.mark.parametrize("required", REQUIRED, ids=lambda r: r.name)
    def test_each_dependency_has_one_pin_that_it_allows(self, required, python):
        (pin,) = pinned(required.name, python)
        version = str(pin).removeprefix("==")
        assert str(pin) == f"=={version}"
        assert required.specifier.contains(version, prereleases=True)

    def test_uv_is_pinned_too(self):
        assert len(pinned("uv", "3.11")) == 1

    @pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml", "environment.yml"])
    def test_no_host_is_named(self, name):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links|\bindex-url\b", text)

    def test_jupyter_book_stays_below_2(self):
        # 2.x does not read _config.yml and _toc.yml
        (required,) = (r for r in REQUIRED if r.name == "jupyter-book")
        assert not required.specifier.contains("2.0.0")


class TestCitation:
    def test_it_has_what_the_format_demands(self):
        assert CITATION["cff-version"] == "1.2.0"
        assert {"title", "message", "authors", "type"} <= set(CITATION)
        assert all("name" in author for author in CITATION["authors"])

    def test_version_and_licence_are_the_projects(self):
        assert CITATION["version"] == PROJECT["version"]
        assert CITATION["license"] == PROJECT["license"] == "Apache-2.0"
        text = (ROOT / "LICENSE").read_text(encoding="utf-8")
        assert "Version 2.0, January 2004" in text
        assert "END OF TERMS AND CONDITIONS" in text
        assert len(text.splitlines()) == 202

    def test_the_two_papers_are_those_of_the_bibliography(self):
        from pybtex.database import parse_file

        entries = parse_file(str(ROOT / "references.bib")).entries
        for key, reference in zip(
            ("dollar2021fast", "li2021searching"), CITATION["references"], strict=True
        ):
            entry = entries[key]
            assert reference["title"] == entry.fields["title"]
            assert f"{reference['start']}--{reference['end']}" == entry.fields["pages"]
            assert str(reference["year"]) == entry.fields["year"]
            assert reference["identifiers"][0]["value"] == f"arXiv:{entry.fields['eprint']}"
            assert [a["family-names"] for a in reference["authors"]] == [
                plain(" ".join(p.last_names)) for p in entry.persons["author"]
            ]


def plain(latex):
    return re.sub(r"\{\\'a\}", "á", latex)


class TestBook:
    def test_every_executable_chapter_is_in_the_book(self):
        files = [TOC["root"]] + [c["file"] for part in TOC["parts"] for c in part["chapters"]]
        assert len(files) == len(set(files))
        assert {f"chapters/{stem}" for stem in chapters()} <= set(files)
        for file in files:
            assert any((ROOT / f"{file}{suffix}").is_file() for suffix in (".md", ".ipynb")), file

    def test_the_build_is_strict_and_quiet(self):
        assert CONFIG["execute"]["execute_notebooks"] == "cache"
        assert CONFIG["execute"]["stderr_output"] == "error"
        assert CONFIG["sphinx"]["config"]["nb_execution_raise_on_error"] is True
        assert "sphinx_thebe" not in CONFIG["sphinx"]["config"]["extensions"]

    def test_every_cited_work_is_in_the_bibliography_and_the_other_way_round(self):
        from pybtex.database import parse_file

        known = set(parse_file(str(ROOT / "references.bib")).entries)
        cited = set()
        for path in (ROOT / "chapters").iterdir():
            if path.suffix in (".md", ".ipynb"):
                for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text("utf-8")):
                    cited |= {key.strip() for key in keys.split(",")}
        assert cited <= known
        assert {"dollar2021fast", "li2021searching"} <= cited


class TestCommands:
    def make(self, *words, **variables):
        return subprocess.run(
            ["make", "-C", str(ROOT), *words, *(f"{k}={v}" for k, v in variables.items())],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def test_help_names_every_command(self):
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) - {"help"}
        shown = set(re.findall(r"^make (\w+) ", self.make("help").stdout, re.MULTILINE))
        assert shown == phony

    @pytest.mark.parametrize("changed", ["src/repro/complexity.py", "data/claims.yaml"])
    def test_what_cells_import_or_read_makes_pages_stale(self, changed):
        drop = "rm -rf _build/.jupyter_cache _build/.doctrees"
        assert drop in self.make("-n", "-W", changed, "book").stdout
        assert drop in self.make("-n", "-W", "constraints.txt", "book").stdout

    def test_ci_runs_the_two_commands(self):
        script = ROOT / ".ci" / "run"
        assert script.stat().st_mode & stat.S_IXUSR
        text = script.read_text(encoding="utf-8")
        assert "set -euo pipefail" in text
        assert re.findall(r"^make (\w+)", text, re.MULTILINE) == ["book", "test"]

    def test_pre_commit_runs_make_lint_and_fetches_nothing(self):
        hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
        (repository,) = hooks["repos"]
        assert repository["repo"] == "local"
        assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
        assert all(hook["language"] == "system" for hook in repository["hooks"])

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ('[ "$1" = -c ] && exit 1', "Python 3.11 or newer is needed as"),
            (
                'case "$2" in *ensurepip*) exit 1;; esac',
                "sudo apt install python3-venv",
            ),
        ],
        ids=["old Python", "no python3-venv"],
    )
    def test_a_machine_that_cannot_make_environments_hears_why(self, tmp_path, script, message):
        fake = tmp_path / "python3"
        fake.write_text(f"#!/bin/sh\n{script}\nexit 0\n")
        fake.chmod(0o755)
        environment = tmp_path / "environment"
        done = self.make("setup", PYTHON=fake, VENV=environment)
        assert done.returncode == 2
        first, *rest = done.stderr.splitlines()
        assert message in first
        assert all(line.startswith("make") for line in rest)
        assert not environment.exists()

    def test_kernels_of_the_environment_keep_warnings_to_themselves(self, tmp_path):
        from ipykernel.kernelapp import IPKernelApp
        from traitlets.config import PyFileConfigLoader

        commands = tmp_path / "environment" / "bin"
        commands.mkdir(parents=True)
        for name in ("python", "uv"):
            (commands / name).write_text("#!/bin/sh\n")
            (commands / name).chmod(0o755)
        done = self.make("setup", PYTHON=commands / "python", VENV=commands.parent)
        assert done.returncode == 0
        folder = commands.parent / "etc" / "ipython"  # in which every kernel looks
        config = PyFileConfigLoader("ipython_kernel_config.py", str(folder)).load_config()
        assert IPKernelApp(config=config).log_level == logging.ERROR

    def test_a_missing_python_is_named(self, tmp_path):
        done = self.make("setup", PYTHON="python3.none", VENV=tmp_path / "environment")
        assert "needed as python3.none" in done.stderr


def test_the_project_names_no_machine_of_its_makers():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    homes = re.compile(r"/(?:root|work|home/\w+|tmp/\w+)/|localhost:\d")
    ours = os.path.relpath(__file__, ROOT)
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if name == ours or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match[0]}" for match in homes.finditer(text)]
    assert not found
