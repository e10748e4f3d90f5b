"""Whether this machine runs the bus as a service: so that a hint names the command that fits.

It looks at files alone; what systemd says of the service is asked elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bus.errors import NoDatabaseError

if TYPE_CHECKING:
    from bus.config import Config

UNIT_DIR = Path("/etc/systemd/system")
SERVICE = "wakebus.service"
DATA_DIR = Path("/var/lib/wakebus")
SETTINGS_DIR = Path("/etc/wakebus")
DATABASE_URL = SETTINGS_DIR / "database-url"
NOTIFY_URL = SETTINGS_DIR / "notify-url"


def has_service() -> bool:
    """Say whether the bus is a service here."""
    return (UNIT_DIR / SERVICE).exists()


def has_service_data(folder: Path) -> bool:
    """Say whether a folder is the service's."""
    return has_service() and folder.resolve() == DATA_DIR.resolve()


def how_to_start(folder: Path) -> str:
    """Write the command that starts the bus on this folder."""
    if has_service_data(folder):
        return "systemctl start wakebus"
    return "bus up" if (folder / "demo").exists() else "bus serve"


def told_to_a_shell() -> dict[str, str]:
    """Give what a shell must have in its environment to do with the bus what the service does."""
    files = {"BUS_DATABASE_URL_FILE": DATABASE_URL, "BUS_NOTIFY_URL_FILE": NOTIFY_URL}
    there = {key: str(file) for key, file in files.items() if os.path.lexists(file)}
    return {"BUS_DATA_DIR": str(DATA_DIR), **there}


def export_command() -> str:
    """Write the command that tells a shell all that."""
    return "export " + " ".join(f"{key}={value}" for key, value in told_to_a_shell().items())


def where_else() -> str:
    """Point at where the service's bus is, for whoever forgot it; empty where that is no help."""
    if not has_service():
        return ""
    named = os.environ.get("BUS_DATA_DIR")
    knows_folder = bool(named and has_service_data(Path(named)))
    databases = {"BUS_DATABASE_URL", "BUS_DATABASE_URL_FILE"}
    knows_database = not os.path.lexists(DATABASE_URL) or bool(databases & set(os.environ))
    if knows_folder and knows_database:
        return ""
    return f"The bus is a service here; as root: {export_command()}"


def check_is_here(config: Config) -> None:
    """Refuse to begin a bus in the service's folder, where the service's own is elsewhere.

    Raises:
        NoDatabaseError: whoever asks has not said which database the service has.
    """
    is_bare = not config.is_postgresql and not config.db_path.exists()
    if is_bare and has_service_data(config.data_dir) and where_else():
        raise NoDatabaseError(f"there is no database at {config.db_path}")
