"""Who takes notices in the tests: a webhook, an ntfy server, an SMTP server, each a real one."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP server that keeps what it gets, and answers as it is told."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"{}"
    requests: list[Request] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)
    before_answer: threading.Event | None = None
    """Where there is one, no answer is given until it is set."""

    def wait(self, number: int, within_s: float = 20) -> list[Request]:
        """Wait until so many requests have come."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.requests) >= number, within_s), self.requests
            return list(self.requests)


@contextmanager
def receiving(tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[Receiver]:
    """Have an HTTP server on a port of its own."""
    one = Receiver(**settings)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with one.came:
                headers = {name.lower(): value for name, value in self.headers.items()}
                one.requests.append(Request(self.path, headers, body))
                one.came.notify_all()
            if one.before_answer is not None:
                one.before_answer.wait(60)
            self.send_response(one.status)
            for name, value in one.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(one.answer)))
            self.end_headers()
            self.wfile.write(one.answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A bus that was killed hangs up; that is no fault of this server."""

    server = Server(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        one.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Mailbox:
    """What an SMTP server took; it refuses whom it is told to refuse."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.logged_in: list[tuple[bytes, bytes]] = []
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return "550 nobody here by that name <script>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - likewise
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        import email.policy  # noqa: PLC0415 - where it is read

        policy = email.policy.default
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy))
        return "250 taken"

    def log_in(
        self, _server: Any, _session: Any, _envelope: Any, _how: str, who: Any
    ) -> AuthResult:
        self.logged_in.append((who.login, who.password))
        return AuthResult(success=who.password == b"open sesame")


@contextmanager
def mailbox(port: int, **settings: Any) -> Iterator[Mailbox]:
    """Have an SMTP server on a port."""
    box = Mailbox()
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=box.log_in, **settings
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
