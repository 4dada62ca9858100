"""``python -m repro``: the same as the ``repro`` command."""

import sys

from repro.cli.app import main

sys.exit(main())
