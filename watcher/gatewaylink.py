"""The one kept connection to OpenClaw's gateway, shared by all turns of this node.

Made when it is first needed and again when it was lost. It must not know what is asked for, nor
what a wake is.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from watcher import log, openclaw
from watcher.backoff import Backoff
from watcher.clock import SystemClock
from watcher.gatewaysession import Hello, Session, UnreachableError, open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.settings import OpenClawSettings

HOLD_BASE_S, HOLD_CAP_S = 0.5, 30.0


class GatewayLink:
    """The connection. `on_event` gets each event's name and payload, on the reading thread."""

    def __init__(
        self, settings: OpenClawSettings, on_event: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._connecting = threading.Lock()
        self._session: Session | None = None
        self._hold = _Hold()

    def connect(self) -> Hello:
        """Give the hello of the present connection; make one where there is none.

        Raises:
            UnreachableError: there is no gateway, or it does not let us in.
        """
        return self._get().hello

    def call(
        self,
        method: str,
        params: dict[str, Any],
        *,
        timeout_s: float,
        gives_up: Callable[[], bool] = lambda: False,
    ) -> tuple[dict[str, Any], str]:
        """Ask, and give the answer's payload with the boot id of the gateway that gave it.

        Raises:
            UnreachableError: nothing was asked.
            LostError: no answer came, in `timeout_s` or for ever.
            GivenUpError: `gives_up` said so meanwhile; it is asked four times a second.
            RejectedError: the answer is an error.
        """
        session = self._get()
        return session.call(method, params, timeout_s, gives_up), session.hello.boot_id

    def call_apart(
        self, method: str, params: dict[str, Any], scopes: tuple[str, ...], *, timeout_s: float
    ) -> dict[str, Any]:
        """Ask over a connection of its own with other rights, which the kept one has no use for.

        Raises:
            GatewayError: as by `call`.
        """
        session = open_session(*self._read_target(), lambda _event, _payload: None, scopes)
        try:
            return session.call(method, params, timeout_s, lambda: False)
        finally:
            session.shut()

    def close(self) -> None:
        """End the connection, if there is one; the next call makes a new one."""
        session = self._session
        if session is not None:
            session.shut()

    def _get(self) -> Session:
        with self._connecting:
            if self._session is not None and self._session.is_open:
                return self._session
            self._session = None
            target = self._read_target()
            self._hold.check(target)
            try:
                self._session = open_session(*target, self._on_event)
            except UnreachableError as error:
                self._hold.note(target, error)
                raise
            self._hold.reset()
            log.say("gateway_connected", url=target[0], version=self._session.hello.version)
            return self._session

    def _read_target(self) -> tuple[str, dict[str, str]]:
        try:
            configuration = openclaw.read(self._settings)
            return configuration.gateway_url, configuration.gateway_auth()
        except openclaw.ConfigurationError as error:
            raise UnreachableError(str(error), is_refusal=True) from error


class _Hold:
    """Keeps us from knocking at a closed door all the time: the last refusal stands a while.

    Another address or another secret is tried at once: a person has just mended it.
    """

    def __init__(self) -> None:
        self._backoff = Backoff(SystemClock().fraction, HOLD_BASE_S, HOLD_CAP_S)
        self._until_s = 0.0
        self._target: object = None
        self._error = UnreachableError("")

    def check(self, target: object) -> None:
        if target == self._target and time.monotonic() < self._until_s:
            raise UnreachableError(str(self._error), is_refusal=self._error.is_refusal)

    def note(self, target: object, error: UnreachableError) -> None:
        # A gateway that is down costs one refused connection, and may be back any moment; one
        # that refuses us counts our tries, and locks us out.
        wait_s = self._backoff.next_s(floor_s=1.0) if error.is_refusal else HOLD_BASE_S
        self._until_s, self._target, self._error = time.monotonic() + wait_s, target, error
        log.detail("gateway_unreachable", reason=error)

    def reset(self) -> None:
        self._backoff.reset()
        self._target = None
