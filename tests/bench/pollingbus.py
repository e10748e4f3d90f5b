"""The bus that wakebus is measured against: one-second polling, as the article draws it.

Flask under one gunicorn gevent worker, an inbox in a file, a stream that looks every second for
what came after the last id it gave, from 0 for each new listener. The article does not say how
its bus keeps messages: here it is a file of JSON lines, appended and not synced, and read from
the last id on, which is kinder than reading it whole. No tokens, no acks, no heartbeats: it has
none. Run by gunicorn with POLLINGBUS_INBOX set; it uses nothing of wakebus.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_S = 1
app = Flask(__name__)
INBOX = Path(os.environ["POLLINGBUS_INBOX"])


@app.post("/api/send")
def send() -> tuple[dict[str, str], int]:
    """Take a message when it is in the file, which is not yet on disk."""
    sent = request.get_json()
    message = {"to_agent": sent["to"], "from_agent": sent["from"], "body": sent["body"]}
    with INBOX.open("ab") as file:
        file.write(json.dumps(message).encode() + b"\n")
    return {"status": "sent"}, 200


@app.get("/api/stream")
def stream() -> Response:
    return Response(follow(), mimetype="text/event-stream")


def follow() -> Iterator[str]:
    """Give every message to every listener, looking once a second."""
    last_id = 0
    while True:
        for message in read_after(last_id):
            yield f"data: {json.dumps(message)}\n\n"
            last_id = message["id"]
        time.sleep(POLL_S)


def read_after(last_id: int) -> list[dict[str, Any]]:
    """Read what is behind a place in the file; a message's id is where it ends."""
    found = []
    with INBOX.open("rb") as file:
        file.seek(last_id)
        for line in file:
            last_id += len(line)
            found.append({**json.loads(line), "id": last_id})
    return found
