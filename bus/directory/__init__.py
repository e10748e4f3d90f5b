"""The directory: agents, workers, people, groups, nodes and their enrolment."""

from __future__ import annotations
