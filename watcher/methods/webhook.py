"""The `webhook` method: tells a URL of the household that there is mail, signed, and no more.

Blind: a 2xx says that the call was taken. The signature follows the Standard Webhooks rules. It
calls allowed hosts only and follows no redirect, since the answer must not choose who is called.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from watcher import __version__, address, privatefile
from watcher.methods.base import Outcome, Probe

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from watcher.clock import Clock
    from watcher.methods.base import Report, Wake
    from watcher.settings import AgentSettings, Settings

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 4096
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one


class WebhookError(Exception):
    """The webhook is not set up; the message says what is missing."""


class Webhook:
    """Posts a wake to the agent's `url`."""

    name = "webhook"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def probe(self, agent: AgentSettings) -> Probe:
        try:
            target = self._find_target(agent)
            read_key(agent.secret_file)
        except WebhookError as error:
            return Probe(False, str(error))
        return Probe(True, f"posts to {target.host}; whether a turn runs is not seen")

    def run(
        self,
        wake: Wake,
        agent: AgentSettings,
        report: Report,  # noqa: ARG002 - there is nothing to see between the call and its answer
        stop: threading.Event,  # noqa: ARG002 - one bounded call
    ) -> Outcome:
        try:
            target = self._find_target(agent)
            payload = self._write_payload(wake)
            headers = self._sign(wake.wake_id, payload, read_key(agent.secret_file))
            status = _post(target, _path_of(agent.url), payload, headers)
        except (WebhookError, OSError, http.client.HTTPException) as error:
            return Outcome("no_turn", f"webhook: {str(error) or type(error).__name__}")
        if status // 100 == 2:
            return Outcome("requested")
        return Outcome("no_turn", f"webhook: {target.host} answered {status}")

    def _find_target(self, agent: AgentSettings) -> address.Address:
        if not agent.url:
            raise WebhookError("no url is set")
        try:
            target = address.parse(agent.url.partition("?")[0], self._settings.ca_file)
        except address.AddressError as error:
            raise WebhookError(str(error)) from error
        if not {target.host, f"{target.host}:{target.port}"} & set(self._allowed_hosts):
            raise WebhookError(f"{target.host} is not in webhook.allowed_hosts")
        return target

    @property
    def _allowed_hosts(self) -> tuple[str, ...]:
        return self._settings.webhook.allowed_hosts

    def _write_payload(self, wake: Wake) -> bytes:
        payload = {
            "type": "wake",
            "wake_id": wake.wake_id,
            "agent": wake.agent,
            "pending": {"total": wake.pending_total, "urgent": wake.pending_urgent},
            "inbox_url": address.parse(self._settings.url).url("/api/inbox"),
            "text": wake.text,
        }
        return json.dumps(payload).encode()

    def _sign(self, wake_id: str, payload: bytes, key: bytes) -> dict[str, str]:
        at = str(int(self._clock.now_s()))
        return {
            "Content-Type": "application/json",
            "User-Agent": f"wakebus-watcher/{__version__}",
            "webhook-id": wake_id,
            "webhook-timestamp": at,
            "webhook-signature": sign(key, wake_id, at, payload),
        }


def sign(key: bytes, webhook_id: str, at: str, payload: bytes) -> str:
    """Write the signature header of Standard Webhooks."""
    signed = f"{webhook_id}.{at}.".encode() + payload
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def read_key(path: Path | None) -> bytes:
    """Read the key of a `whsec_…` file.

    Raises:
        WebhookError: there is none, others can read it, or it is no such secret.
    """
    if path is None:
        raise WebhookError("no secret_file is set")
    try:
        secret = privatefile.read_secret(path)
        if not secret.startswith(SECRET_PREFIX):
            raise WebhookError(f"{path} does not begin with {SECRET_PREFIX}")
        return base64.b64decode(secret[len(SECRET_PREFIX) :], validate=True)
    except (OSError, privatefile.LooseFileError, binascii.Error) as error:
        raise WebhookError(f"{path}: {error}") from error


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(("", "", quote(parts.path, safe="/%") or "/", parts.query, ""))


def _post(target: address.Address, path: str, payload: bytes, headers: dict[str, str]) -> int:
    connection = target.connect(TIMEOUT_S)
    address.limit_answer(connection, TIMEOUT_S)
    try:
        connection.request("POST", path, payload, headers)
        response = connection.getresponse()
        response.read(MAX_ANSWER_BYTES)
        return response.status
    finally:
        connection.close()
