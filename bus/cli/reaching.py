"""How `bus up` reaches the bus that it starts: at which address, and trusting whom.

A client trusts its system's authorities, or those of REQUESTS_CA_BUNDLE; for a certificate that
signed itself it is the certificate. What would be refused is said before anything starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bus.cli.failing import SETTINGS, Failure
from bus.cli.next_steps import exports, invoked
from bus.errors import ConfigError
from bus.serving.port import check_port
from bus.serving.tls import check_tls, why_refused

if TYPE_CHECKING:
    from bus.config import Config

LOOK_WITHIN_S = 2.0


@dataclass(frozen=True)
class Reach:
    """The address, and the file of authorities to name; empty where none need be."""

    url: str
    ca_file: str = ""


def find_reach(config: Config) -> Reach:
    """Choose how the bus can be reached from its own machine.

    Raises:
        Failure: its certificate would be refused.
    """
    local = replace(config, public_url="").url
    if not config.tls_cert:
        return Reach(local)
    check_tls(config)
    urls = [local, *([config.url] if config.public_url.startswith("https:") else [])]
    refusals = []
    for url in urls:
        for ca_file, trusts in candidates(config):
            why = why_refused(config, urlsplit(url).hostname or "", trusts)
            if not why:
                return Reach(url, str(Path(ca_file).absolute()) if ca_file else "")
            refusals.append(why)
    raise Failure(
        f"a client at {urls[-1]} would refuse the certificate of BUS_TLS_CERT "
        f"({refusals[-1].strip('. ')})",
        SETTINGS,
        mend="Name its authority, REQUESTS_CA_BUNDLE=FILE, and, where it is for another name, "
        "BUS_PUBLIC_URL=https://NAME:PORT",
    )


def candidates(config: Config) -> list[tuple[str, str]]:
    """List what may be trusted: the file to name, and where its certificates are."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - loads requests

    from bus.client.trust import check_trusted, trusted_file  # noqa: PLC0415 - likewise

    key, file = trusted_file()
    if file:
        check_trusted(key, file)
    usual = (file, file or DEFAULT_CA_BUNDLE_PATH)
    return [usual, (config.tls_cert, config.tls_cert)]


def check_free(config: Config, reach: Reach) -> None:
    """Refuse a port that is taken; where a bus has it, say how to use that one.

    Raises:
        Failure: a bus runs there.
        ConfigError: something else does.
    """
    try:
        check_port(config.host, config.port)
    except ConfigError as error:
        if not is_bus(reach.url):
            raise
        said = "".join(f"{line}; " for line in exports(config, reach.url, reach.ca_file))
        raise Failure(
            f"a bus already runs here, at {reach.url}",
            SETTINGS,
            mend=f"To use it: {said}{invoked('bus')} agent list\n"
            f"For another beside it: BUS_DATA_DIR=FOLDER make up PORT={config.port + 1}",
        ) from error


def is_bus(url: str) -> bool:
    """Say whether a bus answers."""
    from bus.client import BusClient, ClientError  # noqa: PLC0415 - loads requests

    try:
        with BusClient(url, "", timeout_s=LOOK_WITHIN_S) as bus:
            return bus.is_alive()
    except ClientError:
        return False
