"""The bus beside its peers: `python -m tests.bench.peers.run`."""

from __future__ import annotations

import sys
from pathlib import Path

# The measurements beside this folder, and the suite's Bus, are found as they find each other.
sys.path[1:1] = [str(Path(__file__).parents[level]) for level in (1, 2)]
