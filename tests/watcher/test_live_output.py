"""What a turn says reaches its session as it is said: every word, once, whatever breaks."""

from __future__ import annotations

import json
import sys
import threading

import pytest
from fakebus import ProblemError

from tests.conftest import until
from watcher.methods import Methods
from watcher.methods.base import Outcome, Wake
from watcher.methods.gateway import Gateway
from watcher.outputs import output, pieces, words
from watcher.outputs.pieces import Pieces
from watcher.outputs.words import Words

WAKE_ID = "w_00000000000000000000000001"
SESSION = "s_00000000000000000000000001"
pytestmark = pytest.mark.usefixtures("quick_gateway")


class Report:
    """Hears what a method reports."""

    def __init__(self):
        self.said = []
        self.admission = threading.Event()

    def admitted(self, _turn_id):
        self.said.append("admitted")
        self.admission.set()

    def alive(self):
        pass

    def will_show(self):
        self.said.append("will_show")


class Turn:
    """A turn of alpha's on a thread."""

    def __init__(self, method, agent, session=SESSION, turn_id=None):
        self.report, self.stop, self.outcome = Report(), threading.Event(), None
        self.wake = Wake(
            *(WAKE_ID, 1, "alpha", "alpha", "agent:alpha:main", "You have mail.", 1, 0, turn_id),
            session=session,
            shown_text="Say it.",
        )
        self._ask = (method, agent)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        if turn_id is None:
            assert self.report.admission.wait(30)

    def _run(self):
        method, agent = self._ask
        self.outcome = method.run(self.wake, agent, self.report, self.stop)

    def join(self):
        self.thread.join(60)
        assert self.outcome is not None
        return self.outcome


@pytest.fixture
def start(openclaw, enrolled, tmp_path, outputs, clock):
    """Begin a life of the watcher and in it a turn: `start()`; `start(turn_id=...)` follows one."""
    config = tmp_path / "openclaw.json"
    auth = {"port": openclaw.server.port, "auth": {"token": openclaw.token}}
    config.write_text(json.dumps({"gateway": auth}))
    made = []

    def begin(*, wake=None, **more):
        top = {"openclaw": {"config": str(config)}, **({} if wake is None else {"wake": wake})}
        settings = enrolled(agents={"alpha": {}}, **top)
        method = Gateway(settings, clock)
        made.append((method, Turn(method, settings.agents["alpha"], **more)))
        return made[-1][1]

    yield begin
    for method, turn in made:
        turn.stop.set()
        turn.thread.join(20)
        method.close()


def names_of_threads():
    return {one.name for one in threading.enumerate()}


def test_a_session_sees_the_words_as_they_come_and_once(start, openclaw, outputs):
    turn = start()
    openclaw.speak(WAKE_ID, "Good")
    outputs.await_that(lambda shown: shown.text == "Good")
    openclaw.speak(WAKE_ID, "Good morning")
    outputs.await_that(lambda shown: shown.text == "Good morning")
    assert turn.outcome is None, "it was shown while the turn ran"
    openclaw.speak(WAKE_ID, "Good morning, all.", state="final")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    shown = outputs.await_state("closed")
    assert (shown.text, shown.session, shown.asked) == (
        "Good morning, all.",
        SESSION,
        {"wake_id": WAKE_ID},
    )
    assert len(shown.appends) >= 3


def test_the_turn_is_told_that_it_is_heard_and_the_bus_too(start, openclaw):
    turn = start()
    assert openclaw.await_call("agent")["message"] == "Say it."
    assert turn.report.said == ["will_show", "admitted"]


@pytest.mark.parametrize("more", [{"session": ""}, {"wake": {"live_output": False}}])
def test_nothing_is_shown_of_a_turn_for_no_session_or_where_it_is_switched_off(
    start, openclaw, outputs, more
):
    turn = start(**more)
    assert openclaw.await_call("agent")["message"] == "You have mail."
    openclaw.speak(WAKE_ID, "A private word.", state="final")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    assert turn.report.said == ["admitted"]
    assert outputs.all == []


def test_a_turn_that_says_nothing_makes_no_entry(start, openclaw, outputs, bus):
    turn = start()
    openclaw.speak(WAKE_ID, " \n", state="final")
    openclaw.end(WAKE_ID)
    turn.join()
    mine = f"output-{WAKE_ID}"
    until(lambda: mine not in names_of_threads(), 30, "the output's thread to end")
    assert not [one for one in bus.requests if one.path.startswith("/api/sessions")]


def test_a_failed_turn_leaves_what_it_said_and_why_it_broke_off(start, openclaw, outputs):
    turn = start()
    openclaw.speak(WAKE_ID, "I begin")
    openclaw.end(WAKE_ID, status="error", error="the model is away")
    assert turn.join().state == "failed"
    shown = outputs.await_state("failed")
    assert (shown.text, shown.reason) == ("I begin", "the model is away")


def test_what_was_said_while_the_gateway_could_not_be_heard_is_made_up_for(
    start, openclaw, outputs
):
    turn = start()
    openclaw.speak(WAKE_ID, "One.")
    outputs.await_that(lambda shown: shown.text == "One.")
    connects = openclaw.connects
    openclaw.cut()
    until(lambda: openclaw.connects > connects, 30, "the watcher to come back")
    openclaw.speak(WAKE_ID, "One. Two. Three.")
    outputs.await_that(lambda shown: shown.text == "One. Two. Three.")
    openclaw.end(
        WAKE_ID, status="ok", terminalReply={"disposition": "visible", "text": "Three. Four."}
    )
    turn.join()
    assert outputs.await_state("closed").text == "One. Two. Three. Four."


def test_a_piece_whose_answer_was_lost_is_not_shown_twice(start, openclaw, outputs):
    outputs.lose_answers = 2
    turn = start()
    openclaw.speak(WAKE_ID, "Once")
    outputs.await_that(lambda shown: shown.text == "Once")
    openclaw.speak(WAKE_ID, "Once only.", state="final")
    openclaw.end(WAKE_ID)
    turn.join()
    assert outputs.await_state("closed").text == "Once only."


def test_a_bus_that_is_away_for_a_while_delays_the_words_and_not_the_turn(start, openclaw, outputs):
    outputs.away = 5
    turn = start()
    for count in range(1, 40):
        openclaw.speak(WAKE_ID, "word " * count)
    openclaw.speak(WAKE_ID, "word " * 40, state="final")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    shown = outputs.await_state("closed")
    assert shown.text == "word " * 40
    assert len(shown.appends) < 40, "what piled up went together"


def test_a_bus_that_refuses_the_output_costs_the_turn_nothing(start, openclaw, outputs):
    outputs.refuse = ProblemError(409, "session_closed")
    turn = start()
    openclaw.speak(WAKE_ID, "Hello.", state="final")
    openclaw.end(WAKE_ID)
    assert turn.join() == Outcome("ended")
    assert outputs.all == []


def test_the_next_life_of_the_watcher_goes_on_and_doubles_no_word(start, openclaw, outputs):
    first = start()
    openclaw.speak(WAKE_ID, "It was a dark")
    outputs.await_that(lambda shown: shown.text == "It was a dark")
    first.stop.set()
    assert first.join().state == "left"
    second = start(turn_id=WAKE_ID)
    openclaw.await_call("agent.wait", count=len(openclaw.asked("agent.wait")) + 1)
    openclaw.speak(WAKE_ID, "It was a dark and stormy")
    outputs.await_that(lambda shown: shown.text == "It was a dark and stormy")
    openclaw.speak(WAKE_ID, "It was a dark and stormy night.", state="final")
    openclaw.end(WAKE_ID)
    second.join()
    shown = outputs.await_state("closed")
    assert shown.text == "It was a dark and stormy night."
    assert (outputs.only.epoch, shown.seq >= 0) == (1, True)


def test_a_turn_that_ended_while_the_watcher_was_away_is_told_to_its_end(start, openclaw, outputs):
    first = start()
    openclaw.speak(WAKE_ID, "It was a dark")
    outputs.await_that(lambda shown: shown.text == "It was a dark")
    first.stop.set()
    first.join()
    reply = {"disposition": "visible", "text": "It was a dark night."}
    openclaw.end(WAKE_ID, status="ok", terminalReply=reply)
    start(turn_id=WAKE_ID).join()
    assert outputs.await_state("closed").text == "It was a dark night."
    assert outputs.only


def test_a_silent_turn_that_is_found_again_makes_no_entry(start, openclaw, outputs, bus):
    first = start()
    first.stop.set()
    first.join()
    openclaw.end(WAKE_ID)
    start(turn_id=WAKE_ID).join()
    bus.wait_for(lambda requests: any(one.path.endswith("/outputs") for one in requests))
    assert outputs.all == []


def test_a_long_thought_in_mid_sentence_lets_no_lease_run_out(start, openclaw, outputs):
    start()
    openclaw.speak(WAKE_ID, "Let me think.")
    until(lambda: outputs.heartbeats >= 2, 30, "two signs of life")
    assert outputs.only.appends == [b"Let me think."]


def test_what_comes_after_a_lease_that_ran_out_goes_into_another_entry(start, openclaw, outputs):
    turn = start()
    openclaw.speak(WAKE_ID, "Before.")
    outputs.await_that(lambda shown: shown.text == "Before.")
    outputs.let_die()
    openclaw.speak(WAKE_ID, "Before. After.", state="final")
    openclaw.end(WAKE_ID)
    turn.join()
    outputs.await_state("closed")
    assert [one.text for one in outputs.all] == ["Before.", " After."]


# ---------------------------------------------------------------------------- what is new of it


def test_a_text_that_only_grows_is_handed_on_in_parts():
    heard = Words()
    told = []
    for whole in ("\n\nA", "A b", "A b", "A b\n\nc ", "A b\n\nc"):
        heard.tell(whole)
        told.append(heard.take())
    assert told == [b"A", b" b", b"", b"\n\nc ", b""]


def test_a_runtime_that_begins_anew_is_said_to():
    heard = Words()
    heard.tell("I think so.")
    heard.take()
    heard.tell("No")
    assert heard.take().decode() == f"{words.ANEW_NOTE}No"
    heard.tell("No, not so.")
    assert heard.take() == b", not so."


def test_another_life_goes_on_where_the_first_began_anew():
    heard = Words()
    heard.tell("No, not so.")
    heard.resume(f"I think so.{words.ANEW_NOTE}No".encode())
    assert heard.take() == b", not so."


@pytest.mark.parametrize(
    ("whole", "last", "added"),
    [("One.\n\nTwo.", "Two.", ""), ("One. Tw", "Two.", "o."), ("", "Two.", "Two."),
     ("One.", "Two.", "\n\nTwo.")],
)  # fmt: skip
def test_last_words_are_added_as_far_as_they_are_missing(whole, last, added):
    heard = Words()
    heard.tell(whole)
    heard.take()
    heard.tell_last(last)
    assert heard.take().decode() == added
    assert heard.take() == b""


def test_a_turn_without_an_end_fills_no_session(monkeypatch):
    monkeypatch.setattr(words, "MOST_CHARS", 10)
    heard = Words()
    heard.tell("0123456")
    assert heard.take() == b"0123456"
    heard.tell("0123456789abc")
    assert heard.take().decode() == f"789{words.CUT_NOTE}"
    heard.tell("0123456789abcdef")
    assert heard.take() == b""


def test_a_program_without_an_end_fills_no_session():
    printed = Pieces(most_bytes=5)
    for piece in (b"abc", b"def", b"ghi"):
        printed.tell(piece)
    assert printed.take() == b"abcde" + pieces.CUT_NOTE
    printed.tell(b"jkl")
    assert printed.take() == b""


# ------------------------------------------------------------------------------- a program's

SAID = {"id": SESSION, "place": 1, "title": "plans", "unread": 1}
TALKS = "import sys; print('Hello', flush=True); sys.stdin.read(); print('there', flush=True)"


@pytest.fixture
def run_program(enrolled, clock, stop):
    def start(code, **top):
        settings = enrolled(agents={"beta": {"argv": [sys.executable, "-c", code]}}, **top)
        beta = settings.agents["beta"]
        wake = Wake("w_1", 1, "beta", "main", "agent:main:main", "you have mail", 1, 0)
        return Methods(settings, clock).find(beta).run(wake, beta, Report(), stop)

    return start


def test_what_a_program_prints_is_shown_and_not_sent_again(run_program, inbox, outputs):
    inbox.add("1", session=SAID)
    assert run_program(TALKS) == Outcome("ended")
    assert (outputs.only.text, outputs.only.state) == ("Hello\nthere\n", "closed")
    assert outputs.only.asked == {"handle": "m_1.1"}
    assert inbox.settled == [("ack", "m_1.1", None, None)]


def test_a_program_is_heard_while_it_runs(run_program, inbox, outputs, tmp_path):
    inbox.add("1", session=SAID)
    gate = tmp_path / "gate"
    hello = "import os, time\nprint('Hello', flush=True)\n"
    waits = f"{hello}while not os.path.exists({str(gate)!r}): time.sleep(.01)"
    turn = threading.Thread(target=run_program, args=(waits,))
    turn.start()
    outputs.await_that(lambda shown: shown.text == "Hello\n")
    assert outputs.only.state == "open"
    gate.touch()
    turn.join(30)
    assert outputs.only.state == "closed"


@pytest.mark.parametrize(
    ("item", "top"),
    [
        ({}, {}),
        ({"session": {**SAID, "title": None}}, {}),
        ({"session": SAID}, {"wake": {"live_output": False}}),
    ],
)
def test_a_program_answers_as_ever_where_nobody_can_see_it_print(
    run_program, inbox, outputs, item, top
):
    inbox.add("1", **item)
    run_program("print('Hello')", **top)
    assert inbox.settled == [("reply", "m_1.1", "Hello\n", None)]
    assert outputs.all == []


def test_a_program_whose_output_is_refused_answers_by_a_message(run_program, inbox, outputs):
    outputs.refuse = ProblemError(404, "not_found")
    inbox.add("1", session=SAID)
    run_program("print('Hello')")
    assert inbox.settled == [("reply", "m_1.1", "Hello\n", None)]


def test_a_program_that_fails_is_seen_to_have_broken_off(run_program, inbox, outputs):
    inbox.add("1", session=SAID)
    run_program("import sys; print('Half', flush=True); sys.exit(3)")
    shown = outputs.only
    assert (shown.text, shown.state) == ("Half\n", "failed")
    assert shown.reason == "the program failed with exit status 3"


def test_a_lease_is_renewed_well_within_its_time():
    assert output.LEASE_PARTS >= 3
