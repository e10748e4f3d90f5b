"""An agent, or a worker, that is a program: it does what it is asked, and writes down that it was.

Executed by a watcher as `python -I -S program.py FOLDER`, with the message or a run's brief on
stdin. A line of it `chaos NUMBER WHAT THIRD` says what: answer, silent, ask (a third agent, with a
send of its own), stumble (fails the first time), fail (each time), or for so many seconds slow or
hang (with a child that has left its group). Standard library only, quick to start.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

LINE = re.compile(r"^chaos (\S+) (\w+) (\S+)$", re.MULTILINE)
PATIENCE_S = 15


def main() -> int:
    found = LINE.search(sys.stdin.read())
    record = Path(sys.argv[1]) / os.environ["WAKEBUS_AGENT"]
    number, what, third = found.groups() if found else ("-", "silent", "-")
    before = [line for line in read_lines(record) if line["asked"] == asked_by()]
    write(record, number, what)
    if what == "fail" or (what == "stumble" and not before):
        print(f"told to {what}", file=sys.stderr)
        return 1
    if what == "ask":
        ask(number, third)
    if what in {"slow", "hang"}:
        be_busy(what, float(third))
    if what != "silent":
        print(f"done {number}")
    return 0


def asked_by() -> str:
    """Give the id of the run, or of the message, that this program is executed for."""
    return os.environ.get("WAKEBUS_RUN_ID") or os.environ["WAKEBUS_MESSAGE_ID"]


def be_busy(what: str, for_s: float) -> None:
    """Work for so long; one that hangs has a child that only who looks for it finds."""
    if what == "hang":
        argv = ["/bin/sleep", str(for_s)]
        os.posix_spawn(argv[0], argv, os.environ, setsid=True)
    time.sleep(for_s)


def read_lines(record: Path) -> list[dict[str, str]]:
    text = record.read_text() if record.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def write(record: Path, number: str, what: str) -> None:
    """Write one line in one call, so that lines of several programs do not mix."""
    line = {"asked": asked_by(), "handle": os.environ.get("WAKEBUS_HANDLE", "-")}
    line |= {"agent": os.environ["WAKEBUS_AGENT"], "number": number, "what": what}
    with record.open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


def ask(number: str, third: str) -> None:
    """Send a third agent a message, once, however often this program is run for its own."""
    import urllib.error  # noqa: PLC0415 - slow to load, and seldom needed
    import urllib.request  # noqa: PLC0415 - likewise

    name, _, value = Path(os.environ["WAKEBUS_HEADER_FILE"]).read_text().strip().partition(": ")
    body = {"to": third, "body": f"chaos {number}+ answer -", "type": "TASK"}
    request = urllib.request.Request(f"{os.environ['WAKEBUS_URL']}/api/send")
    request.data = json.dumps(body).encode()
    headers = {name: value, "Content-Type": "application/json", "Idempotency-Key": f"ask-{number}"}
    for header in headers.items():
        request.add_header(*header)
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code not in {429, 503}:
                raise
        except OSError:
            if time.monotonic() > end_s:
                raise
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
