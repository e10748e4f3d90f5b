"""The files that `bus unit` writes: systemd's units with this program's real path, and settings.

It decides what is in them and whether this program can run in them; it asks systemd for nothing.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bus.cli.failing import SETTINGS, Failure
from bus.cli.installed import DATA_DIR, SERVICE, SETTINGS_DIR
from bus.config import Config, is_secret_key
from bus.errors import ConfigError
from bus.settings import SETTINGS as ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BACKUP, TIMER = "wakebus-backup.service", "wakebus-backup.timer"
UNITS = (SERVICE, BACKUP, TIMER)
SETTINGS_FILE = SETTINGS_DIR / "bus.env"
PRIVATE_DIR = Path("/var/lib/private/wakebus")
"""Where the data really is: systemd gives the other name to the service and to root."""
SHIPPED_PROGRAM = "/opt/wakebus/bin/bus"
"""The program's place in the units as they are shipped."""
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - looked for, not written to
"""Folders that are not there, or others, inside the units."""
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./+@-]+")
FIRST_SETTINGS = """\
# The settings of the bus; all of them: bus config --explain
# After a change: systemctl restart wakebus
# No secret belongs here: see docs/howto/install-the-bus.md
# For agents on other machines:
#BUS_HOST=0.0.0.0
#BUS_PUBLIC_URL=http://NAME-OF-THIS-MACHINE:8091
"""


def shipped_dir() -> Path:
    """Find the units: in the wheel beside the package, in a checkout at its top."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_systemd"
    return shipped if shipped.is_dir() else package.parent / "systemd"


def program() -> Path:
    """Give this program's command."""
    return Path(sys.executable).absolute().with_name("bus")


def unit_text(name: str) -> str:
    """Write a unit as it is to be on this machine."""
    text = (shipped_dir() / name).read_text(encoding="utf-8")
    return text.replace(SHIPPED_PROGRAM, str(program()))


def check_program() -> None:
    """Refuse a program that the units could not run.

    Raises:
        Failure: it lies where they cannot look.
    """
    places = {program(), Path(sys.executable).resolve(), Path(__file__).resolve()}
    for place in sorted(places):
        why = why_unseen(place)
        if why:
            raise Failure(
                f"the service could not run this program: {place} {why}",
                SETTINGS,
                mend="Install it where every user can read it, and run that one:\n"
                "  /usr/bin/python3 -m venv /opt/wakebus\n"
                "  /opt/wakebus/bin/pip install WHEEL\n"
                "  /opt/wakebus/bin/bus unit install",
            )


def why_unseen(place: Path) -> str:
    """Say why a service of another user cannot run or read a file; or nothing."""
    if not PLAIN_PATH.fullmatch(str(place)):
        return "has a character in its path that a unit would need quoted"
    if any(place.is_relative_to(hidden) for hidden in HIDDEN):
        return "is in a folder that services are kept out of"
    if not place.exists():
        return "is not there"
    closed = next((each for each in place.parents if not each.stat().st_mode & 0o001), None)
    return f"is in {closed}, which only its owner enters" if closed else ""


def read_settings(text: str) -> dict[str, str]:
    """Read KEY=VALUE lines, as systemd does where nobody is clever."""
    found = {}
    for line in text.splitlines():
        if line.strip().startswith((";", "#")):
            continue
        for word in shlex.split(line):
            key, _, value = word.partition("=")
            found[key] = value
    return found


def with_settings(text: str, changes: Iterable[str]) -> str:
    """Give the settings file with some keys set; an empty value takes a key out.

    Raises:
        Failure: a change is no KEY=VALUE, a secret, or none that the service can have.
        ConfigError: the settings would not be good together.
    """
    for change in changes:
        key, sign, value = change.partition("=")
        check_change(key, sign)
        lines = [line for line in text.splitlines() if not re.match(rf"\s*{key}\s*=", line)]
        text = "\n".join([*lines, *([f"{key}={quoted(value)}"] if value else [])]) + "\n"
    try:
        Config.from_env(read_settings(text) | secret_files())
    except ConfigError as error:
        raise ConfigError(f"{SETTINGS_FILE}: {error.detail}") from error
    return text


def check_change(key: str, sign: str) -> None:
    """Refuse what does not belong into the settings file."""
    if not sign or not re.fullmatch(r"BUS_[A-Z_]+", key):
        raise Failure(f"{key}{sign}: --set takes KEY=VALUE, such as BUS_PORT=8092", SETTINGS)
    if key == "BUS_DATA_DIR":
        raise Failure(f"the service has its data in {DATA_DIR}; BUS_DATA_DIR stays", SETTINGS)
    if is_secret_key(key):
        raise Failure(
            f"{key} is a secret, and everybody can read {SETTINGS_FILE}",
            SETTINGS,
            mend=f"Put it alone into {secret_file(key)} (chmod 600); then: "
            "systemctl restart wakebus",
        )


def secret_file(key: str) -> Path:
    """Give the file from which the service is handed a secret."""
    name = key.removeprefix("BUS_").removesuffix("_FILE").lower().replace("_", "-")
    return SETTINGS_DIR / name


def secret_files() -> dict[str, str]:
    """Give the secrets that the service is handed here, as its settings name them."""
    files = {f"{row.key}_FILE": secret_file(row.key) for row in ALL if row.secret}
    return {key: str(file) for key, file in files.items() if file.exists()}


def quoted(value: str) -> str:
    """Write a value as systemd reads it."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,\[\]-]+", value):
        return value
    if re.search(r"[\"\\\n`$]", value):
        raise Failure(f"{value!r} cannot stand in {SETTINGS_FILE}", SETTINGS)
    return f'"{value}"'


def service_config() -> Config:
    """Read the settings as the service does."""
    text = SETTINGS_FILE.read_text(encoding="utf-8") if SETTINGS_FILE.exists() else ""
    own = {"BUS_DATA_DIR": str(DATA_DIR)} | secret_files()
    return Config.from_env(read_settings(text) | own)


def unread(environ: dict[str, str]) -> Iterator[str]:
    """Say which settings of this shell the service will not see, and where it would."""
    own = {"BUS_URL", "BUS_TOKEN_FILE", "BUS_DATA_DIR"}
    for key in sorted(key for key in environ if key.startswith("BUS_") and key not in own):
        if not is_secret_key(key):
            yield f"the service does not see this shell's {key}; set it by --set"
        elif environ[key] != str(secret_file(key)):
            yield f"the service does not see this shell's {key}; it reads {secret_file(key)}"
