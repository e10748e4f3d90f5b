"""Nothing that another writes chooses whom the bus or a watcher calls."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from watcher.clock import SystemClock
from watcher.methods.webhook import Webhook, WebhookError, _path_of
from watcher.settings import AgentSettings, Folder, Settings, WebhookSettings
from watcher.wakes import Ask

TOP = Path(__file__).parents[2]
CALLING = {"requests", "urllib3", "urllib.request", "http.client", "smtplib", "ftplib"}
GOOD = "hooks.example"
TRICKS = [
    "http://hooks.example@evil.example/",
    "http://evil.example\\@hooks.example/",
    "http://hooks.example\\@evil.example/",
    "http://evil.example#hooks.example",
    "http://evil.example/hooks.example",
    "http://evil.example?x=hooks.example",
    "http://hooks.example.evil.example/",
    "http://hooks.example%2eevil.example/",
    "http://evil.example%00hooks.example/",
    "http://hooks\uff0eexample@evil.example/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost/",
    "file:///etc/passwd",
    "gopher://hooks.example/_GET",
    "ftp://hooks.example/",
    "//hooks.example/",
    "hooks.example",
    "http://hooks.example:0x50/",
    "http://",
]


@pytest.fixture
def webhook(tmp_path):
    allowed = WebhookSettings(allowed_hosts=(GOOD,))
    where = Settings(Folder(tmp_path), "http://bus:8091", "here", webhook=allowed)
    return Webhook(where, SystemClock())


@pytest.mark.parametrize("url", TRICKS)
def test_an_address_that_only_looks_like_an_allowed_host_is_not_called(webhook, url):
    with pytest.raises(WebhookError):
        webhook._find_target(AgentSettings("ann", url=url))


@pytest.mark.parametrize(
    "url", [f"http://{GOOD}/a?b=http://evil.example", f"HTTP://{GOOD.upper()}/"]
)
def test_an_allowed_host_is_the_one_that_is_called(webhook, url):
    assert webhook._find_target(AgentSettings("ann", url=url)).host == GOOD


def test_no_line_end_in_a_path_becomes_a_header(webhook):
    agent = AgentSettings("ann", url=f"http://{GOOD}/a\r\nX-Evil: 1\r\n/\x00 b\u2028")
    assert webhook._find_target(agent).host == GOOD
    path = _path_of(agent.url)
    assert path.isascii()
    assert not set(path) & set(" \r\n\0")


def test_a_wake_names_no_address(webhook):
    raw = {"wake_id": "w_" + "0" * 26, "to_agent": "ann", "url": "http://evil.example"}
    raw |= {"generation": 1, "state": "asked", "gateway_url": "http://evil.example"}
    assert "evil" not in repr(Ask.parse(raw))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_bus_calls_nobody_but_where_notices_go():
    ours = [path for path in (TOP / "bus").rglob("*.py")
            if path.relative_to(TOP / "bus").parts[0] not in {"cli", "client", "demo"}]  # fmt: skip
    assert len(ours) > 60
    calling = {path.name for path in ours if CALLING & set(imports(path))}
    assert calling == {"posting.py", "outgoing.py"}, "one asks allowed hosts, one a set mail server"
