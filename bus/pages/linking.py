"""Ids in a text as links to the pages of what they name. Pure; what is around them is text."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

PLACES = {
    "m": "/messages/{}",
    "t": "/messages?thread={}",
    "c": "/board/{}",
    "r": "/runs/{}",
    "s": "/sessions/{}",
}
"""By the letter that an id begins with; what has no page of its own stays text."""
ID = re.compile(r"\b([mtcrs])_[0-9A-HJKMNP-TV-Z]{26}\b")


def short(name: str) -> str:
    """Write an id so that one can tell it from others beside it: its kind and its end."""
    return f"{name[:2]}…{name[-6:]}"


def link_ids(text: str, base: str = "") -> Markup:
    """Write a text with each id in it as a link; `base` is what lies before the bus's own paths."""
    parts, last = [], 0
    for found in ID.finditer(text):
        address = base + PLACES[found.group(1)].format(found.group())
        link = Markup('<a href="{}" title="{}">{}</a>').format(
            address, found.group(), short(found.group())
        )
        parts += [escape(text[last : found.start()]), link]
        last = found.end()
    return Markup("").join([*parts, escape(text[last:])])
