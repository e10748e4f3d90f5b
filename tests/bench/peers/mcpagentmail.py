"""MCP Agent Mail: an MCP server over HTTP, with its mail in a SQLite file.

The project itself is given out from its repository only. What PyPI has of it is a branch by
others: first under its own name (0.1.0, with the Git archive; two sends at once lock it up for a
minute), then as mcp-mail, without the archive, which is the newest and is measured. Its tools are
the same. Nothing is pushed: an agent calls `fetch_inbox` when it thinks of it, here once a second.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.bench.peers.peer import (
    BATCHES,
    CATCHING_UP,
    FAN_OUT,
    HTTP_ANSWER,
    IDLE,
    INSTALLED,
    NOW,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    free_port,
    write_http,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PYTHON = INSTALLED / "venv" / "bin" / "python"
PACKAGE = "mcp-mail"
PROJECT, SENDER = "/peers", "PeerSender"
PAUSE_S = 1.0
STARTING_S = 60
AT_MOST = 20_000
"""Messages in one answer; its own default of 20 would lose what came between two calls."""
LONG_AGO = "2000-01-01T00:00:00.000000+00:00"
HEADERS = {"Accept": "application/json, text/event-stream"}
ENVIRONMENT = {
    # No model is asked for summaries, no prices of models are fetched, no calls are printed.
    "LLM_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "TOOLS_LOG_ENABLED": "false",
    "LOG_RICH_ENABLED": "false",
}
SERVING = """
import sys, uvicorn
from mcp_agent_mail.http import build_http_app, get_settings
how = {"host": "127.0.0.1", "port": int(sys.argv[1]), "ws": "none", "log_level": "warning"}
uvicorn.run(build_http_app(get_settings()), timeout_keep_alive=600, **how)
"""
"""What `python -m mcp_agent_mail.http` does. But that closes a connection 5 s after an answer even
where the next request has come, if it has not found the time to read it."""

BEGINS = rb'"result":\{"content":\['
TEXT = BEGINS + rb'\{"type":"text","text":"'
ACCEPTED = HTTP_ANSWER + rb'(?=\{"jsonrpc":"2\.0","id":"1",' + TEXT + rb'\{\\"deliveries\\")'
INBOX = HTTP_ANSWER + b"".join(
    [
        rb'(?=\{"jsonrpc":"2\.0","id":"(?:',
        rb'(?P<old>[^"]*)",' + BEGINS + rb"\]|",
        rb'[^"]*",' + TEXT + rb'\[\{.{1,300}?\\"created_ts\\":\\"(?P<new>[^\\]*)))',
    ]
)
"""A call's id comes back with its answer, so it carries the cursor: the newest message's time."""
MESSAGE = rb'[^\\]"body_md":"#(\d{8})#'
"""An answer has all of it twice, once as a text in which the quotes are escaped."""


class MailServer(Server):
    def start(self) -> None:
        argv = [str(PYTHON), "-c", SERVING, str(self.address[1])]
        database = f"sqlite+aiosqlite:///{self.folder}/mail.sqlite3"
        places = {"DATABASE_URL": database, "STORAGE_ROOT": str(self.folder / "archive")}
        self.launch(argv, **ENVIRONMENT, **places)
        self.await_listening(STARTING_S)
        for agent in [SENDER, *(name_agent(mailbox) for mailbox in self.mailboxes)]:
            # Made again, after a kill, an agent is the one that it was.
            about = {"project_key": PROJECT, "program": "peers", "model": "none", "name": agent}
            self.call("register_agent", about)

    def call(self, tool: str, arguments: dict[str, Any]) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        headers = HEADERS | {"Content-Type": "application/json"}
        connection.request("POST", "/mcp/", write_call(tool, arguments), headers)
        answer = connection.getresponse().read()
        assert b'"isError":false' in answer, answer
        connection.close()

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        about = {"project_key": PROJECT, "sender_name": SENDER, "to": [name_agent(mailbox)]}
        about["subject"] = f"From {sender}"
        calls = [write_call("send_message", about | {"body_md": one.decode()}) for one in bodies]
        return Sends([write_http("POST", "/mcp/", one, headers=HEADERS) for one in calls], ACCEPTED)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> None:
        """It takes one message a call."""

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        first = datetime.now(UTC).isoformat(timespec="microseconds") if since == NOW else LONG_AGO
        again = self.ask(mailbox, LONG_AGO).replace(LONG_AGO.encode(), rb"\g<old>\g<new>")
        # The first answer has messages too: nothing is waited for before they are counted.
        steps = [Step(self.ask(mailbox, first), b"")]
        return Reads(steps, MESSAGE, INBOX, again, PAUSE_S)

    def ask(self, mailbox: str, since: str) -> bytes:
        about = {"project_key": PROJECT, "agent_name": name_agent(mailbox), "limit": AT_MOST}
        about |= {"include_bodies": True, "since_ts": since}
        return write_http("POST", "/mcp/", write_call("fetch_inbox", about, since), headers=HEADERS)


def name_agent(mailbox: str) -> str:
    """Give letters and digits only, since it would take another name for an agent of others."""
    return "Box" + "".join(letter for letter in mailbox if letter.isalnum())


def write_call(tool: str, arguments: dict[str, Any], number: str = "1") -> bytes:
    call = {"jsonrpc": "2.0", "id": number, "method": "tools/call"}
    return json.dumps(call | {"params": {"name": tool, "arguments": arguments}}).encode()


class AgentMail:
    name = "mcp_agent_mail (mcp-mail)"
    install = f"pip install {PACKAGE}"
    speaks = "HTTP"
    variants = (
        Variant("", "when it is in SQLite (WAL, synchronous=NORMAL); synced at checkpoints only"),
    )
    lacks: Mapping[str, str] = {
        BATCHES: "one message a call",
        FAN_OUT: "nothing is pushed: each agent asks for its inbox",
        IDLE: "nothing is pushed: there are no streams",
        CATCHING_UP: "at ten sends a second nobody misses 10,000",
    }

    def version(self) -> str | None:
        if not PYTHON.exists():
            return None
        ask = f"from importlib.metadata import version; print(version({PACKAGE!r}))"
        done = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=False)
        return done.stdout.strip() or None

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        return MailServer(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = AgentMail()
