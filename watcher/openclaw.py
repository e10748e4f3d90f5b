"""What OpenClaw's own configuration says: where its gateway is, its secrets, hooks and agents.

Read anew for each use, because a person edits it while the watcher runs. It must not know what
a wake is, and no secret of it may reach a log line: they are kept out of every `repr`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import program, relaxedjson, secretref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.settings import OpenClawSettings

DEFAULT_PORT = 18789
DEFAULT_HOOKS_PATH = "/hooks"
MAX_CONFIG_BYTES = 4_000_000
_MESSAGE_FIELD = re.compile(r"\{\{\s*(?:payload\.)?(text|message)\s*\}\}")


class ConfigurationError(Exception):
    """OpenClaw's configuration cannot be used; the message is for the person who can mend it."""


@dataclass(frozen=True)
class HookMapping:
    """A hook of OpenClaw's that starts a turn of one agent with a text of ours."""

    path: str
    agent_id: str
    session_key: str
    field_name: str
    is_trusted: bool
    """Without it OpenClaw wraps the text as untrusted, and forbids the model to run commands."""


@dataclass(frozen=True)
class Hooks:
    """The HTTP hooks, as far as a wake needs them."""

    enabled: bool
    path: str
    token: str = field(repr=False)
    mappings: tuple[HookMapping, ...] = ()
    allowed: frozenset[str] | None = None

    def allows(self, agent_id: str) -> bool:
        """Say whether the hooks may wake this agent."""
        return self.allowed is None or agent_id in self.allowed or "*" in self.allowed

    def find_mapping(self, agent_id: str, session_key: str) -> HookMapping | None:
        """Give the mapping that starts a trusted turn in this agent's session."""
        for mapping in self.mappings:
            if mapping.agent_id != agent_id or not mapping.is_trusted:
                continue
            if mapping.session_key in ("", session_key):
                return mapping
        return None


@dataclass(frozen=True)
class Configuration:
    """One reading of `openclaw.json`, together with the environment that it refers to."""

    path: Path
    raw: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    asked_url: str | None = None

    @property
    def gateway_url(self) -> str:
        """Give the WebSocket address of the gateway."""
        gateway = _object(self.raw, "gateway")
        if self.asked_url:
            return _with_scheme(self.asked_url, "ws")
        if gateway.get("mode") == "remote" and _object(gateway, "remote").get("url"):
            return _with_scheme(str(_object(gateway, "remote")["url"]), "ws")
        scheme = "wss" if _object(gateway, "tls").get("enabled") is True else "ws"
        return f"{scheme}://127.0.0.1:{self._port(gateway)}"

    @property
    def http_url(self) -> str:
        """Give the HTTP address of the same port."""
        return _with_scheme(self.gateway_url, "http")

    def _port(self, gateway: Mapping[str, Any]) -> int:
        for value in (self.environment.get("OPENCLAW_GATEWAY_PORT"), gateway.get("port")):
            if str(value).isdigit():
                return int(str(value))
        return DEFAULT_PORT

    def gateway_auth(self) -> dict[str, str]:
        """Give what `connect` takes as `auth`: a token, a password, or nothing.

        Raises:
            ConfigurationError: the secret is kept where only OpenClaw itself can read it.
        """
        gateway = _object(self.raw, "gateway")
        auth = _object(gateway, "auth")
        if auth.get("mode") == "none":
            return {}
        kind = "password" if auth.get("mode") == "password" else "token"
        places = [auth.get(kind), f"${{OPENCLAW_GATEWAY_{kind.upper()}}}"]
        remote = _object(gateway, "remote").get(kind)
        places.insert(0 if gateway.get("mode") == "remote" else len(places), remote)
        for place in places:
            secret = self._resolve(place, f"gateway.auth.{kind}")
            if secret:
                return {kind: secret}
        return {}

    def hooks(self) -> Hooks:
        """Give the hooks.

        Raises:
            ConfigurationError: their token is kept where only OpenClaw itself can read it.
        """
        hooks = _object(self.raw, "hooks")
        token = self._resolve(hooks.get("token"), "hooks.token")
        path = "/" + str(hooks.get("path") or DEFAULT_HOOKS_PATH).strip("/")
        mappings, allowed = hooks.get("mappings"), hooks.get("allowedAgentIds")
        return Hooks(
            enabled=hooks.get("enabled") is True,
            path=path,
            token=token,
            mappings=_read_mappings(mappings if isinstance(mappings, list) else []),
            allowed=frozenset(str(agent).lower() for agent in allowed)
            if isinstance(allowed, list)
            else None,
        )

    def known_agents(self) -> frozenset[str] | None:
        """Give the ids of the agents; None where the file does not say."""
        agents = _object(self.raw, "agents")
        if "$include" in self.raw or "$include" in agents:
            return None
        entries, listed = agents.get("entries"), agents.get("list")
        if isinstance(entries, dict) and entries:
            return None if "$include" in entries else frozenset(map(str.lower, entries))
        if isinstance(listed, list) and listed:
            ids = [str(entry.get("id", "")) for entry in listed if isinstance(entry, dict)]
            return frozenset(name.lower() for name in ids if name) or None
        return frozenset({"main"})  # OpenClaw's own agent where none is configured

    def main_session(self, agent_id: str) -> str:
        """Give the key of the session in which an agent's person talks to it."""
        main = _object(self.raw, "session").get("mainKey")
        return f"agent:{agent_id}:{main if isinstance(main, str) and main else 'main'}"

    def _resolve(self, value: Any, where: str) -> str:
        try:
            return secretref.resolve(
                value, _object(self.raw, "secrets"), self.environment, self.path.parent
            )
        except secretref.UnreadableSecretError as error:
            raise ConfigurationError(f"{where} in {self.path}: {error}") from error


def find(settings: OpenClawSettings, environment: Mapping[str, str]) -> Path:
    """Give the place of `openclaw.json`: what is set, or where OpenClaw itself looks."""
    if settings.config is not None:
        return settings.config
    if environment.get("OPENCLAW_CONFIG_PATH"):
        return Path(environment["OPENCLAW_CONFIG_PATH"]).expanduser()
    if environment.get("OPENCLAW_STATE_DIR"):
        return Path(environment["OPENCLAW_STATE_DIR"]).expanduser() / "openclaw.json"
    home = environment.get("OPENCLAW_HOME") or environment.get("HOME") or "~"
    return Path(home).expanduser() / ".openclaw" / "openclaw.json"


def read(settings: OpenClawSettings, environment: Mapping[str, str] | None = None) -> Configuration:
    """Read it. Where only the gateway's address is set, the file may be absent.

    Raises:
        ConfigurationError: it is not there, or cannot be read.
    """
    environment = os.environ if environment is None else environment
    path = find(settings, environment)
    environment = {**secretref.read_dotenv(path.parent / ".env"), **environment}
    try:
        raw = _load(path)
    except FileNotFoundError as error:
        if not settings.gateway_url:
            raise ConfigurationError(
                f"there is no {path}; if OpenClaw's configuration lies elsewhere:"
                f" {program()} set openclaw.config=PATH"
            ) from error
        raw = {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    return Configuration(path, raw, environment, settings.gateway_url)


def _load(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(MAX_CONFIG_BYTES + 1)
    if len(data) > MAX_CONFIG_BYTES:
        raise ValueError(f"it has over {MAX_CONFIG_BYTES} bytes")
    raw = relaxedjson.loads(data.decode())
    if not isinstance(raw, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - a wrong file, not a wrong call
    return raw


def _read_mappings(raw: list[Any]) -> tuple[HookMapping, ...]:
    found = (_read_mapping(entry) for entry in raw if isinstance(entry, dict))
    return tuple(mapping for mapping in found if mapping is not None)


def _read_mapping(entry: dict[str, Any]) -> HookMapping | None:
    """Give a mapping that we can fill in: an agent's turn, with our text as its message."""
    path, agent = _object(entry, "match").get("path"), entry.get("agentId")
    text_field = _MESSAGE_FIELD.fullmatch(str(entry.get("messageTemplate", "")).strip())
    if entry.get("action", "agent") != "agent" or not path or not agent or not text_field:
        return None
    return HookMapping(
        path=str(path).strip("/"),
        agent_id=str(agent).lower(),
        session_key=str(entry.get("sessionKey") or ""),
        field_name=text_field.group(1),
        is_trusted=entry.get("allowUnsafeExternalContent") is True,
    )


def _object(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Give a part that is an object; whatever else stands there counts as absent."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _with_scheme(url: str, kind: str) -> str:
    """Write an address as `ws`/`wss` or as `http`/`https`, whichever it was given as."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = kind, url
    is_secure = scheme.lower() in ("wss", "https")
    return f"{kind}{'s' if is_secure else ''}://{rest.rstrip('/')}"
