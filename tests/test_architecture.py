"""The house's table of who may import what, as far as it is held today."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
BUS = sorted((TOP / "bus").rglob("*.py"))
WATCHER = sorted((TOP / "watcher").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """List the top-level packages that a file imports when it runs, types aside."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", WATCHER, ids=lambda path: str(path.relative_to(TOP)))
def test_the_watcher_needs_nothing_but_python(path):
    assert imports(path) <= set(sys.stdlib_module_names) | {"watcher"}


@pytest.mark.parametrize("path", BUS, ids=lambda path: str(path.relative_to(TOP)))
def test_the_bus_knows_the_watcher_over_http_only(path):
    assert "watcher" not in imports(path)


@pytest.mark.parametrize(
    "path",
    [path for path in BUS if path.name in {"rules.py", "model.py"}],
    ids=lambda path: str(path.relative_to(TOP)),
)
def test_decisions_are_pure(path):
    assert not imports(path) & {"flask", "sqlalchemy", "gevent", "socket", "time", "random"}


@pytest.mark.parametrize(
    "path",
    [path for path in BUS if path.parent.name in {"access", "directory", "guard", "mail", "wakes"}],
    ids=lambda path: str(path.relative_to(TOP)),
)
def test_only_routes_know_http(path):
    if path.name != "api.py":
        assert "flask" not in imports(path)
