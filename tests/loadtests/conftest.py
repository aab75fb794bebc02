"""The load tests are scripts that import one another by name; behind everything else, so that they hide nothing."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "loadtests"))
