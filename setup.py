"""Puts the project's data into its wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """The package, and beside its modules the folder ``data``, where `repro.paths` looks."""

    def run(self):
        if not self.editable_mode:  # a checkout has its own
            shutil.rmtree(self.build_lib, ignore_errors=True)  # no module of an earlier build
        super().run()
        if not self.editable_mode:
            shutil.copytree("data", Path(self.build_lib) / "repro" / "data")


setup(cmdclass={"build_py": BuildWithData})
