"""``python -m pyronb`` is the same as ``pyronb``."""

from __future__ import annotations

import sys

from pyronb.cli import main

sys.exit(main())
