"""What several test files share: reference rows, and one hypothesis profile."""

import atexit
import json
import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Tests wait for no timing outside, and none of theirs for those in other processes of the suite.
LOCK = Path(tempfile.gettempdir(), f"repro-tests-{os.getpid()}.lock")
os.environ["REPRO_LOCK"] = str(LOCK)
atexit.register(LOCK.unlink, missing_ok=True)

# The same examples at each run: a test that fails here fails everywhere.
settings.register_profile("repro", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("repro")

# Where tests run in the background, Ctrl-C is ignored, and programs that they start would inherit
# that: some tests are about what Ctrl-C does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference_folder():
    """Where the published values and the authors' counts lie."""
    return Path(__file__).parents[1] / "data" / "reference"


@pytest.fixture(scope="session")
def reference_rows(reference_folder):
    """Rows made by the authors' own code: base, scale_type, scale, config, exact counts."""
    return json.loads((reference_folder / "scaled_model_complexity.json").read_text())


@pytest.fixture
def held(monkeypatch):
    """Sets the records that frames of the runtime chapters see."""
    from repro.analysis.timing import sets

    def set_records(*made):
        everything = tuple(record for part in made for record in part)
        monkeypatch.setattr(sets, "stored", lambda *files: everything)

    return set_records
