"""A token that ends while it is in use."""

from __future__ import annotations

import socket
from contextlib import closing


def test_a_token_that_is_revoked_while_a_body_comes_sends_nothing(bus):
    for name in ("ann", "ben"):
        bus.call(bus.admin, "POST", "/api/agents", {"name": name})
    made = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "ann"})[1]
    ben = bus.call(bus.admin, "POST", "/api/tokens", {"kind": "agent", "subject": "ben"})[1]
    host, _, port = bus.url.removeprefix("http://").partition(":")
    body = b'{"to": "ben", "body": "late"}'
    head = (
        f"POST /api/send HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {made['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=20)) as link:
        link.sendall(head.encode() + body[:5])
        for _ in range(20):  # longer than a body takes that comes with its head
            assert bus.call(bus.admin, "GET", "/api/agents")[0] == 200
        assert bus.call(bus.admin, "DELETE", f"/api/tokens/{made['id']}")[0] == 200
        link.sendall(body[5:])
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert b" 401 " in answer.splitlines()[0]
    assert bus.call(ben["token"], "GET", "/api/inbox")[1]["items"] == []
