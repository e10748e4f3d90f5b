"""The `hook` method: a turn asked for by OpenClaw's HTTP hooks, with a token that can do no more.

It sees that OpenClaw took the call, and nothing after that. It must not know the bus.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watcher import address, openclaw, plainjson
from watcher.methods.base import ASKED_BEFORE, Outcome, Probe
from watcher.methods.preflight import find_trouble

if TYPE_CHECKING:
    import threading

    from watcher.methods.base import Report, Wake
    from watcher.openclaw import Configuration, Hooks
    from watcher.settings import AgentSettings, Settings

CALL_TIMEOUT_S = 45.0  # a mapped hook answers 503 after 15 s where the session is busy
MAX_ANSWER_BYTES = 64 << 10
MAX_REASON_CHARS = 300


@dataclass(frozen=True)
class _Answer:
    status: int
    fields: dict[str, Any]
    text: str


class Hook:
    """A mapped hook where OpenClaw has one for the agent, else `/hooks/wake`."""

    name = "hook"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.openclaw

    def probe(self, agent: AgentSettings) -> Probe:
        agent_id = agent.openclaw_id
        try:
            configuration = openclaw.read(self._settings)
            hooks = configuration.hooks()
            trouble = _judge_hooks(configuration, hooks, agent_id) or find_trouble(
                configuration, agent_id
            )
        except (openclaw.ConfigurationError, address.AddressError) as error:
            trouble = str(error)
        if trouble:
            return Probe(False, trouble)
        session_key = agent.session_key or configuration.main_session(agent_id)
        mapping = hooks.find_mapping(agent_id, session_key)
        path = f"{hooks.path}/{mapping.path if mapping else 'wake'}"
        return Probe(True, f"posts to {path}; the turn itself cannot be seen")

    def run(
        self, wake: Wake, agent: AgentSettings, report: Report, stop: threading.Event
    ) -> Outcome:
        del stop  # one bounded call
        if wake.turn_id:
            return ASKED_BEFORE
        agent_id = wake.local_agent.lower() or agent.openclaw_id
        try:
            configuration = openclaw.read(self._settings)
            hooks = configuration.hooks()
            session_key = wake.session_key or configuration.main_session(agent_id)
            path, body = _write_call(hooks, agent_id, session_key, wake.text)
            answer = _post(configuration, hooks, path, body)
        except (openclaw.ConfigurationError, address.AddressError) as error:
            return Outcome("no_turn", str(error))
        except (OSError, http.client.HTTPException) as error:
            return Outcome("no_turn", f"OpenClaw's hooks cannot be reached: {error!r}")
        return _judge(answer, configuration, path, report)


def _judge_hooks(configuration: Configuration, hooks: Hooks, agent_id: str) -> str:
    """Say in one line why the hooks would not do for this agent; "" where they would."""
    if not hooks.enabled:
        return f"hooks.enabled is not true in {configuration.path}"
    if not hooks.token:
        return f"hooks.token is not set in {configuration.path}"
    if not hooks.allows(agent_id):
        return f"hooks.allowedAgentIds in {configuration.path} leaves out {agent_id!r}"
    return ""


def _write_call(
    hooks: Hooks, agent_id: str, session_key: str, text: str
) -> tuple[str, dict[str, str]]:
    mapping = hooks.find_mapping(agent_id, session_key)
    if mapping is not None:
        return f"{hooks.path}/{mapping.path}", {mapping.field_name: text}
    # A session key here would need a policy of its own, and could not redirect the wake anyway.
    return f"{hooks.path}/wake", {"text": text, "mode": "now", "agentId": agent_id}


def _post(configuration: Configuration, hooks: Hooks, path: str, body: dict[str, str]) -> _Answer:
    where = address.parse(configuration.http_url)
    connection = where.connect(CALL_TIMEOUT_S)
    address.limit_answer(connection, CALL_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {hooks.token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", where.target(path), json.dumps(body).encode(), headers)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES).decode(errors="replace")
        return _Answer(response.status, _read_fields(text), text)
    finally:
        connection.close()


def _read_fields(text: str) -> dict[str, Any]:
    try:
        fields = plainjson.read(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _judge(answer: _Answer, configuration: Configuration, path: str, report: Report) -> Outcome:
    said = " ".join(str(answer.fields.get("error") or answer.text).split())[:MAX_REASON_CHARS]
    if answer.status in {200, 202}:
        run_id = answer.fields.get("runId")
        if isinstance(run_id, str) and run_id:  # a mapped hook: OpenClaw admitted a turn
            report.admitted(run_id)
        return Outcome("requested")
    if answer.status == 400:
        return Outcome("no_turn", f"OpenClaw: {said}", permanent="unknown agent" in said.lower())
    if answer.status in {401, 403}:
        return Outcome(
            "no_turn",
            f"OpenClaw refuses the token of its hooks ({said}); is the gateway running with the"
            f" hooks.token of {configuration.path}? Restart it after a change",
        )
    if answer.status == 404:
        return Outcome("no_turn", f"OpenClaw has no {path}: are its hooks enabled? ({said})")
    if answer.status in {409, 503}:  # its session changed, or was not free, before a turn began
        return Outcome("no_turn", f"OpenClaw is busy: {said}")
    return Outcome("no_turn", f"OpenClaw answered {answer.status}: {said}")
