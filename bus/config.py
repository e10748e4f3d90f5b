"""Environment to one frozen `Config`; nothing else reads the environment.

One table feeds the parsing, `bus config` and the reference page. A secret `X` is read from the
file named by `X_FILE` where that is set.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Setting:
    """One row of the table: the key in the environment, its kind, default, unit and meaning."""

    key: str
    kind: type
    default: Any
    unit: str
    help: str
    secret: bool = False

    @property
    def field(self) -> str:
        """The name of the field in `Config`."""
        return self.key.removeprefix("BUS_").lower()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "BUS_DATA_DIR",
        Path,
        None,
        "",
        "where the database, its lock and the first tokens lie;"
        " ~/.local/share/wakebus where not set",
    ),
    Setting("BUS_HOST", str, "127.0.0.1", "", "the address to listen on"),
    Setting("BUS_PORT", int, 8091, "", "the port to listen on; 0 takes a free one"),
    Setting(
        "BUS_PUBLIC_URL",
        str,
        "",
        "",
        "the address by which agents and nodes reach the bus,"
        " used in answers; http(s)://BUS_HOST:BUS_PORT where not set",
    ),
    Setting("BUS_TLS_CERT", str, "", "", "certificate chain file; with BUS_TLS_KEY turns TLS on"),
    Setting("BUS_TLS_KEY", str, "", "", "key file of BUS_TLS_CERT"),
    Setting(
        "BUS_SHARED_SECRET",
        str,
        "",
        "",
        "one secret for the agents of a household that have"
        " no token of their own; off where not set",
        secret=True,
    ),
    Setting(
        "BUS_SHARED_SECRET_BEFORE",
        str,
        "",
        "",
        "the shared secret before this one: taken too while it is set, so that it can be changed"
        " on one machine after the other",
        secret=True,
    ),
    Setting(
        "BUS_SYNCHRONOUS",
        str,
        "FULL",
        "",
        "SQLite's synchronous: FULL keeps the promise that"
        " accepted means on disk; NORMAL can lose the last seconds in a power cut",
    ),
    Setting("BUS_MAX_BODY_BYTES", int, 262_144, "bytes", "the largest body of one message"),
    Setting("BUS_MAX_REQUEST_BYTES", int, 4_194_304, "bytes", "the largest request"),
    Setting("BUS_MAX_BATCH", int, 100, "messages", "the most messages in one call"),
    Setting("BUS_MAX_RECIPIENTS", int, 100, "recipients", "the most recipients of one message"),
    Setting("BUS_MAX_TOGETHER", int, 500, "", "the most deliveries or handles of one request"),
    Setting(
        "BUS_MAX_INBOX",
        int,
        1000,
        "deliveries",
        "the most deliveries an agent may have open; a full inbox refuses",
    ),
    Setting("BUS_MAX_STREAMS", int, 800, "streams", "the most open streams and waiting reads"),
    Setting(
        "BUS_MAX_STREAMS_EACH",
        int,
        32,
        "streams",
        "the same of one principal; so many of its requests may wait for their bodies, too",
    ),
    Setting(
        "BUS_MAX_CONNECTIONS",
        int,
        1000,
        "connections",
        "the most connections, streams"
        " included; above BUS_MAX_STREAMS, so that sending always has room",
    ),
    Setting(
        "BUS_MAX_STRANGERS",
        int,
        64,
        "connections",
        "the most connections of one address that have shown no token; then those"
        " that stand silent for over a second are hung up, the oldest first",
    ),
    Setting(
        "BUS_FIRST_REQUEST_S",
        float,
        10.0,
        "s",
        "how long a new connection may take to shake hands, and to bring its first request's head",
    ),
    Setting("BUS_RATE_PER_S", int, 200, "requests/s", "requests a principal may make, sustained"),
    Setting("BUS_RATE_BURST", int, 400, "requests", "requests a principal may make at once"),
    Setting("BUS_WRITER_QUEUE", int, 1024, "writes", "writes that may wait for the writer"),
    Setting("BUS_WRITER_SHARE", int, 256, "writes", "of those, how many of one principal"),
    Setting("BUS_LEASE_S", int, 600, "s", "how long a read item is leased"),
    Setting("BUS_MAX_ATTEMPTS", int, 5, "attempts", "counted attempts after which mail is dead"),
    Setting(
        "BUS_WAKE_BLIND_S",
        int,
        120,
        "s",
        "how long a wake whose turn cannot be seen waits for a read",
    ),
    Setting(
        "BUS_WAKE_SILENCE_S",
        int,
        90,
        "s",
        "how long a watcher may say nothing of a turn before its end counts as unknown",
    ),
    Setting(
        "BUS_WAKE_ASK_S",
        int,
        30,
        "s",
        "how long an asked wake waits for an online node's word before it is asked again",
    ),
    Setting(
        "BUS_BACKOFF_FIRST_S",
        float,
        1.0,
        "s",
        "the first pause before a failed wake is asked again; doubles",
    ),
    Setting("BUS_BACKOFF_MAX_S", float, 60.0, "s", "the longest such pause"),
    Setting(
        "BUS_DELAYED_S", int, 900, "s", "after how long a waiting delivery gets its sender a note"
    ),
    Setting("BUS_RETENTION_S", int, 604_800, "s", "how long ended messages are kept"),
    Setting("BUS_LOG_RETENTION_S", int, 604_800, "s", "how long the log is kept for streams"),
    Setting("BUS_CODE_S", int, 3600, "s", "how long an enrolment code is good for"),
    Setting(
        "BUS_GUARD_HOPS",
        int,
        16,
        "hops",
        "replies and sends inside a lease that a thread may take before it is held",
    ),
    Setting(
        "BUS_GUARD_BURST",
        int,
        20,
        "messages",
        "messages between one pair in one thread within a minute before it is held",
    ),
    Setting("BUS_HEARTBEAT_S", float, 15.0, "s", "the pause between comments on a silent stream"),
    Setting("BUS_STREAM_S", int, 600, "s", "about how long a stream lives before it says bye"),
    Setting("BUS_LOG_LEVEL", str, "info", "", "debug, info, warning or error"),
)
CLIENT_KEYS = ("BUS_URL", "BUS_TOKEN_FILE")


@dataclass(frozen=True)
class Config:
    """Every setting of the bus; the table above says what each means."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8091
    public_url: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    shared_secret: str = ""
    shared_secret_before: str = ""
    synchronous: str = "FULL"
    max_body_bytes: int = 262_144
    max_request_bytes: int = 4_194_304
    max_batch: int = 100
    max_recipients: int = 100
    max_together: int = 500
    max_inbox: int = 1000
    max_streams: int = 800
    max_streams_each: int = 32
    max_connections: int = 1000
    max_strangers: int = 64
    first_request_s: float = 10.0
    rate_per_s: int = 200
    rate_burst: int = 400
    writer_queue: int = 1024
    writer_share: int = 256
    lease_s: int = 600
    max_attempts: int = 5
    wake_blind_s: int = 120
    wake_silence_s: int = 90
    wake_ask_s: int = 30
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0
    delayed_s: int = 900
    retention_s: int = 604_800
    log_retention_s: int = 604_800
    code_s: int = 3600
    guard_hops: int = 16
    guard_burst: int = 20
    heartbeat_s: float = 15.0
    stream_s: int = 600
    log_level: str = "info"

    @property
    def db_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "bus.db"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Config:
        """Read the whole table.

        Raises:
            ConfigError: an unknown key, an unreadable file, a value that does not parse, or
                settings that contradict each other.
        """
        refuse_unknown(environ)
        values = {setting.field: read(setting, environ)[0] for setting in SETTINGS}
        if values["data_dir"] is None:
            values["data_dir"] = default_data_dir(environ)
        config = cls(**values)
        check(config)
        return config

    @property
    def url(self) -> str:
        """The address used in answers to readers that did not enrol by another."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Give the place by the XDG base directory rules."""
    base = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "~")) / ".local/share")
    return Path(base).expanduser() / "wakebus"


def known_keys() -> list[str]:
    """List every key that may stand in the environment."""
    files = [f"{setting.key}_FILE" for setting in SETTINGS if setting.secret]
    return [setting.key for setting in SETTINGS] + files + list(CLIENT_KEYS)


def is_secret_key(key: str) -> bool:
    """Say whether a key holds a secret, or names its file."""
    return any(key in {row.key, f"{row.key}_FILE"} for row in SETTINGS if row.secret)


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse a `BUS_*` key that means nothing: a misspelt limit must not be silently off."""
    known = known_keys()
    for key in sorted(environ):
        if key.startswith("BUS_") and key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"unknown setting {key}{hint} (bus config lists all)")


def read(setting: Setting, environ: Mapping[str, str]) -> tuple[Any, str]:
    """Give a setting's value and where it came from."""
    key = setting.key
    file = environ.get(f"{key}_FILE", "") if setting.secret else ""
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip(), f"file {file}"
        except OSError as error:
            raise ConfigError(f"cannot read {key}_FILE {file}: {error.strerror}") from error
    text = environ.get(key, "")
    if text == "":
        return setting.default, "default"
    try:
        return setting.kind(text), "environment"
    except ValueError as error:
        raise ConfigError(f"{key}={text!r} is not {setting.kind.__name__}") from error


def check(config: Config) -> None:
    """Refuse values that cannot work, alone or together."""
    for setting in SETTINGS:
        value = getattr(config, setting.field)
        if setting.kind in (int, float) and (
            value < 0 or (value == 0 and setting.key != "BUS_PORT")
        ):
            raise ConfigError(f"{setting.key} must be above 0, not {value}")
    if config.synchronous not in {"FULL", "NORMAL", "EXTRA"}:
        raise ConfigError(f"BUS_SYNCHRONOUS is FULL, EXTRA or NORMAL, not {config.synchronous!r}")
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ConfigError("BUS_TLS_CERT and BUS_TLS_KEY go together")
    if config.max_streams >= config.max_connections:
        raise ConfigError("BUS_MAX_CONNECTIONS must be above BUS_MAX_STREAMS")
    if any(0 < len(one) < 16 for one in (config.shared_secret, config.shared_secret_before)):
        raise ConfigError("BUS_SHARED_SECRET needs 16 characters or more")
    if config.public_url and not is_plain_url(config.public_url):
        raise ConfigError(f"BUS_PUBLIC_URL is not a plain http(s) address: {config.public_url!r}")
    if config.log_level not in {"debug", "info", "warning", "error"}:
        raise ConfigError(
            f"BUS_LOG_LEVEL is debug, info, warning or error, not {config.log_level!r}"
        )


def is_plain_url(url: str) -> bool:
    """Say whether an address can stand in a shell command as it is: scheme, host, port, path."""
    return (
        re.fullmatch(
            r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[A-Za-z0-9._/-]*)?", url
        )
        is not None
    )


def is_loopback(host: str) -> bool:
    """Say whether a host means this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def explain(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """List each setting as (key, value, source); secrets show only that they are set."""
    refuse_unknown(environ)
    rows = []
    for setting in SETTINGS:
        value, source = read(setting, environ)
        if setting.key == "BUS_DATA_DIR" and value is None:
            value = default_data_dir(environ)
        shown = ("(set)" if value else "(not set)") if setting.secret else str(value)
        rows.append((setting.key, shown, source))
    return rows
