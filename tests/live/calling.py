"""Parties of a bus, and one request of theirs as its bytes are."""

from __future__ import annotations

import http.client
import json
from contextlib import closing


def ask(bus, token, path, body=b"", method="POST", **headers):
    """Make one request as its bytes are; gives status, headers and the answer."""
    where = bus.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(where, timeout=60)) as link:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | named
        link.request(method, path, body, named)
        answer = link.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
