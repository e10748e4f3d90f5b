"""Whether this machine runs the bus as a service: so that a hint names the command that fits.

It looks at files alone; what systemd says of the service is asked elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

UNIT_DIR = Path("/etc/systemd/system")
SERVICE = "wakebus.service"
DATA_DIR = Path("/var/lib/wakebus")
DATABASE_URL = Path("/etc/wakebus/database-url")


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


def where_else() -> str:
    """Point at the service's folder, for whoever forgot it; empty where that is no help."""
    named = os.environ.get("BUS_DATA_DIR")
    if not has_service() or (named and has_service_data(Path(named))):
        return ""
    return f"The bus is a service here; as root: export BUS_DATA_DIR={DATA_DIR}"
