"""The verbs of the directory, in one place for its routes and for the rooms below."""

from __future__ import annotations

from bus.directory.addresses import hint, resolve
from bus.directory.chain import chain_of, people_for
from bus.directory.changing import add, change, change_by, node_id_of, remove
from bus.directory.finding import (
    find,
    find_visible,
    get,
    is_visible,
    leads_of,
    people_of,
    people_who_see,
    sees,
    visible,
)
from bus.directory.groups import list_groups, remove_group, set_group
from bus.directory.quiet import kept_until, read_quiet, why_kept
from bus.directory.reaching import reach, why_away, why_paused, why_unreached
from bus.directory.rules import quiet_until
from bus.directory.showing import show

__all__ = [
    "add",
    "chain_of",
    "change",
    "change_by",
    "find",
    "find_visible",
    "get",
    "hint",
    "is_visible",
    "kept_until",
    "leads_of",
    "list_groups",
    "node_id_of",
    "people_for",
    "people_of",
    "people_who_see",
    "quiet_until",
    "reach",
    "read_quiet",
    "remove",
    "remove_group",
    "resolve",
    "sees",
    "set_group",
    "show",
    "visible",
    "why_away",
    "why_kept",
    "why_paused",
    "why_unreached",
]
