"""The house: its floors, its rooms and its size, read from the code's own imports."""

import ast
from functools import cache

import pytest

from repro.paths import root
from repro.records import changed_code
from repro.stored import stored

FLOORS = (
    ("cli", "__main__"),
    ("book",),
    ("analysis", "claims"),
    ("search",),
    ("prices",),
    ("evidence",),
    ("training", "runtime", "counters"),
    ("models",),
    ("complexity", "records", "stored", "reference", "theory", "conditions"),
    ("arch",),
    ("text", "paths", "errors", "fingerprint", "handwritten", "interrupt"),
)
"""From top to bottom; what stands on one floor may use each other only where `BESIDE` says so."""
BESIDE = {
    ("__main__", "cli"),
    ("runtime", "counters"),
    ("training", "runtime"),  # a sweep of trainings uses the workers that time networks
    ("stored", "records"),
    ("records", "conditions"),
    ("theory", "complexity"),
    ("theory", "reference"),
    ("handwritten", "errors"),
    ("paths", "errors"),
    ("interrupt", "errors"),
}
LARGEST_FILE, LARGEST_HOUSE, LARGEST_ROOM = 400, 32_000, 0.25
SOURCE = root() / "src" / "repro"


def name_of(path):
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files():
    return {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def tree(module):
    return ast.parse(files()[module].read_text(encoding="utf-8"))


def imports(module, everywhere=True):
    """What a module imports: project modules by the one that is meant, others by their name.

    Only what is imported as the module is loaded, unless ``everywhere``.
    """
    nodes = ast.walk(tree(module)) if everywhere else _loaded(tree(module).body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in files() else node.module


def _loaded(body):
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from _loaded(node.body)


def room(module):
    return module.split(".")[1] if "." in module else ""


def floor(module):
    for level, rooms in enumerate(FLOORS):
        if room(module) in rooms:
            return level
    raise AssertionError(f"{module} stands on no floor")


def test_the_reader_of_imports_sees_them():
    assert "repro.arch.network" in imports("repro.complexity")
    assert "torch" in imports("repro.models.builder") or "torch" in imports("repro.models.block")


@pytest.mark.parametrize("module", files())
def test_a_file_imports_only_from_floors_below(module):
    if not room(module):
        return
    wrong = [
        other
        for other in imports(module)
        if room(other)
        and other.startswith("repro")
        and room(other) != room(module)
        and not floor(other) > floor(module)
        and (room(module), room(other)) not in BESIDE
    ]
    assert not wrong


@pytest.mark.parametrize("module", [m for m in files() if m.startswith("repro.book.kit")])
def test_the_kit_knows_no_network_and_no_record(module):
    known = {room(other) for other in imports(module) if other.startswith("repro")}
    assert known <= {"book", "text", "errors", "paths", "reference"}
    assert not [o for o in imports(module) if o.startswith("repro.book.chapters")]


@pytest.mark.parametrize("module", [m for m in files() if m.startswith("repro.book.chapters.")])
def test_no_chapter_imports_another(module):
    assert not [o for o in imports(module) if o.startswith("repro.book.chapters.")]


def test_there_is_no_circle():
    graph = {
        module: {o for o in imports(module, everywhere=False) if o in files() and o != module}
        for module in files()
    }
    while graph:
        leaves = [module for module, others in graph.items() if not others & graph.keys()]
        assert leaves, f"a circle among {sorted(graph)}"
        for leaf in leaves:
            del graph[leaf]


HEAVY = ("torch", "timm", "pandas", "numpy", "scipy", "matplotlib", "seaborn", "sympy")


@pytest.mark.parametrize("where", ["claims", "evidence", "arch", "reference", "theory", "text"])
def test_rooms_that_need_nothing_heavy(where):
    for module in files():
        if room(module) == where:
            roots = {name.partition(".")[0] for name in imports(module, everywhere=False)}
            assert not roots & set(HEAVY), module
            if where in ("claims", "evidence"):  # not even late
                late = {name.partition(".")[0] for name in imports(module)}
                assert not late & {"torch", "pandas"}, module


@pytest.mark.parametrize("module", [m for m in files() if m.startswith("repro.book")])
def test_the_book_knows_no_judge(module):
    """Pages show verdicts, and know neither how one is reached nor who reaches it."""
    judges = {o for o in imports(module) if o.startswith("repro.claims.")}
    assert not judges


def test_no_file_is_too_long():
    lengths = {m: len(p.read_text(encoding="utf-8").splitlines()) for m, p in files().items()}
    assert not {m: n for m, n in lengths.items() if n > LARGEST_FILE}


def test_the_house_is_small_and_no_room_fills_it():
    sizes: dict[str, int] = {}
    for module, path in files().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        sizes[room(module)] = sizes.get(room(module), 0) + lines
    total = sum(sizes.values())
    assert total <= LARGEST_HOUSE, sizes
    assert max(sizes.values()) <= LARGEST_ROOM * total, sizes


WITHOUT_A_ROOM = ("test_links", "test_project", "test_house", "test_install", "test_zero_cost")
OF_THE_BOOK = ("test_editing", "test_pages", "test_chapters")


def test_tests_mirror_the_tree():
    folder = root() / "tests"
    for path in sorted(folder.rglob("test_*.py")):
        place = path.relative_to(folder)
        if place.stem in (*WITHOUT_A_ROOM, *OF_THE_BOOK):
            continue
        stem = place.stem.removeprefix("test_")
        module = (
            SOURCE / place.parent if place.parent.name == stem else SOURCE / place.parent / stem
        )
        assert module.with_suffix(".py").is_file() or module.is_dir(), place


def test_every_chapter_has_its_tests():
    tests = root() / "tests" / "book" / "chapters"
    chapters = {p.stem for p in (SOURCE / "book" / "chapters").glob("*.py")} - {"__init__"}
    assert {p.stem.removeprefix("test_") for p in tests.glob("test_*.py")} == chapters


STALE = {
    "training": [
        f"repro.training.{name}"
        for name in (
            "datasets",
            "disk",
            "distributed",
            "image",
            "loop",
            "sources",
            "spec",
            "trainer",
        )
    ]
}
"""Kinds of stored records, and the code behind the older of them that has changed since."""


def test_stored_records_still_belong_to_the_code():
    """A record is tied to its code by digests; moving files must not break that."""
    for record in stored():
        assert changed_code(record) in ([], STALE.get(record.kind)), record.key


def readme_tree():
    text = (root() / "README.md").read_text(encoding="utf-8")
    block = text.partition("## What is where")[2].partition("```text\n")[2].partition("```")[0]
    names = []
    for line in block.splitlines():
        first = line.split()[0] if line.strip() else ""
        names += line.split() if first.endswith(".py") and line.count(".py") > 1 else [first]
    return [name for name in names if name.endswith(("/", ".py"))]


def test_the_readme_s_tree_is_the_tree():
    shown = {name.rstrip("/").removesuffix(".py") for name in readme_tree()}
    assert {room(m) for m in files()} - {"", "__main__"} <= shown
    places = (root(), SOURCE, SOURCE / "book")
    missing = [n for n in readme_tree() if not any((place / n).exists() for place in places)]
    assert not missing
