"""Names that are completed: only such as a bus has, whatever calls itself one."""

from __future__ import annotations

import pytest

from bus.cli.completing import matching


@pytest.mark.parametrize(
    "name", ["win$(id)", "win;id", "win id", "win`id`", "win\nid", "win'", "win&id", "win\x1b[2J"]
)
def test_what_a_shell_would_run_is_no_name_to_complete(name):
    assert matching("win", [name, "winnie", "alice"]) == ["winnie"]
