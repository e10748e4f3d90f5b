"""What is said word by word, by the command line: seen as it comes, whole and once at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest
from commandline import BUS

from tests.conftest import until


class Screen:
    """A command that goes on, and what it wrote so far."""

    def __init__(self, who, *words):
        self.text = ""
        self.process = subprocess.Popen(
            [BUS, *words],
            env=who.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 4096):
            self.text += piece.decode()

    def await_text(self, text):
        until(lambda: text in self.text, 30, f"{text!r} on the screen")

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self, how=None):
        if how is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self._thread.join(30)
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        return code


@pytest.fixture
def two(act_as):
    return act_as("ann"), act_as("pia", "person")


@pytest.fixture
def boat(two):
    ann, _ = two
    return ann("session", "new", "Paint the boat", "pia", "--json").json["session_id"]


@pytest.fixture
def start(request):
    def begin(who, *words):
        made = Screen(who, *words)
        request.addfinalizer(lambda: made.process.poll() is None and made.end(signal.SIGKILL))
        return made

    return begin


def test_who_follows_a_session_sees_the_words_as_they_are_typed(two, boat, start):
    ann, pia = two
    follower = start(pia, "session", "show", boat, "--follow")
    speaker = start(ann, "session", "speak", boat)
    speaker.type("The sails")
    follower.await_text("  | The sails")
    speaker.type(" are torn.\nThe mast\x1b[2J is whole.\n")
    follower.await_text("  | The sails are torn.\n  | The mast\\x1b[2J is whole.\n")
    assert speaker.end() == 0
    assert "  entry 1\n" in speaker.text
    follower.await_text("ann output, closed")
    follower.end(signal.SIGINT)
    assert follower.text.count("sails") == 1
    assert "  | The sails are torn.\n" in pia("session", "read", boat).out


def test_others_can_say_something_while_one_speaks(two, boat, start):
    ann, pia = two
    follower = start(pia, "session", "show", boat, "--follow")
    speaker = start(ann, "session", "speak", boat)
    speaker.type("One, ")
    follower.await_text("  | One, ")
    pia("session", "say", boat, "be quick")
    follower.await_text("  | be quick\n")
    speaker.type("two.\n")
    follower.await_text("1  ann goes on\n  | two.\n")
    speaker.end()
    follower.end(signal.SIGINT)


def test_one_who_is_interrupted_leaves_an_entry_that_says_so(two, boat, start):
    ann, pia = two
    speaker = start(ann, "session", "speak", boat)
    speaker.type("I was about")
    until(lambda: "output" in pia("session", "show", boat).out, 30, "the entry")
    assert speaker.end(signal.SIGINT) != 0
    shown = pia("session", "show", boat).out
    assert "ann output, failed: interrupted" in shown
    assert "  | I was about\n" in shown


def test_words_are_said_over_a_restart_of_the_bus(two, boat, start, bus):
    ann, pia = two
    speaker = start(ann, "session", "speak", boat)
    speaker.type("before, ")
    until(lambda: "output" in pia("session", "show", boat).out, 30, "the entry")
    bus.stop(signal.SIGKILL)
    speaker.type("after.")
    speaker.await_text("trying on")
    bus.start()
    assert speaker.end() == 0
    assert "  | before, after.\n" in pia("session", "show", boat).out


def test_nothing_to_say_makes_no_entry(two, boat):
    ann, pia = two
    refused = ann("session", "speak", boat, stdin="")
    assert (refused.code, "nothing came on standard input" in refused.err) == (2, True)
    assert "0 entries" in pia("session", "show", boat).out
