"""The files that come with the pages, and the way to the first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from bus.errors import NotFoundError
from bus.pages import statics
from bus.pages.routes import Pages, go
from bus.pages.showing import secure

if TYPE_CHECKING:
    from bus.access.model import Principal

pages = Pages()


@pages.get("/")
def first(_principal: Principal) -> Response:
    return go("/fleet")


@pages.file("/static/<version>/<name>")
def static(version: str, name: str) -> Response:
    """Give a file; under the address that the pages name it is the same for ever."""
    content = statics.files().get(name)
    if content is None:
        raise NotFoundError
    answer = secure(Response(content, mimetype=statics.kind_of(name)))
    is_named = version == statics.version()
    kept = "public, max-age=31536000, immutable" if is_named else "no-cache"
    answer.headers["Cache-Control"] = kept
    return answer
