"""The watcher: one small daemon a node, standard library alone, that turns wakes into turns.

It must not know how the bus stores anything: it meets the bus over HTTP only.
"""

from __future__ import annotations

__version__ = "0.1.0"
