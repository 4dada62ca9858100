"""Which code a result depends on: the modules behind it and a digest of each.

A digest changes when code changes, not when a comment or a docstring does, so that a record of an
afternoon on a GPU does not go stale because a sentence was improved.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1]

NOT_BEHIND_A_NUMBER = frozenset(
    {
        "repro.arch",  # a list of names; what is used of it is imported from its own module
        "repro.arch.zoo",  # which network a name stands for is written out in the record
        "repro.conditions",  # handed on by records
        "repro.errors",
        "repro.fingerprint",
        "repro.paths",
        "repro.records",  # how a result is written down
        "repro.stored",
        "repro.runtime.device",  # describes the machine, touches nothing that is timed
        "repro.training.checkpoint",  # how a run's state is written down
        "repro.training.download",  # what comes is checked by its digest
        "repro.training.folder",
    }
)


@cache
def code_of(module: str) -> dict[str, str]:
    """Digests, by name, of a module and of every project module behind its imports."""
    found: dict[str, str] = {}
    open_modules = [module]
    while open_modules:
        name = open_modules.pop()
        if name not in found and name not in NOT_BEHIND_A_NUMBER:
            source = _path(name).read_text(encoding="utf-8")
            found[name] = hashlib.sha256(bare(source).encode()).hexdigest()[:16]
            open_modules += _imports(source)
    return dict(sorted(found.items()))


def bare(source: str) -> str:
    """A module's text without comments, docstrings and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for row in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _path(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(source: str) -> list[str]:
    """Project modules that a source names, each by the module that defines what is imported."""
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [a.name for a in node.names if a.name.split(".")[0] == "repro"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "repro":
            modules += [_home(node.module or "", a.name) for a in node.names]
    return modules


def _home(package: str, name: str) -> str:
    """The module behind ``from package import name``; a package's list of names is looked through.

    So `repro.arch` stands for the one file that is needed, not for all that it lists.
    """
    if _path(f"{package}.{name}").exists():
        return f"{package}.{name}"
    path = _path(package)
    if path.name == "__init__.py":
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and name in {a.name for a in node.names}:
                return _home(node.module or "", name)
    return package
