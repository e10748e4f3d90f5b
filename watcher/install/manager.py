"""systemd's manager of this user, and linger: what is there, and what is asked of it.

It must not know what is in a unit.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import programs

if TYPE_CHECKING:
    from watcher.programs import Said

LINGER = Path("/var/lib/systemd/linger")
RUNS_HERE = Path("/run/systemd/system")
START_S = 60.0


def runs_here() -> bool:
    """Say whether systemd runs this machine; in a container, mostly not."""
    return RUNS_HERE.is_dir()


class Manager:
    """The user's own systemd. `environ` is the caller's; what a bare login lacks is added."""

    def __init__(self, environ: dict[str, str]) -> None:
        runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
        self._environ = {
            **environ,
            "XDG_RUNTIME_DIR": runtime,
            "DBUS_SESSION_BUS_ADDRESS": environ.get("DBUS_SESSION_BUS_ADDRESS")
            or f"unix:path={runtime}/bus",
            "SYSTEMD_COLORS": "0",
        }

    @property
    def user(self) -> str:
        """Give the user's name."""
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())

    def find_trouble(self) -> str:
        """Say why this user's manager cannot be asked; "" where it can."""
        said = self.ctl("show", "--property=Version")
        return "" if said.is_good else said.trouble

    def ctl(self, *words: str) -> Said:
        """Call systemctl for this user."""
        return programs.ask(["systemctl", "--user", *words], self._environ, START_S)

    def show(self, unit: str) -> dict[str, str]:
        """Give what is known of a unit; nothing where there is no manager."""
        names = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result,MainPID,StatusText"
        said = self.ctl("show", unit, f"--property={names}")
        pairs = (line.partition("=") for line in said.output.splitlines() if said.is_good)
        return {key: value for key, _, value in pairs}

    def has_linger(self) -> bool:
        """Say whether this user's units start with the machine, before anybody signs in."""
        return (LINGER / self.user).exists()

    def enable_linger(self) -> Said:
        """Ask for it; without a policy that lets users do so, only root may."""
        return programs.ask(
            ["loginctl", "--no-ask-password", "enable-linger", self.user], self._environ
        )

    def disable_linger(self) -> Said:
        """Take it back."""
        return programs.ask(
            ["loginctl", "--no-ask-password", "disable-linger", self.user], self._environ
        )
