"""The watcher as one file, `bus-watcher.pyz`, that any Python from 3.10 runs.

`python3 -m watcher.onefile dist/bus-watcher.pyz` builds it from the package's own files, so a
clone and a wheel give the same. It must not know what the file is for.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

UNIT = "_systemd/bus-watcher.service"
FIRST_LINE = b"#!/usr/bin/env python3\n"
MAIN = """\
import sys
if sys.version_info < (3, 10):
    sys.exit("bus-watcher needs Python 3.10 or newer; this is %d.%d" % sys.version_info[:2])
from watcher.cli import main
sys.exit(main())
"""
OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # the same files give the same bytes


def find_archive() -> Path | None:
    """Give the one file that this runs from; None where it runs from a folder."""
    top = Path(__file__).resolve().parents[1]
    return top if top.is_file() else None


def read_unit() -> str:
    """Give the unit as it is shipped: beside this package, or in the clone's own folder."""
    archive = find_archive()
    if archive is not None:
        with zipfile.ZipFile(archive) as packed:
            return packed.read(f"watcher/{UNIT}").decode()
    package = Path(__file__).resolve().parent
    clone = package.parent / "systemd" / Path(UNIT).name
    # the clone's own first: an editable install can leave a stale copy elsewhere
    return (clone if clone.is_file() else package / UNIT).read_text(encoding="utf-8")


def build(target: Path) -> None:
    """Pack this package into one file that can be run; the one file gives itself."""
    archive, package = find_archive(), Path(__file__).resolve().parent
    found = sorted(path for path in package.rglob("*") if path.suffix in {".py", ".md"})
    target.parent.mkdir(parents=True, exist_ok=True)
    if archive is not None:
        target.write_bytes(archive.read_bytes())
        target.chmod(0o755)
        return
    with target.open("wb") as file:
        file.write(FIRST_LINE)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in found:
                _add(packed, f"watcher/{path.relative_to(package)}", path.read_text("utf-8"))
            _add(packed, f"watcher/{UNIT}", read_unit())
            _add(packed, "__main__.py", MAIN)
    target.chmod(0o755)


def _add(packed: zipfile.ZipFile, name: str, text: str) -> None:
    packed.writestr(zipfile.ZipInfo(name, OLDEST_TIME), text, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
