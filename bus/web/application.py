"""The way of every request from the server to its call and back: Flask, without what nobody uses.

Flask knows sessions, signals, hooks before and after, templates' answers and names of hosts; asked
at each request whether any of it is there, it takes longer than a message does to be checked. So
what is between its two ends, the request that everybody can ask for and the view, is said here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from flask.sessions import NullSession, SessionInterface

from bus.errors import NotFoundError
from bus.jsontext import write_json
from bus.web.calls import HEADERS, note_answer
from bus.web.problems import answer_to
from bus.web.request import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.routing import MapAdapter

Environ = dict[str, Any]
StartResponse = Any
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
AROUND = tuple(HEADERS.items())
NO_SESSION = NullSession()


class NoSessions(SessionInterface):
    """Nothing is kept of a browser but its cookie, which `cookies` reads."""

    def open_session(self, *_: object) -> NullSession:
        return NO_SESSION


class Application(Flask):
    """One bus's calls and pages, as the server calls them."""

    request_class = Asked
    session_interface = NoSessions()

    def __init__(self) -> None:
        super().__init__("bus", static_folder=None)
        self.json.sort_keys = False  # type: ignore[attr-defined]
        self.url_map.merge_slashes = False  # it would send `//` on to where the Host header says
        self._addresses = self.url_map.bind("bus")
        self.finish: Callable[[Response], None] = lambda _response: None
        """What is done with an answer that is more than JSON."""

    def create_url_adapter(self, request: object) -> MapAdapter | None:
        """Find no route yet: that is done once the path itself is good, whatever the host."""

    def has_page(self, path: str) -> bool:
        """Say whether something can be looked at there."""
        return self._addresses.test(path, "GET")

    def do_teardown_request(self, *_: object) -> None:
        """Leave it: what a request opened it has closed."""

    def do_teardown_appcontext(self, *_: object) -> None:
        """Leave it, likewise."""

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        context = self.request_context(environ)
        context.push()
        try:
            asked: Asked = context.request  # type: ignore[assignment]
            try:
                answer = answer_of(self._call(asked))
            except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told
                answer = answer_to(error)
            if isinstance(answer, Response):
                return self._give(answer, asked, environ, start_response)
            data, status = answer
            note_answer(asked, status)
            size = ("Content-Length", str(len(data)))
            start_response(
                STATUS_LINES[status], [("Content-Type", "application/json"), size, *AROUND]
            )
            return () if asked.method == "HEAD" else (data,)
        finally:
            context.pop()

    def _call(self, asked: Asked) -> Any:
        """Have the call of a request do its work."""
        path: str = asked.environ.get("RAW_URI", "").partition("?")[0]
        if path.startswith("//") or "%2f" in path.lower():
            # No name has a slash; a proxy that goes by paths would take this for another call.
            raise NotFoundError("no path here begins with two slashes or has an encoded one")
        found = self._addresses.match(asked.path, asked.method, return_rule=True)
        asked.url_rule, parts = found
        return self.view_functions[found[0].endpoint](**parts)

    def _give(
        self, response: Response, asked: Asked, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer with what is more than JSON: a text, a stream, a page, a refusal."""
        self.finish(response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        note_answer(asked, response.status_code)
        return response(environ, start_response)


def answer_of(value: Any) -> Response | tuple[bytes, int]:
    """Make the answer of what a call gave: a response, or what is JSON, with its status or 200."""
    if isinstance(value, Response):
        return value
    said, status = value if isinstance(value, tuple) else (value, 200)
    return write_json(said) + b"\n", status
