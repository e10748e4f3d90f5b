"""The unit for this machine: the shipped one, with the lines that hold real paths.

It must not know systemctl.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import onefile, settingsfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:=@,+-]+", re.ASCII)
PASSED_ON = ("HOME", "OPENCLAW_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH")
USUAL_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
# where a person's installers put openclaw and node, for a shell that was told of none of them
OPENCLAW_PLACES = (
    *(".local/bin", ".npm-global/bin", ".volta/bin", ".local/share/pnpm", ".bun/bin", "bin"),
    *(".nvm/versions/node/*/bin", ".openclaw/bin"),
)


def unit_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder of this user's own units."""
    home = settingsfile.home_of(environ)
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"


def render(argv: Sequence[str], environ: Mapping[str, str], path: str) -> str:
    """Write the unit that runs this command in this environment."""
    settings = {"PATH": path, **{key: environ[key] for key in PASSED_ON if environ.get(key)}}
    lines = []
    for line in onefile.read_unit().splitlines():
        if line.startswith("ExecStart="):
            lines.append("ExecStart=" + " ".join(quote(word, in_command=True) for word in argv))
        elif line.startswith("Environment="):
            lines += [f"Environment={quote(f'{key}={text}')}" for key, text in settings.items()]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def quote(word: str, *, in_command: bool = False) -> str:
    """Write a word so that systemd reads this very word."""
    if PLAIN_WORD.fullmatch(word):
        return word
    plain = word.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain.replace("$", "$$") if in_command else plain}"'


def choose_path(environ: Mapping[str, str]) -> str:
    """Give the PATH for the unit: the caller's, and where openclaw is found though not on it."""
    folders = [one for one in environ.get("PATH", "").split(os.pathsep) if one.startswith("/")]
    home = settingsfile.home_of(environ)
    if shutil.which("openclaw", path=os.pathsep.join(folders)) is None:
        found = [one for place in OPENCLAW_PLACES for one in sorted(home.glob(place), reverse=True)]
        folders += [str(one) for one in found if os.access(one / "openclaw", os.X_OK)][:1]
    folders += [one for one in USUAL_PATH if one not in folders]
    return os.pathsep.join(one for one in dict.fromkeys(folders) if os.path.isdir(one))  # noqa: PTH112 - many
