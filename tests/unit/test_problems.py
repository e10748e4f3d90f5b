"""Every error has a status, so that none reaches a caller as a bare fault."""

from __future__ import annotations

from bus.web.problems import STATUS, all_errors


def test_every_error_has_a_status_and_every_status_an_error():
    assert {error.code for error in all_errors()} == set(STATUS)
