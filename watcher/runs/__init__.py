"""Background runs of this node's workers: claimed, run to their end, told to the bus.

A folder of its own because a run is not a turn: it answers for a result, a file and a check, and
what became of it must survive the watcher. It must not know wakes.
"""

from __future__ import annotations
