"""A real OpenClaw speaks in a session: all in it see the words come, and have them whole and once.

The words are a scripted model's, which makes a long text slowly.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from realopenclaw import WAIT_S
from wholepath import ACK, READ

from tests.live.speaking import Reader, Talk, make_talk

if TYPE_CHECKING:
    from pathlib import Path

    from wholepath import Household, Machine

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600)]
AGENTS = ("speaker", "broken-off", "gone-on")
STORY = " ".join(f"Wave {number} came over the bow and went." for number in range(60))
METHOD = ["method=gateway"]


@pytest.fixture(scope="module")
def here(household: Household, machine: Machine) -> Machine:
    """The machine whose agents speak."""
    household.add_node("here", machine, dict.fromkeys(AGENTS, METHOD))
    for agent in AGENTS:
        machine.behave(agent, READ, ACK, {"text": STORY})
    return machine


@pytest.fixture
def ask(household: Household, here: Machine) -> Any:
    """Have a person ask an agent in a session with another person; gives both and the stream."""

    def begin(agent: str) -> tuple[Talk, str]:
        tokens = {agent: household.tokens[agent]}
        talk = make_talk(household.bus, tokens, f"pia-{agent}", f"paul-{agent}")
        talk.say(f"pia-{agent}", "How was the sea?")
        entry = talk.await_output(f"paul-{agent}", "open", WAIT_S)
        return talk, entry["data"]["stream"]

    assert here is not None
    return begin


def test_the_words_come_one_after_the_other_and_are_one_entry(
    household: Household, here: Machine, ask: Any
) -> None:
    talk, stream = ask("speaker")
    readers = [Reader(talk, f"{who}-speaker", stream) for who in ("pia", "paul")]
    assert [one.join(WAIT_S).decode() for one in readers] == [STORY, STORY]
    assert len(set(readers[0].offsets)) >= 2, "it came in pieces"
    entry = talk.await_output("pia-speaker", "closed", WAIT_S)
    assert (entry["body"], entry["from"]) == (STORY, "speaker")
    assert [one["kind"] for one in talk.entries("pia-speaker")] == ["message", "output"]
    household.await_idle("speaker")
    _, inbox = household.bus.call(talk.tokens["speaker"], "GET", "/api/inbox")
    assert inbox["items"] == []
    (turn,) = here.turns("speaker")
    assert "by no command" in turn["last_user"]
    assert here.was_shown("speaker", "answer: say it in this turn")


def test_the_next_life_of_a_watcher_that_was_killed_goes_on_in_the_same_entry(
    household: Household, here: Machine, ask: Any
) -> None:
    talk, stream = ask("gone-on")
    reader = Reader(talk, "paul-gone-on", stream)
    reader.await_bytes(1, WAIT_S)
    watcher = household.bus.watchers.pop()
    watcher.send_signal(signal.SIGKILL)
    watcher.wait(10)
    folder: Path = here.openclaw.home / household.folder / "here"
    household.bus.watch(folder, here.openclaw.environment())
    assert reader.join(WAIT_S).decode() == STORY
    entry = talk.await_output("pia-gone-on", "closed", WAIT_S)
    assert entry["body"] == STORY
    assert len(talk.entries("pia-gone-on")) == 2


def test_a_gateway_that_is_killed_in_mid_sentence_leaves_an_entry_that_says_so(
    household: Household, here: Machine, ask: Any
) -> None:
    talk, stream = ask("broken-off")
    reader = Reader(talk, "paul-broken-off", stream)
    reader.await_bytes(1, WAIT_S)
    here.openclaw.kill()
    here.openclaw.up()
    entry = talk.await_output("pia-broken-off", "failed", WAIT_S)
    assert STORY.startswith(entry["body"])
    assert 0 < len(entry["body"]) < len(STORY)
    # one that is back soon says that it was restarted; of one that is not, that it went is all
    assert any(word in entry["data"]["reason"] for word in ("restart", "went away"))
    assert reader.join(WAIT_S).decode() == entry["body"]
