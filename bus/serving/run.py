"""`bus serve`: one gunicorn with one gevent process, or with several where the database is shared.

Before the fork nothing heavy may be imported: the gevent worker patches first and then loads the
application, so that everything the application imports is already patched.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from bus.errors import BusError, NoDatabaseError
from bus.serving.notify import Notify
from bus.serving.openfiles import allow_connections
from bus.serving.port import check_port, check_port_number
from bus.serving.tls import check_tls, warnings_of
from bus.store.asked import ask
from bus.store.lock import take_lock
from bus.store.movemark import check_mark, how_to_fill
from bus.store.version import check_version, read_version

if TYPE_CHECKING:
    from bus.config import Config

GRACEFUL_S = 2


class Manager(Arbiter):  # type: ignore[misc]
    """Gunicorn's arbiter, with as many workers as it began with; it tells systemd when it stops."""

    def stop(self, graceful: bool = True) -> None:
        self.app.notify.stopping()
        super().stop(graceful)

    def handle_hup(self) -> None:
        """Stop: a reload would have more workers than were asked for; and the terminal has gone."""
        self.handle_term()

    def refuse_more(self) -> None:
        """Ignore what asks for another worker or a second arbiter."""

    handle_ttin = handle_ttou = handle_usr2 = refuse_more


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, which has no types, with the settings that this bus needs."""

    def __init__(self, config: Config, notify: Notify) -> None:
        self._bus_config = config
        self.notify = notify
        super().__init__()

    def run(self) -> None:
        Manager(self).run()

    def load_config(self) -> None:
        """Set what is not gunicorn's default, and why."""
        config = self._bus_config
        host = f"[{config.host}]" if ":" in config.host else config.host
        settings: dict[str, Any] = {
            "bind": [f"{host}:{config.port}"],
            "workers": config.workers,  # one, where who listens is known in memory alone
            "worker_class": "bus.serving.worker.Worker",
            "worker_connections": config.max_connections,
            "timeout": 30,  # of a stuck hub, not of a request
            "graceful_timeout": GRACEFUL_S,
            "keepalive": 75,
            "max_requests": 0,  # recycling would end every stream
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "wakebus",
            "when_ready": say_ready,
        }
        if config.tls_cert:
            settings |= {"certfile": config.tls_cert, "keyfile": config.tls_key}
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application, in the worker, after everything was patched."""
        from bus.app import create_app  # noqa: PLC0415 - not before the worker has patched

        return create_app(self._bus_config)


def say_ready(arbiter: Any) -> None:
    """Say the real address, which port 0 leaves open until now; the fork comes after this."""
    config = arbiter.app._bus_config  # noqa: SLF001 - our own class
    for listener in arbiter.LISTENERS:
        port = listener.getsockname()[1]
        arbiter.app._bus_config = replace(config, port=port)  # noqa: SLF001 - likewise
        print(f"wakebus listens on {listener}, data in {config.data_dir}", file=sys.stderr)  # noqa: T201 - a person starts it


def serve(config: Config) -> NoReturn:
    """Serve until a signal; ends the process.

    What refuses to start is said to systemd too, so that `systemctl status` shows it.

    Raises:
        BusError: see `check`.
    """
    notify = Notify.take(os.environ)
    try:
        check(config)
    except BusError as error:
        notify.status(f"refused to start: {error.detail}")
        raise
    for warning in warnings_of(config):
        print(warning, file=sys.stderr)  # noqa: T201 - a person starts it
    Server(config, notify).run()
    raise SystemExit(0)


def check(config: Config) -> None:
    """Refuse what cannot be served, and take the database's lock.

    The lock comes before the first look: where a bus was killed, who opens the database finishes
    its writes, and only the lock's holder may write.

    Raises:
        SchemaError: the database is not at this program's schema.
        LockedError: another bus has the database.
        ConfigError: the port is taken, the certificate is none, or so many connections may not be.
    """
    check_port_number(config.port)
    check_tls(config)
    allow_connections(config.max_connections)
    check_database(config)
    check_port(config.host, config.port)


def check_database(config: Config) -> None:
    """Refuse a database that is not there, not whole, or another program's."""
    if config.is_postgresql:
        at = ask(config)
    elif config.db_path.exists():
        take_lock(config.db_path)
        at = read_version(config.db_path)
    else:
        at = None
    if at is None:
        raise no_database(config)
    check_version(at)
    if not config.is_postgresql:
        check_mark(config.db_path)


def no_database(config: Config) -> NoDatabaseError:
    """Say that there is nothing to serve, and what makes it."""
    if config.is_postgresql:
        how = how_to_fill(config.db_path)
        return NoDatabaseError(f"the database of BUS_DATABASE_URL is empty; fill it: {how}")
    return NoDatabaseError(f"there is no database at {config.db_path}; make it: bus init")
