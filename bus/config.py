"""Environment to one frozen `Config`; nothing else reads the environment.

The table of the settings is `settings.py`. A secret `X` is read from the file named by `X_FILE`
where that is set.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bus.errors import ConfigError
from bus.notices.rules import read_hosts
from bus.settings import MOST_WORKERS, SETTINGS, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bus.settings import Setting


CLIENT_KEYS = ("BUS_URL", "BUS_TOKEN_FILE")
POSTGRESQL = "postgresql+psycopg://"
MAY_BE_0 = ("BUS_PORT", "BUS_GUARD_")
"""A port that is free; a rule of the guard that is off."""


@dataclass(frozen=True)
class Config(Settings):
    """Every setting of the bus as it is set, and what follows from them."""

    @property
    def db_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "bus.db"

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is a PostgreSQL, not the SQLite file."""
        return bool(self.database_url)

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
            value < 0 or (value == 0 and not setting.key.startswith(MAY_BE_0))
        ):
            raise ConfigError(f"{setting.key} must be above 0, not {value}")
    if config.synchronous not in {"FULL", "NORMAL", "EXTRA"}:
        raise ConfigError(f"BUS_SYNCHRONOUS is FULL, EXTRA or NORMAL, not {config.synchronous!r}")
    check_database(config)
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ConfigError("BUS_TLS_CERT and BUS_TLS_KEY go together")
    if config.max_streams >= config.max_connections:
        raise ConfigError("BUS_MAX_CONNECTIONS must be above BUS_MAX_STREAMS")
    if any(0 < len(one) < 16 for one in (config.shared_secret, config.shared_secret_before)):
        raise ConfigError("BUS_SHARED_SECRET needs 16 characters or more")
    if config.public_url and not is_plain_url(config.public_url):
        raise ConfigError(f"BUS_PUBLIC_URL is not a plain http(s) address: {config.public_url!r}")
    check_notices(config)
    if config.log_level not in {"debug", "info", "warning", "error"}:
        raise ConfigError(
            f"BUS_LOG_LEVEL is debug, info, warning or error, not {config.log_level!r}"
        )


def check_database(config: Config) -> None:
    """Refuse the address of a database that is not written as it must be; it is never shown."""
    for key, url in (
        ("BUS_DATABASE_URL", config.database_url),
        ("BUS_NOTIFY_URL", config.notify_url),
    ):
        if url and not url.startswith(POSTGRESQL):
            raise ConfigError(f"{key} begins with {POSTGRESQL}; SQLite is used where it is not set")
    if config.workers > 1 and not config.is_postgresql:
        raise ConfigError(
            f"BUS_WORKERS={config.workers} needs BUS_DATABASE_URL: who listens to what is known in "
            "memory on SQLite, so one process serves a file (docs/explanation/architecture.md)"
        )
    if config.workers > MOST_WORKERS:
        raise ConfigError(f"BUS_WORKERS is at most {MOST_WORKERS}, not {config.workers}")
    if config.notify_url and not config.database_url:
        raise ConfigError("BUS_NOTIFY_URL is of use with BUS_DATABASE_URL alone")


def check_notices(config: Config) -> None:
    """Refuse what could send no notice, or a password in the clear."""
    read_hosts(config.notice_hosts)
    if config.smtp_security not in {"starttls", "tls", "none"}:
        raise ConfigError(
            f"BUS_SMTP_SECURITY is starttls, tls or none, not {config.smtp_security!r}"
        )
    if config.smtp_host and not re.fullmatch(r"[!-~ ]*[^@ ]@[A-Za-z0-9.-]+>?", config.smtp_from):
        raise ConfigError("BUS_SMTP_HOST needs BUS_SMTP_FROM, an address such as bus@example.org")
    if config.smtp_user and config.smtp_security == "none":
        raise ConfigError("BUS_SMTP_USER needs BUS_SMTP_SECURITY starttls or tls")


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
