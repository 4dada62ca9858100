"""The command line: prints, decides nothing."""

from repro.cli.app import main
