"""What a node's watcher is told, as frozen values, and where its files lie.

It must not know how the settings are written down, nor what is done with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watcher import privatefile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METHOD_NAMES = ("auto", "gateway", "hook", "command", "program", "webhook")
LIMIT_S = 300.0
VERIFY_LIMIT_S = 120.0
AS_ASKED, KEEP = CLEANUPS = ("as_asked", "keep")
TURNS_AT_ONCE = 4
BEARER = "Authorization: Bearer "
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


class SettingsError(Exception):
    """The settings are wrong; the message says which, and what to write instead."""


@dataclass(frozen=True)
class Folder:
    """Where this watcher keeps its files: 0700, every file in it 0600."""

    path: Path

    @property
    def settings_file(self) -> Path:
        return self.path / "watcher.json"

    @property
    def node_token_file(self) -> Path:
        return self.path / "node.token"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def cursor_file(self) -> Path:
        return self.state / "cursor"

    @property
    def instance_file(self) -> Path:
        return self.state / "instance"

    @property
    def called_file(self) -> Path:
        return self.state / "called.json"

    @property
    def runs(self) -> Path:
        """Give the folder with what is known of the background runs in hand."""
        return self.state / "runs"

    @property
    def install_file(self) -> Path:
        return self.state / "install.json"

    @property
    def lock_file(self) -> Path:
        return self.state / "lock"

    @property
    def change_lock_file(self) -> Path:
        return self.state / "settings.lock"

    @property
    def taken_file(self) -> Path:
        return self.state / "settings.sha256"

    def header_file(self, agent: str) -> Path:
        """Give the file that an agent's curl commands name with `-H @`."""
        return self.path / f"{agent}.header"

    def read_node_token(self) -> str:
        """Give the node's token.

        Raises:
            OSError: it is not there.
            LooseFileError: others can read it.
        """
        return privatefile.read_secret(self.node_token_file)

    def read_agent_token(self, agent: str) -> str:
        """Give an agent's token out of its header file.

        Raises:
            OSError: it is not there.
            LooseFileError: others can read it.
            ValueError: it is not a header file.
        """
        path = self.header_file(agent)
        text = privatefile.read_secret(path)
        if not text.startswith(BEARER):
            raise ValueError(f"{path} is not one line '{BEARER}TOKEN'; enrol again")
        return text[len(BEARER) :]


@dataclass(frozen=True)
class OpenClawSettings:
    """Where OpenClaw is, as far as it cannot be found out."""

    config: Path | None = None
    gateway_url: str | None = None
    argv: tuple[str, ...] = ("openclaw",)


@dataclass(frozen=True)
class WebhookSettings:
    """Which hosts (`name` or `name:port`) a webhook may call."""

    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class WakeSettings:
    """How this node's turns are heard: `live_output`, whether in their session as they speak."""

    live_output: bool = True


@dataclass(frozen=True)
class RunSettings:
    """What background runs of a worker may use here; a run can ask for nothing else.

    `verify`: the checks by name; `models`: those that a run may ask for; `cleanup`: `keep` keeps
    transcripts that a run wants deleted.
    """

    workspace: Path | None = None
    verify: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verify_limit_s: float = VERIFY_LIMIT_S
    models: tuple[str, ...] = ()
    cleanup: str = AS_ASKED


@dataclass(frozen=True)
class AgentSettings:
    """How one agent of this node is reached. Times in seconds; `retries` are beyond the first."""

    name: str
    local_agent: str = ""
    session_key: str = ""
    method: str = "auto"
    argv: tuple[str, ...] = ()
    limit_s: float = LIMIT_S
    retries: int = 0
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    secret_file: Path | None = None
    runs: RunSettings = field(default_factory=RunSettings)

    @property
    def openclaw_id(self) -> str:
        """Its id in OpenClaw, which knows small letters alone."""
        return (self.local_agent or self.name).lower()


@dataclass(frozen=True)
class Settings:
    """All of it."""

    folder: Folder
    url: str
    node: str
    agents: Mapping[str, AgentSettings] = field(default_factory=dict)
    turns_at_once: int = TURNS_AT_ONCE
    ca_file: Path | None = None
    openclaw: OpenClawSettings = field(default_factory=OpenClawSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    wake: WakeSettings = field(default_factory=WakeSettings)


def is_name(value: object) -> bool:
    """Say whether this is a name on the bus, and so may be part of a file's name."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
