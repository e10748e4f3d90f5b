"""Turns an enrolment code into this node's tokens and files, once; safe to repeat.

The nonce is on the disk before the call: if the answer is lost, the same command asks again under
the same nonce and gets the same answer. It must not know how a turn is started.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import address, neighbours, privatefile, program, settingsfile
from watcher.bus import Bus, BusError
from watcher.cursor import read_instance
from watcher.methods import runs_in_openclaw
from watcher.settings import BEARER, Settings, SettingsError, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.clock import Clock
    from watcher.settings import Folder


HOW_ON = "say --dir FOLDER to keep both, or --replace to give this folder to the new one"


@dataclass(frozen=True)
class Enrolled:
    """What came of it; `notes` are sentences for the person at the keyboard."""

    settings: Settings
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Grant:
    """What the bus gave: this node's name and token, and its agents with theirs."""

    node: str
    token: str
    url: str
    agents: tuple[dict[str, Any], ...]

    @classmethod
    def parse(cls, raw: dict[str, Any], asked_url: str) -> Grant:
        """Read the answer. Names become file names here, so each is checked.

        Raises:
            BusError: it is not such an answer.
        """
        agents = raw.get("agents")
        names = [raw.get("node")]
        if isinstance(agents, list):
            names += [agent.get("name") if isinstance(agent, dict) else None for agent in agents]
        is_whole = isinstance(agents, list) and all(is_name(name) for name in names)
        if not is_whole or not all(_is_token(entry.get("token")) for entry in [raw, *agents]):  # type: ignore[misc]
            raise BusError(502, "not_the_bus", "the answer to the enrolment cannot be read")
        return cls(raw["node"], raw["token"], str(raw.get("url") or asked_url), tuple(agents or ()))


def enrol(  # noqa: PLR0913 - what a person said, and where it holds
    url: str,
    code: str,
    folder: Folder,
    clock: Clock,
    environ: Mapping[str, str],
    *,
    ca_file: str | None = None,
    is_replacing: bool = False,
) -> Enrolled:
    """Enrol this machine, or enrol it again.

    Raises:
        SettingsError: the URL or the settings that are there are wrong, or another node's.
        BusError: the bus refused, or did not answer.
    """
    where = parse_url(url, ca_file)
    privatefile.make_folder(folder.path)
    privatefile.make_folder(folder.state)
    before = settingsfile.read_raw(folder)
    kept = {} if is_replacing else before or {}
    _refuse_other_bus(kept, url, folder)
    try:
        grant = _ask(where, url, code, folder, clock, environ, str(kept.get("node") or ""))
    except BusError as error:
        if error.code == "other_node":
            raise SettingsError(f"{folder.path}: {error.detail}; {HOW_ON}") from error
        raise
    with settingsfile.changing(folder):
        before = settingsfile.read_raw(
            folder
        )  # the watcher may have written while the bus was asked
        raw = merge(before or {}, grant, ca_file)
        notes = _write(folder, before, raw, grant)
        settings = settingsfile.save(folder, raw)
    if before is not None:
        how = f"{program()} run, or its service"
        notes.append(f"restart the watcher ({how}) so that it takes the new agents")
    neighbours.note(folder, environ)
    return Enrolled(settings, tuple(notes))


def _ask(  # noqa: PLR0913, PLR0917 - as above
    where: address.Address,
    url: str,
    code: str,
    folder: Folder,
    clock: Clock,
    environ: Mapping[str, str],
    present_node: str,
) -> Grant:
    body = {
        "code": code,
        "nonce": _keep_nonce(folder, code, clock),
        "url": url.rstrip("/"),
        "instance": read_instance(folder.instance_file, clock),
        "present_node": present_node,
        "header_dir": settingsfile.write_for_shell(folder, environ),
        "neighbours": neighbours.find_nodes(folder, url.rstrip("/"), environ),
    }
    with Bus(where, None) as bus:
        return Grant.parse(bus.post("/api/enrol", body), url.rstrip("/"))


def parse_url(url: str, ca_file: str | None) -> address.Address:
    """Read what a person typed as the bus's address.

    Raises:
        SettingsError: it is none.
    """
    if "://" not in url:
        raise SettingsError(
            f"{url!r} begins with neither http:// nor https://; try: {program()} enrol "
            f"http://{url.lstrip('/')} CODE (https:// where the bus speaks TLS)"
        )
    try:
        where = address.parse(url, settingsfile.find_file(ca_file))
        where.check()
    except address.AddressError as error:
        raise SettingsError(str(error)) from error
    return where


def _keep_nonce(folder: Folder, code: str, clock: Clock) -> str:
    """Give the nonce that belongs to this code in this folder, made at the first try."""
    path = folder.state / "enrol.json"
    mark = hashlib.sha256(code.encode()).hexdigest()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["code_sha256"] == mark:
            return str(kept["nonce"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or an older one: this is a first try
    nonce = clock.new_id("n")
    privatefile.write(path, json.dumps({"code_sha256": mark, "nonce": nonce}) + "\n")
    return nonce


def _refuse_other_bus(before: dict[str, Any], url: str, folder: Folder) -> None:
    if before.get("url") not in {None, url.rstrip("/")}:
        raise SettingsError(
            f"{folder.path} belongs to node {before.get('node')} of {before['url']}, not of "
            f"{url.rstrip('/')}; the code was not used and nothing was changed; {HOW_ON}"
        )


def merge(before: dict[str, Any], grant: Grant, ca_file: str | None) -> dict[str, Any]:
    """Put the grant over the settings; how each agent is reached stays as it was set."""
    known = before.get("agents", {})
    agents = {
        agent["name"]: {
            **known.get(agent["name"], {"method": "auto"}),
            "local_agent": str(agent.get("local_agent") or ""),
            "session_key": str(agent.get("session_key") or ""),
        }
        for agent in grant.agents
    }
    merged = {**before, "url": grant.url, "node": grant.node, "agents": agents}
    return {**merged, "ca_file": ca_file} if ca_file else merged


def _write(
    folder: Folder, before: dict[str, Any] | None, raw: dict[str, Any], grant: Grant
) -> list[str]:
    """Write the secrets; the settings, which name them, come after."""
    privatefile.write(folder.node_token_file, grant.token + "\n")
    for agent in grant.agents:
        privatefile.write(folder.header_file(agent["name"]), BEARER + agent["token"] + "\n")
    gone = sorted(set((before or {}).get("agents", {})) - set(raw["agents"]))
    for name in gone:
        folder.header_file(name).unlink(missing_ok=True)
    if before is not None and (before.get("url"), before.get("node")) != (grant.url, grant.node):
        folder.cursor_file.unlink(missing_ok=True)  # a position in another stream
    return [f"{name} is no agent of this node any more; its token file is gone" for name in gone]


def find_unknown_agents(settings: Settings) -> list[str]:
    """Say which agents OpenClaw on this machine does not have; only a hint, never a refusal."""
    agents = [
        agent for agent in settings.agents.values() if agent.local_agent and runs_in_openclaw(agent)
    ]
    if not agents:
        return []
    try:
        from watcher import openclaw  # noqa: PLC0415 - needed here alone, and it may find nothing

        known = openclaw.read(settings.openclaw).known_agents()
    except Exception as error:  # noqa: BLE001 - a hint must not spoil an enrolment that is done
        return [f"OpenClaw's configuration was not looked at: {error}"]
    if not known:
        return []
    return [
        f"OpenClaw here has no agent {agent.local_agent}, which {agent.name} is said to be; "
        f"it has {', '.join(sorted(known))}"
        for agent in agents
        if agent.local_agent.lower() not in known
    ]


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
