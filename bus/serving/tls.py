"""The certificate, looked at before a port is bound: one sentence now, or a traceback a client.

It loads nothing that `bus serve` must not have loaded before its fork.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bus.config import is_loopback
from bus.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bus.config import Config

ROUNDS = 10
"""More than the flights of any handshake."""


def check_tls(config: Config) -> None:
    """Refuse a certificate and a key that no connection could be made with.

    Raises:
        ConfigError: a file is not there, is something else, or the two do not belong together.
    """
    if config.tls_cert:
        check_pem("BUS_TLS_CERT", config.tls_cert, b"BEGIN CERTIFICATE", "a certificate")
        check_pem("BUS_TLS_KEY", config.tls_key, b"PRIVATE KEY", "a key")
        server_side(config)


def check_pem(key: str, file: str, mark: bytes, what: str) -> None:
    """Refuse a file that cannot be read or holds something else."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{key}={file} cannot be read ({reason})") from error
    if mark not in content:
        raise ConfigError(f"{key}={file} is not {what} in PEM form")


def server_side(config: Config) -> ssl.SSLContext:
    """Load the certificate and its key; a key under a password is refused and not asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            reason = "it is the key of another certificate"
        else:
            reason = "damaged, or under a password"
        raise ConfigError(
            f"BUS_TLS_KEY={config.tls_key} does not fit BUS_TLS_CERT={config.tls_cert} ({reason})"
        ) from error
    return context


def why_refused(config: Config, host: str, ca_file: str) -> str:
    """Say why a client that trusts a file's authorities would refuse the certificate; or nothing.

    Both sides of a handshake in memory: no port, and no client's retries, stand between.
    """
    try:
        trusting = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # of which SSLError is one
        return f"{ca_file} holds no certificates ({error.strerror or error})".lower()
    try:
        shake_hands(config, trusting, host)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    return ""


def shake_hands(config: Config, trusting: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Have a client meet the bus's certificate in memory; gives the client's side."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side(config).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(ROUNDS):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client


def certificate_end_s(config: Config) -> float:
    """Give when the certificate ends, in seconds since 1970.

    Raises:
        ssl.SSLCertVerificationError: it has ended, or has not begun.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it vouches for itself here
    trusting.load_verify_locations(config.tls_cert)
    shown = shake_hands(config, trusting, "bus").getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def warnings_of(config: Config) -> Iterator[str]:
    """Say what would work and be unsafe, or not work for others, a line each."""
    if not config.tls_cert and not is_loopback(config.host):
        yield (
            f"warning: plain HTTP on {config.host}: whoever sees that network reads the tokens; "
            "TLS: BUS_TLS_CERT and BUS_TLS_KEY"
        )
    if config.tls_cert and config.public_url.startswith("http:"):
        yield (
            f"warning: the bus speaks TLS and BUS_PUBLIC_URL={config.public_url} says http: what "
            "agents and nodes are given will not work"
        )
