"""The house's table of who may import what, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
BUS = sorted((TOP / "bus").rglob("*.py"))
WATCHER = sorted((TOP / "watcher").rglob("*.py"))
ROOMS = (
    *("access", "directory", "guard", "mail", "wakes", "runs", "board", "alerts", "brief"),
    *("streams", "sessions", "steering", "notices", "pages"),
)
"""The product's rooms; one calls only the services of those before it."""
OUTSIDE = {"flask", "sqlalchemy", "gevent", "requests", "msgspec", "gunicorn", "alembic", "click"}


def imports(path: Path) -> set[str]:
    """List the modules that a file imports when it runs, types aside; `a.b` for `from a import b`.

    An imported name stands as `module.name`, since the name may be a module itself.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def label(path: Path) -> str:
    return str(path.relative_to(TOP))


def files(*names: str, rooms: tuple[str, ...] = ROOMS) -> list[Path]:
    """List a kind of file over the rooms."""
    return [path for path in BUS if path.parent.name in rooms and path.name in names]


def is_api(path: Path) -> bool:
    """Say whether a file holds routes: a large room has several, named `..._api`; pages are all."""
    return path.stem == "api" or path.stem.endswith("_api") or path.parent.name == "pages"


def is_statements(name: str) -> bool:
    """Say whether a module holds statements: a large room has several, named `..._queries`."""
    return name == "queries" or name.endswith("_queries")


STATEMENTS = [path for path in BUS if path.parent.name in ROOMS and is_statements(path.stem)]
API = [path for path in BUS if path.parent.name in ROOMS and is_api(path)]


def in_folder(folder: str) -> list[Path]:
    return [path for path in BUS if path.parent.name == folder]


@pytest.mark.parametrize("path", WATCHER, ids=label)
def test_the_watcher_needs_nothing_but_python(path):
    assert tops(path) <= set(sys.stdlib_module_names) | {"watcher"}


@pytest.mark.parametrize("path", BUS, ids=label)
def test_the_bus_knows_the_watcher_over_http_only(path):
    assert "watcher" not in tops(path)


PURE = [
    *files("rules.py", "model.py"),
    *(TOP / "bus" / f"{name}.py" for name in ("errors", "clock", "ids")),
]


@pytest.mark.parametrize("path", PURE, ids=label)
def test_decisions_are_pure(path):
    assert not tops(path) & (OUTSIDE | {"socket", "subprocess"})
    kinds = ("errors", "clock", "config")
    mine = {name for name in imports(path) if name.startswith("bus.")}
    assert all(
        name.split(".")[1] in kinds or name.split(".")[2] in {"rules", "model"} for name in mine
    )


@pytest.mark.parametrize("path", STATEMENTS + in_folder("store"), ids=label)
def test_statements_know_neither_http_nor_use_cases(path):
    assert "flask" not in tops(path)
    assert not {name for name in imports(path) if ".service" in name or ".api" in name}


@pytest.mark.parametrize(
    "path",
    [path for path in BUS if path.parent.name in ROOMS and not is_api(path)],
    ids=label,
)
def test_only_routes_know_http_and_nobody_below_knows_who_listens(path):
    assert "flask" not in tops(path)
    assert not {name for name in imports(path) if name.startswith(("bus.live", "bus.web"))}


@pytest.mark.parametrize(
    "path", API + in_folder("web") + [TOP / "bus" / "live" / "stream.py"], ids=label
)
def test_routes_hold_no_statement(path):
    assert "sqlalchemy" not in tops(path)
    assert not {name for name in imports(path) if any(map(is_statements, name.split(".")))}


@pytest.mark.parametrize("path", in_folder("live") + in_folder("fleet"), ids=label)
def test_what_is_live_calls_no_use_case(path):
    assert not {name for name in imports(path) if ".service" in name}
    if path.name != "stream.py":
        assert "flask" not in tops(path)
        assert not {name for name in imports(path) if name.startswith("bus.web")}


@pytest.mark.parametrize("path", [path for path in BUS if path.parent.name in ROOMS], ids=label)
def test_a_room_calls_only_rooms_above_it_and_never_their_statements(path):
    mine = ROOMS.index(path.parent.name)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "bus" and parts[1] in ROOMS and parts[1] != path.parent.name:
            assert ROOMS.index(parts[1]) < mine, name
            assert not is_statements(parts[2]), name


@pytest.mark.parametrize("package", ["bus", "watcher"])
def test_importing_a_package_opens_nothing(package):
    code = (
        "import os, threading\n"
        "before = set(os.listdir('/proc/self/fd'))\n"
        f"import {package}\n"
        "assert set(os.listdir('/proc/self/fd')) == before\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
