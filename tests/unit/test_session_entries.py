"""How an entry is made ready for a page: whatever stands in it, it can only be shown."""

from __future__ import annotations

from typing import Any

import pytest

from bus.pages.entries import describe, initials

APPROVAL, RUN = "q_" + "0" * 26, "r_" + "0" * 26


def entry(**more: Any) -> dict[str, Any]:
    """Give an entry as a session shows it."""
    usual = {
        "place": 1,
        "at": "2026-11-21T21:00:00.000Z",
        "kind": "message",
        "from": "anna",
        "trust": "peer",
        "to": [],
        "body": "hello",
        "data": {},
    }
    return usual | more


def describe_one(**more: Any) -> dict[str, Any]:
    (shown,) = describe([entry(**more)], "alice")
    return shown


@pytest.mark.parametrize("odd", [None, 7, ["x"], {"a": 1}, True])
def test_what_is_no_word_in_an_entry_s_data_is_none(odd):
    names = ("stream", "state", "run_id", "approval_id", "options", "who", "what", "title")
    for kind in ("message", "output", "result", "approval", "note"):
        shown = describe_one(kind=kind, data=dict.fromkeys(names, odd))
        assert shown["stream"] == shown["run"] == shown["state"] == ""
        assert shown["data"]["reason"] == ""


def test_a_stream_or_a_run_that_is_no_id_leads_nowhere():
    shown = describe_one(
        kind="output", data={"state": "open", "stream": "../api", "run_id": "//example.org"}
    )
    assert (shown["stream"], shown["run"]) == ("", "")
    shown = describe_one(kind="output", data={"state": "open", "stream": "e_1", "run_id": RUN})
    assert (shown["stream"], shown["run"]) == ("e_1", RUN)


def test_what_came_from_a_file_opens_no_stream_and_is_nobody_s_to_answer():
    data = {"state": "open", "stream": "e_1", "run_id": RUN, "approval_id": APPROVAL}
    for kind in ("output", "result", "approval"):
        shown = describe_one(kind=kind, trust="imported", data=data | {"options": ["yes"]})
        assert not shown["stream"]
        assert not shown["run"]
        assert not shown.get("approval")
    assert not describe_one(trust="imported", **{"from": "alice"})["is_mine"]


@pytest.mark.parametrize(
    ("who", "asker", "state", "may"),
    [
        ([], "anna", "open", True),
        (["alice"], "anna", "open", True),
        (["bob"], "anna", "open", False),
        ([], "alice", "open", False),
        ([], "anna", "answered", False),
    ],
)
def test_an_approval_has_buttons_for_who_is_asked_while_it_waits(who, asker, state, may):
    data = {"approval_id": APPROVAL, "who": who, "state": state, "title": "Go?"}
    shown = describe_one(kind="approval", body="Go?\n\nSurely?", data=data, **{"from": asker})
    assert bool(shown["approval"]) == may
    assert shown["body"] == "Surely?"


@pytest.mark.parametrize(
    ("second", "goes_on"),
    [
        ({}, True),
        ({"at": "2026-11-21T21:04:59.000Z"}, True),
        ({"at": "2026-11-21T21:05:00.000Z"}, False),
        ({"from": "ben"}, False),
        ({"trust": "imported"}, False),
        ({"kind": "note"}, False),
    ],
)
def test_one_name_stands_over_what_one_says_in_a_row(second, goes_on):
    first, then = describe([entry(), entry(**second)], "alice")
    assert not first["goes_on"]
    assert then["goes_on"] == goes_on


@pytest.mark.parametrize(
    ("name", "letters"),
    [("anna", "an"), ("reviewer-main", "rm"), ("a", "a"), ("-", "-"), ("a.b.c", "ab")],
)
def test_a_face_has_letters_whatever_a_name_is(name, letters):
    assert initials(name) == letters
