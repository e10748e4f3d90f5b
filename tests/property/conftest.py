"""What the property tests share: a place to import from, and one migrated database to copy."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
