"""sqlmap, wapiti and schemathesis on a running bus, each with a token, bounded in time.

Found where WAKEBUS_SQLMAP and the like say, else on the PATH. Both speak to the given
address alone: wapiti's modules that need a host on the internet are left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MODULES = "sql,timesql,xss,permanentxss,exec,file,crlf,redirect,methods,http_headers,csp"
SQLMAP_S, WAPITI_S, SCHEMATHESIS_S, EXAMPLES = 240, 300, 60, 30
FRAMED = "X-Frame-Options is not set"
"""What wapiti misses: `frame-ancestors` in the policy of contents has taken its place."""
FINDINGS = re.compile(r"injectable with|is vulnerable|identified the following injection|might be")
NONE_FOUND = "all tested parameters do not appear to be injectable"


def find(name: str) -> str:
    """Give the path of a scanner, or nothing."""
    return os.environ.get(f"WAKEBUS_{name.upper()}") or shutil.which(name) or ""


MAIL = {"to": "ben*", "body": "x*", "type": "TASK*", "in_reply_to": "{message}*"}
AGENT = {"name": "new*", "node": "here*", "local_agent": "a*", "compartments": ["c*"]}
ENROL = {"code": "AAAA*", "nonce": "n" * 20 + "*", "url": "http://a*", "present_node": "here*"}
REQUESTS: dict[str, tuple[str, str, str, Any]] = {
    "agents": ("ann", "GET", "/api/agents/ben*", None),
    "history": ("ann", "GET", "/api/messages?with=ben*&limit=5*", None),
    "message": ("ann", "GET", "/api/messages/{message}*", None),
    "inbox": ("ann", "GET", "/api/inbox?view=headers*&id={message}*", None),
    "stream": ("ann", "GET", "/api/stream?last_event_id=x*&instance=*", None),
    "wakes": ("admin", "GET", "/api/wakes?agent=ann*&state=all*", None),
    "send": ("ann", "POST", "/api/send", MAIL),
    "ack": ("ann", "POST", "/api/ack", {"handles": ["{handle}*"]}),
    "reply": ("ann", "POST", "/api/messages/{handle}*/reply", {"body": "x*"}),
    "thread": ("pia", "POST", "/api/threads/{thread}*/release", None),
    "wake": ("here", "POST", "/api/wakes/{wake}*", {"state": "alive*"}),
    "self": ("here", "POST", "/api/nodes/self", {"version": "1*", "methods": {}}),
    "add": ("admin", "POST", "/api/agents", AGENT),
    "change": ("admin", "PATCH", "/api/agents/ben*", {"display_name": "b*"}),
    "group": ("admin", "PUT", "/api/groups/team*", {"members": ["ann*"]}),
    "tokens": ("admin", "POST", "/api/tokens", {"kind": "agent*", "subject": "no*"}),
    "enrol": ("", "POST", "/api/enrol", ENROL),
}
"""Whose token, method, path and body; a `*` marks what is replaced, `{...}` what is there."""


def sqlmap(
    url: str, name: str, things: dict[str, str], tokens: dict[str, str], folder: Path
) -> str:
    """Try one request; gives what sqlmap said."""
    who, method, path, body = REQUESTS[name]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {url.removeprefix('http://')}"]
    # Nobody has to show a token, and a token that is looked up could be a way in as well.
    lines += [f"Authorization: Bearer {tokens[who]}" if who else "Authorization: Bearer x*"]
    text = "" if body is None else json.dumps(body)
    lines += ["Content-Type: application/json"] if text else []
    whole = "\r\n".join(lines) + "\r\n\r\n" + text
    for thing, value in things.items():
        whole = whole.replace(f"{{{thing}}}", value)
    asked = folder / "request.txt"
    asked.write_text(whole)
    command = [find("sqlmap"), "-r", str(asked), "--batch", "--level=2", "--risk=1",
               "--dbms=SQLite", "--technique=BEUS", "--flush-session", "--disable-coloring",
               "--ignore-stdin", "--timeout=5", "--retries=0", "--ignore-code=401,404",
               f"--output-dir={folder / 'out'}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=SQLMAP_S, text=True, check=False)
    return done.stdout


def wapiti(url: str, token: str, folder: Path) -> dict[str, Any]:
    """Try every call of `/openapi.json` with a token; gives wapiti's report."""
    report = folder / "wapiti.json"
    command = [find("wapiti"), "-u", f"{url}/", "--swagger", f"{url}/openapi.json",
               "-m", MODULES, "-H", f"Authorization: Bearer {token}", "--flush-session",
               "--store-session", str(folder), "--store-config", str(folder), "--no-bugreport",
               "--max-scan-time", str(WAPITI_S // 3), "--max-attack-time", str(WAPITI_S // 10),
               "--timeout", "3", "--scope", "folder", "-f", "json", "-o", str(report),
               "--exclude", f"{url}/api/stream"]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=WAPITI_S, text=True, check=False)
    return json.loads(report.read_text())


def schemathesis(url: str, token: str, folder: Path) -> tuple[int, str]:
    """Try every call as `/openapi.json` describes it; gives the exit code and what was said.

    Left out are the stream, which does not end; and one check, that all which the description
    allows is taken: what a time, a duration, a list of names or a kind with its subject means
    together is no matter of a pattern.
    """
    command = [find("schemathesis"), "run", f"{url}/openapi.json", "--no-color", "--checks=all",
               "--exclude-checks=positive_data_acceptance", "--exclude-path=/api/stream",
               "--header", f"Authorization: Bearer {token}", f"--max-examples={EXAMPLES}",
               "--request-timeout=70", "--max-response-time=70",
               "--max-time", str(SCHEMATHESIS_S)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False,
                          timeout=3 * SCHEMATHESIS_S)  # fmt: skip
    return done.returncode, done.stdout + done.stderr
