"""What several test files share: reference rows, and one hypothesis profile."""

import json
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples at each run: a test that fails here fails everywhere.
settings.register_profile("repro", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("repro")


@pytest.fixture(scope="session")
def reference_folder():
    """Where the published values and the authors' counts lie."""
    return Path(__file__).parents[1] / "data" / "reference"


@pytest.fixture(scope="session")
def reference_rows(reference_folder):
    """Rows made by the authors' own code: base, scale_type, scale, config, exact counts."""
    return json.loads((reference_folder / "scaled_model_complexity.json").read_text())
