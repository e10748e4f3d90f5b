"""Puts the watcher into this machine for good, and takes it out again: a unit, linger, skills.

What was done is written down (`record`), so that the way back undoes that and nothing else. It
must not know what a wake is.
"""

from __future__ import annotations
