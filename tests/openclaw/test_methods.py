"""Each wake method against the real OpenClaw: what it reports is what OpenClaw did.

A test that leaves a session otherwise than at rest (a turn failed, aborted, killed) has an agent of
its own: what OpenClaw still does in that session afterwards is no other test's matter.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field

import pytest
from realopenclaw import START_LIMIT_S, WAIT_S, await_that

from watcher import gatewayturns
from watcher.gatewayverdict import SILENT_END
from watcher.methods.auto import Auto
from watcher.methods.base import Outcome, Wake
from watcher.methods.command import Command
from watcher.methods.gateway import Gateway
from watcher.methods.hook import Hook
from watcher.settings import AgentSettings, Folder, OpenClawSettings, Settings

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(900)]


@dataclass
class Notes:
    """Writes down what a method reports."""

    admitted_turns: list[str] = field(default_factory=list)
    alive_count: int = 0
    is_admitted: threading.Event = field(default_factory=threading.Event)

    def admitted(self, turn_id: str) -> None:
        self.admitted_turns.append(turn_id)
        self.is_admitted.set()

    def alive(self) -> None:
        self.alive_count += 1


@dataclass
class Turn:
    """A method's run on a thread of its own."""

    method: object
    wake: Wake
    agent: AgentSettings
    notes: Notes = field(default_factory=Notes)
    stop: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None

    def start(self) -> Turn:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self) -> None:
        self.outcome = self.method.run(self.wake, self.agent, self.notes, self.stop)

    def join(self, timeout_s: float = 2 * WAIT_S) -> Outcome:
        self.thread.join(timeout_s)
        assert self.outcome is not None, "the turn did not come to an end"
        return self.outcome


@pytest.fixture(scope="module")
def settings(openclaw):
    argv = (str(_find(openclaw, "openclaw")),)
    return Settings(
        folder=Folder(openclaw.folder),
        url="http://127.0.0.1:1",
        node="n1",
        openclaw=OpenClawSettings(config=openclaw.config, argv=argv),
    )


def _find(openclaw, program):
    for folder in openclaw.env["PATH"].split(":"):
        if (path := openclaw.home / folder / program).exists():
            return path
    raise AssertionError(program)


@pytest.fixture(autouse=True)
def speaks(openclaw):
    """Have the model answer at once, as long as the test says nothing else."""
    openclaw.say("Done.")


@pytest.fixture(scope="module")
def gateway(settings):
    method = Gateway(settings)
    yield method
    method.close()


@pytest.fixture
def start(openclaw, settings):
    """Start a turn: `start(method, "steady", limit_s=…)`."""
    stops = []

    def begin(method, name, *, limit_s=WAIT_S, turn_id=None, text=None):
        agent = AgentSettings(
            name=name,
            local_agent=name,
            limit_s=limit_s,
            env=openclaw.env,
        )
        wake = Wake(
            wake_id=f"w_{uuid.uuid4().hex[:26]}",
            generation=1,
            agent=name,
            local_agent=name,
            session_key=f"agent:{name}:main",
            text=text or f"You have mail, {name}.",
            pending_total=1,
            pending_urgent=0,
            turn_id=turn_id,
        )
        turn = Turn(method, wake, agent).start()
        stops.append(turn.stop)
        return turn

    yield begin
    for stop in stops:
        stop.set()


# ------------------------------------------------------------------------------- gateway


def test_it_reports_a_turn_from_its_admission_to_its_end(openclaw, gateway, start):
    since = openclaw.model_seq()
    turn = start(gateway, "steady", text="Mail for you: exactly this text.")
    assert turn.join() == Outcome("ended")
    used = turn.outcome.usage
    assert (used.tokens_in, used.tokens_out, used.cost_usd) == (10, 5, 0.0)  # the lab's model's
    assert turn.notes.admitted_turns == [turn.wake.wake_id]
    assert (
        "exactly this text" in openclaw.await_model("exactly this text", since=since)["last_user"]
    )


def test_it_buys_no_second_turn_for_the_same_wake(openclaw, gateway, start):
    first = start(gateway, "steady", text="Only once, please.")
    first.join()
    since = openclaw.model_seq()
    again = Turn(gateway, first.wake, first.agent).start()
    assert again.join() == Outcome("ended")
    assert [r for r in openclaw.model_log(since) if "Only once" in r["last_user"]] == []


def test_it_follows_a_turn_that_an_earlier_watcher_started(openclaw, gateway, start, settings):
    openclaw.say("Done.", delay_s=8)
    first = start(gateway, "followed")
    assert first.notes.is_admitted.wait(WAIT_S)
    first.stop.set()
    assert first.join() == Outcome("left")
    later = Gateway(settings)
    turn = start(later, "followed", turn_id=first.wake.wake_id)
    assert turn.join() == Outcome("ended")
    assert turn.notes.admitted_turns == []
    later.close()


def test_it_reports_a_model_error_as_a_failed_turn(openclaw, gateway, start):
    openclaw.set_behaviour({"default": {"steps": [{"http_status": 400, "text": "no such thing"}]}})
    outcome = start(gateway, "broken").join()
    assert outcome.state == "failed"
    assert "LLM request failed" in outcome.reason


def test_it_reports_a_turn_that_ended_silently_as_ended_and_says_so(openclaw, gateway, start):
    openclaw.say("NO_REPLY")
    assert start(gateway, "silent").join() == Outcome("ended", SILENT_END)


def test_it_says_at_once_that_openclaw_has_no_such_agent(gateway, start):
    outcome = start(gateway, "nosuch").join()
    assert (outcome.state, outcome.permanent) == ("no_turn", True)
    assert "nosuch" in outcome.reason


def test_it_probes_without_waking_anyone(openclaw, gateway, settings):
    since = openclaw.model_seq()
    assert gateway.probe(AgentSettings("probed")).works
    unknown = gateway.probe(AgentSettings("nosuch"))
    assert not unknown.works
    assert "nosuch" in unknown.why
    assert "probed-model" not in {record["model"] for record in openclaw.model_log(since)}


def test_it_does_not_count_the_time_behind_a_busy_session(openclaw, gateway, start):
    slow = {"match": "Take your time", "steps": [{"text": "Done.", "delay": 25}]}
    openclaw.set_behaviour({"rules": [slow], "default": {"steps": [{"text": "Done."}]}})
    first = start(gateway, "patient", text="Take your time.")
    openclaw.await_model("Take your time.")
    second = start(gateway, "patient", text="And then this.", limit_s=20)
    assert second.join() == Outcome("ended")
    assert first.join() == Outcome("ended")


def test_it_aborts_a_turn_at_its_limit(openclaw, gateway, start):
    openclaw.say("Far too late.", delay_s=600)
    turn = start(gateway, "late", limit_s=3)
    assert turn.join() == Outcome("failed", "turn limit 3 s")
    openclaw.say("Free again.")
    outcome = await_that(
        lambda: (one := start(gateway, "late").join()).state != "no_turn" and one,
        "the session of an aborted turn is never free again",
    )
    assert outcome == Outcome("ended")


def test_it_says_that_a_turn_was_stopped_by_someone_else(openclaw, gateway, start):
    openclaw.say("Too late.", delay_s=600)
    turn = start(gateway, "stopped")
    openclaw.await_model("You have mail, stopped.")
    run = {"sessionKey": "agent:stopped:main", "runId": turn.wake.wake_id}
    gateway.turns.link.call("chat.abort", run, timeout_s=60)
    assert turn.join() == Outcome("failed", "the turn was stopped in OpenClaw (rpc)")


def test_it_refuses_a_wrong_token_with_a_reason(openclaw, settings, start, tmp_path):
    config = tmp_path / "openclaw.json"
    config.write_text(openclaw.config.read_text().replace(openclaw.gateway_token, "wrong"))
    wrong = OpenClawSettings(config=config)
    method = Gateway(Settings(Folder(tmp_path), "http://127.0.0.1:1", "n1", openclaw=wrong))
    outcome = start(method, "steady").join()
    assert outcome.state == "no_turn"
    assert "refuses us" in outcome.reason
    assert "wrong" not in outcome.reason


# ------------------------------------------------------------------------------- hook


def test_a_mapped_hook_is_an_admitted_turn_whose_end_is_not_seen(openclaw, settings, start):
    openclaw.warm_hooks("warm")
    since = openclaw.model_seq()
    turn = start(Hook(settings), "hooked", text="By the mapped hook.")
    assert turn.join() == Outcome("requested")
    assert len(turn.notes.admitted_turns) == 1
    openclaw.await_model("By the mapped hook.", since=since)


def test_the_wake_hook_is_used_where_nothing_is_mapped(openclaw, settings, start, tmp_path):
    method = Hook(_without_mappings(openclaw, settings, tmp_path))
    since = openclaw.model_seq()
    turn = start(method, "heard", text="By the wake hook.")
    assert turn.join() == Outcome("requested")
    assert turn.notes.admitted_turns == []
    openclaw.await_model("By the wake hook.", since=since)


def test_the_wake_hook_knows_an_absent_agent(openclaw, settings, start, tmp_path):
    outcome = start(Hook(_without_mappings(openclaw, settings, tmp_path)), "nosuch").join()
    assert outcome == Outcome("no_turn", 'OpenClaw: unknown agentId "nosuch"', permanent=True)


def _without_mappings(openclaw, settings, tmp_path):
    config = tmp_path / "openclaw.json"
    config.write_text(openclaw.config.read_text().replace('"mappings"', '"mappings-not"'))
    return Settings(
        settings.folder, settings.url, settings.node, openclaw=OpenClawSettings(config=config)
    )


# ------------------------------------------------------------------------------- command, auto


def test_the_command_of_this_release_wakes_the_named_agent(openclaw, settings, start):
    since = openclaw.model_seq()
    turn = start(Command(settings), "commanded", text="By the command line.")
    assert turn.join() == Outcome("requested")
    openclaw.await_model("By the command line.", since=since)


def test_the_command_knows_an_absent_agent(settings, start):
    outcome = start(Command(settings), "nosuch").join()
    assert (outcome.state, outcome.permanent) == ("no_turn", True)
    assert "nosuch" in outcome.reason


def test_auto_takes_the_gateway_where_it_answers(settings, gateway):
    auto = Auto([gateway, Hook(settings), Command(settings)])
    name, why = auto.choice(AgentSettings("steady"))
    assert name == "gateway"
    assert "the turn's end can be seen" in why


# ------------------------------------------------------------------------------- the gateway dies


def test_a_turn_that_a_restart_killed_is_reported_as_failed(openclaw, gateway, start, monkeypatch):
    monkeypatch.setattr(gatewayturns, "RETURN_S", START_LIMIT_S)
    openclaw.say("Never said.", delay_s=600)
    turn = start(gateway, "killed", text="A turn that will be killed.")
    openclaw.await_model("A turn that will be killed.")
    openclaw.kill()
    openclaw.say("Done.")
    openclaw.up()
    outcome = turn.join()
    assert outcome.state == "failed"
    assert "restart" in outcome.reason
    assert start(gateway, "steady").join() == Outcome("ended")


def test_no_turn_comes_of_a_gateway_that_is_down(openclaw, gateway, settings, start):
    openclaw.kill()
    outcome = start(gateway, "steady").join()
    assert (outcome.state, outcome.permanent) == ("no_turn", False)
    assert "no gateway at" in outcome.reason
    assert start(Hook(settings), "steady").join().state == "no_turn"
    auto = Auto([gateway, Hook(settings), Command(settings)])
    assert start(auto, "steady").join() == outcome
    openclaw.up()
    await_that(
        lambda: auto.choice(AgentSettings("steady"))[0] == "gateway",
        "the gateway is not chosen again",
    )
    assert start(auto, "steady").join() == Outcome("ended")
