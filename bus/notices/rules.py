"""Pure decisions over notices: where one may go, and which addresses are whose.

A name that is allowed may stand for any address, as its owner likes; so each address that it
resolves to is judged, too, and the connection goes to that very address.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

from bus.errors import ConfigError, InvalidRequestError
from bus.notices.model import MAX_URL, Address, Allowed, Place

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = {"https": 443, "http": 80}
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)*{LABEL}")
NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
"""A last label by which some resolvers take a name for an address: 2130706433, 0x7f.1, 127.1."""
ENTRY = re.compile(
    r"(?P<private>private:)?(?:(?P<scheme>https?)://)?(?P<wild>\*\.)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/@*]+)(?::(?P<port>[0-9]{1,5}))?/?"
)
VISIBLE = re.compile(r"[!-~]+")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
OLD_MAPPED = ipaddress.IPv6Network("::/96")
METADATA = {ipaddress.ip_address(one) for one in ("fd00:ec2::254", "100.100.100.200")}
"""Where clouds give their secrets away, beside the link-local address that most of them use."""


@lru_cache(maxsize=16)
def read_hosts(text: str) -> Allowed:
    """Read BUS_NOTICE_HOSTS.

    Raises:
        ConfigError: an entry that is none.
    """
    places, domains = [], set()
    for entry in text.replace(",", " ").lower().split():
        if entry.startswith("@"):
            domains.add(read_domain(entry))
        else:
            places.append(read_place(entry))
    return Allowed(tuple(places), frozenset(domains))


def read_domain(entry: str) -> str:
    """Read `@example.org`, or `@*`."""
    domain = entry[1:]
    if domain != "*" and not HOST.fullmatch(domain):
        raise ConfigError(f"BUS_NOTICE_HOSTS: {entry[:80]!r} is not @DOMAIN, as in @example.org")
    return domain


def read_place(entry: str) -> Place:
    """Read one host: `ntfy.sh`, `*.example.org`, `http://10.0.0.5:8080`, `private:push.lan`."""
    found = ENTRY.fullmatch(entry)
    wrong = ConfigError(
        f"BUS_NOTICE_HOSTS: {entry[:80]!r} is no host: NAME, NAME:PORT, *.NAME, http://NAME, "
        "private:NAME, an IP address, or @DOMAIN for email"
    )
    if found is None:
        raise wrong
    scheme, host = found["scheme"] or "https", found["host"]
    port = int(found["port"] or PORTS[scheme])
    if not is_host(host) or not 0 < port < 65_536 or (found["wild"] and read_ip(host)):
        raise wrong
    return Place(
        scheme, (found["wild"] or "") + plain_host(host), port, is_private=bool(found["private"])
    )


def plain_host(host: str) -> str:
    """Write a host in the one way in which hosts are compared."""
    bare = host.lower().strip("[]").removesuffix(".")
    ip = read_ip(bare)
    return bare if ip is None else str(ip)


def is_host(host: str) -> bool:
    """Say whether a host is a name or an address as all read it, and nothing between."""
    if host.startswith("["):
        ip = read_ip(host.strip("[]"))
        return ip is not None and ip.version == 6
    if read_ip(host) is not None:
        return ":" not in host
    bare = host.lower().removesuffix(".")
    return bool(HOST.fullmatch(bare)) and not NUMBER.fullmatch(bare.rpartition(".")[2])


def read_ip(text: str) -> IP | None:
    """Read an address as the standards write it; 127.1 and its like are none."""
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def read_url(url: str) -> Address:
    """Take an address apart.

    Raises:
        InvalidRequestError: it is none, or one that could mean two things.
    """
    wrong = InvalidRequestError(f"'url' is an address such as https://ntfy.sh, not {url[:80]!r}")
    if not 0 < len(url) <= MAX_URL or not url.isascii() or not VISIBLE.fullmatch(url):
        raise wrong
    if "\\" in url or "#" in url:
        raise wrong
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if "@" in parts.netloc:
        raise InvalidRequestError(
            "'url' has a name or a password before its host, which would be shown and logged: "
            "give a token of ntfy as 'token'"
        )
    scheme, host = parts.scheme, parts.netloc.removesuffix(f":{port}")
    if scheme not in PORTS or not is_host(host) or port == 0:
        raise wrong
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(scheme, plain_host(host), port or PORTS[scheme], path)


def find_place(allowed: Allowed, address: Address) -> Place | None:
    """Find the entry that lets notices go to an address."""
    return next((place for place in allowed.places if is_of(place, address)), None)


def is_of(place: Place, address: Address) -> bool:
    """Say whether an entry means an address."""
    if (place.scheme, place.port) != (address.scheme, address.port):
        return False
    if place.host.startswith("*."):
        return address.host.endswith(place.host[1:]) and address.host != place.host[2:]
    return address.host == place.host


def check_place(allowed: Allowed, address: Address) -> Place:
    """Refuse an address to which the administration lets nothing go."""
    place = find_place(allowed, address)
    if place is None:
        where = f"{address.scheme}://{show_host(address)}"
        raise InvalidRequestError(
            f"no notices go to {where[:200]}: the administration has not allowed that host "
            "(BUS_NOTICE_HOSTS); GET /api/people/self/notices lists those it has"
        )
    return place


def show_host(one: Address | Place) -> str:
    """Write a host with its port where that is not the usual one."""
    host = f"[{one.host}]" if ":" in one.host else one.host
    return host if one.port == PORTS[one.scheme] else f"{host}:{one.port}"


def show_places(allowed: Allowed) -> list[str]:
    """Write the list as somebody who makes a target reads it."""
    hosts = [f"{place.scheme}://{show_host(place)}" for place in allowed.places]
    return hosts + [f"@{domain}" for domain in sorted(allowed.domains)]


def why_not(text: str, place: Place) -> str:
    """Say why nothing goes to an address that a name resolved to; empty where it may."""
    ip = read_ip(text.partition("%")[0])
    if ip is None:
        return "it is no address"
    if ip == read_ip(place.host):
        return ""  # the administration wrote this very address
    ip = innermost(ip)
    if ip.is_link_local or ip in METADATA or ip.is_multicast or ip.is_unspecified:
        return "it is of this machine's own link, or of no single machine"
    if is_public(ip) or (place.is_private and (ip.is_loopback or not ip.is_reserved)):
        return ""
    return "it is not public (the administration can allow that: private:HOST)"


def innermost(ip: IP) -> IP:
    """Find the IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64 or (ip in OLD_MAPPED and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def is_public(ip: IP) -> bool:
    """Say whether an address is anybody's to reach."""
    is_old = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not (ip.is_reserved or is_old)
