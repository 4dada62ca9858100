import pytest

from repro import fingerprint

SOURCE = '''\
"""What it does."""

from repro.box import thing  # a comment


def answer():
    """Forty-two."""
    return "# not a comment"
'''


def test_comments_docstrings_and_blank_lines_do_not_count():
    assert fingerprint.bare(SOURCE).splitlines() == [
        "from repro.box import thing",
        "def answer():",
        '    return "# not a comment"',
    ]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of four modules, one of them behind a package's list of names."""
    box = tmp_path / "repro" / "box"
    box.mkdir(parents=True)
    (tmp_path / "repro" / "top.py").write_text(SOURCE)
    (box / "__init__.py").write_text(
        "from repro.box.lid import lid\nfrom repro.box.main import thing"
    )
    (box / "lid.py").write_text("lid = 1")
    (box / "main.py").write_text("import json\nthing = 2")
    monkeypatch.setattr(fingerprint, "SOURCE", tmp_path)
    fingerprint.code_of.cache_clear()
    yield tmp_path / "repro"
    fingerprint.code_of.cache_clear()


def test_a_module_depends_on_what_it_imports_through_a_list_of_names(project):
    assert list(fingerprint.code_of("repro.top")) == ["repro.box.main", "repro.top"]


@pytest.mark.parametrize(
    "file, text, changes",
    [
        ("box/main.py", "import json\n# why two\nthing = 2", []),
        ("box/main.py", "import json\nthing = 3", ["repro.box.main"]),
        ("box/lid.py", "lid = 2", []),
        ("top.py", SOURCE.replace("Forty", "Fifty"), []),
        ("top.py", SOURCE.replace("return", "return  not"), ["repro.top"]),
    ],
)
def test_only_code_that_is_used_changes_it(project, file, text, changes):
    before = fingerprint.code_of("repro.top")
    (project / file).write_text(text)
    fingerprint.code_of.cache_clear()
    after = fingerprint.code_of("repro.top")
    assert [name for name in before if before[name] != after[name]] == changes


def test_a_timing_depends_on_models_and_measuring_and_not_on_the_zoo():
    modules = set(fingerprint.code_of("repro.runtime.worker"))
    assert {"repro.arch.network", "repro.models.model", "repro.runtime.measure"} <= modules
    assert not modules & {"repro.arch.zoo", "repro.records", "repro.runtime.compare"}
