"""Every rule of talking for every kind of participant, as a table of what each of them gets."""

from __future__ import annotations

from functools import partial

import pytest

from bus.directory import groups
from bus.directory import service as directory
from bus.errors import BusError

SPEAKERS = ("alice", "lea", "wim", "pia", "charlie", "zoe")
"""A named agent, a lead, a worker, a person; a named agent and a person of another compartment."""
OK, RUNS, WORDS = "ok", "takes_runs", "takes_messages"
SOME = f"ok, but {RUNS}"
UNKNOWN, IDLE = "unknown_recipient", "forbidden"
"""A worker that does no run may begin none."""


def row(inside: str, outside: str, **other: str) -> dict[str, str]:
    """Give a row's cells: of those who share the open compartment, and of the two who do not."""
    return dict(zip(SPEAKERS, (*[inside] * 4, *[outside] * 2), strict=True)) | other


TABLE = {
    # what is said, to whom: those inside get, those outside get
    ("send", "bob"): row(OK, UNKNOWN),
    ("send", "lea"): row(OK, UNKNOWN),
    ("send", "pia"): row(OK, UNKNOWN),
    ("send", "will"): row(RUNS, UNKNOWN),
    ("send", "team"): row(OK, UNKNOWN),
    ("send", "crew"): row(SOME, UNKNOWN),
    ("send", "charlie"): row(UNKNOWN, OK),
    ("send", "zoe"): row(UNKNOWN, OK),
    ("send", "hal"): row(UNKNOWN, RUNS),
    ("send", "nobody"): row(UNKNOWN, UNKNOWN),
    ("answer", "bob"): row(OK, UNKNOWN, wim=RUNS),
    ("answer", "pia"): row(OK, UNKNOWN, wim=RUNS),
    ("answer", "will"): row(OK, UNKNOWN, wim=RUNS),
    ("run", "bob"): row(WORDS, UNKNOWN, wim=IDLE),
    ("run", "lea"): row(WORDS, UNKNOWN, wim=IDLE),
    ("run", "pia"): row(WORDS, UNKNOWN, wim=IDLE),
    ("run", "will"): row(OK, UNKNOWN, wim=IDLE),
    ("run", "team"): row(WORDS, UNKNOWN, wim=IDLE),
    ("run", "charlie"): row(UNKNOWN, WORDS, wim=IDLE),
    ("run", "hal"): row(UNKNOWN, OK, wim=IDLE),
    ("run", "nobody"): row(UNKNOWN, UNKNOWN, wim=IDLE),
}


@pytest.fixture
def talk(works):
    """Say something as somebody: gives "ok", or the code of the refusal, of all or of some."""
    cast = (
        {"name": "lea", "lead": True},
        {"name": "zoe", "kind": "person", "compartments": ["apart"]},
        {"name": "hal", "kind": "worker", "compartments": ["apart"]},
    )
    for one in cast:
        works.write(partial(directory.add, fields=one))
    for name, members in (("team", ["bob", "pia"]), ("crew", ["bob", "will"])):
        works.write(partial(groups.set_group, name=name, members=members, new=True))
    house = works.house

    def answer(who, to):  # a worker is asked nothing, and so has nothing to answer
        return house.send(who, to, in_reply_to=house.send(to, who)["id"])

    ways = {
        "send": house.send,
        "answer": answer,
        "run": lambda who, to: works.start(who, worker=to),
    }

    def say(how, who, to):
        try:
            refused = ways[how](who, to).get("unreachable", [])
        except BusError as refusal:
            return refusal.code
        return ", but ".join([OK, *(one["code"] for one in refused)])

    return say


@pytest.mark.parametrize("case", TABLE, ids=" ".join)
def test_what_may_be_said_to_whom_is_as_the_table_says(talk, case):
    how, to = case
    assert {who: talk(how, who, to) for who in SPEAKERS} == TABLE[case]
