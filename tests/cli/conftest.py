"""The command line, called in this process."""

import pytest

from repro.cli.app import main


@pytest.fixture
def run(capsys):
    """Call the command line in this process: exit status, standard output, standard error."""

    def call(*arguments):
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def fails(run):
    """Call it, and check that it refused: status 2, one line of error, nothing printed."""

    def call(*arguments):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("error: ") and err.endswith("\n") and err.count("\n") == 1
        return err

    return call
