"""Say that a port is taken before a server tries it: gunicorn would only try again, in silence."""

from __future__ import annotations

import errno
import socket

from bus.errors import ConfigError

LAST_PORT = 65_535


def check_port_number(port: int) -> None:
    """Refuse a number that is no port.

    Raises:
        ConfigError: it is too large; what is below 0 the settings refuse themselves.
    """
    if port > LAST_PORT:
        raise ConfigError(f"BUS_PORT={port} is no port: 0 to {LAST_PORT}")


def check_port(host: str, port: int) -> None:
    """Bind and let go; port 0 is always free.

    Raises:
        ConfigError: it is no port, it is taken, or the address is not this machine's.
    """
    check_port_number(port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise ConfigError(explain(host, port, error)) from error


def explain(host: str, port: int, error: OSError) -> str:
    """Say why, and which setting mends it."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken by another program; choose another: "
            f"BUS_PORT={port + 1}, or make up PORT={port + 1}"
        )
    reason = (error.strerror or str(error)).lower()
    return f"cannot listen on {host} port {port} ({reason}); see BUS_HOST and BUS_PORT"
