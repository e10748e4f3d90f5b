"""Any order of words, pages, comings and deaths leaves one history that each reads once."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mortalhouse import MortalHouse

from bus.errors import BusError
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.sessions import service
from bus.sessions.model import MESSAGE, Page, Word
from bus.store.log import read_between

NAMES = ("alice", "bob", "boss")
AGENTS = ("alice", "bob")
WHO, AGENT = st.sampled_from(NAMES), st.sampled_from(AGENTS)
WAKES = st.sampled_from(["mention", "turn", "always"])


class TalkMachine(RuleBasedStateMachine):
    """A session of two agents and a person, and what each of them must see of it."""

    @initialize()
    def begin(self):
        self.house = MortalHouse()
        invited = [service.Invited(name, "always") for name in ("alice", "bob")]
        made = self.house.write(
            lambda tx: service.create(tx, self.house.who["boss"], "talk", invited, None)
        )
        self.session = made["session_id"]
        self.said: list[str] = []
        self.inside = set(NAMES)
        self.heard: dict[str, list[int]] = {name: [] for name in NAMES}
        self.cursors = dict.fromkeys(NAMES, 0)
        self.read: dict[str, list[int]] = {name: [] for name in NAMES}
        self.skipped: dict[str, set[int]] = {name: set() for name in NAMES}
        self.numbers = iter(range(10_000))

    def note(self, body: str, by: str = "") -> None:
        """Take what was said into the model: the author's cursor goes along, all in it hear it."""
        self.said.append(body)
        place = len(self.said)
        if by and self.cursors[by] == place - 1:
            self.cursors[by] = place
            self.skipped[by].add(place)  # one's own word is not read again
        for name in self.inside:
            self.heard[name].append(place)

    def fresh(self) -> str:
        return f"word {next(self.numbers)}"

    def say(self, tx, who, body):
        word = Word(MESSAGE, body, trust="peer")
        return service.say(tx, self.house.who[who], self.session, word, None)

    @rule(who=WHO)
    def speak(self, who):
        body = self.fresh()
        try:
            place = self.house.write(lambda tx: self.say(tx, who, body))["place"]
        except BusError:
            assert who not in self.inside
            return
        assert who in self.inside
        self.note(body, who)
        assert place == len(self.said)

    @precondition(lambda self: "boss" in self.inside)
    @rule(torn=st.floats(0, 1))
    def die_while_speaking(self, torn):
        """What was never committed is not there, nor its place."""
        self.house.kill_during(lambda tx: self.say(tx, "boss", self.fresh()), torn)

    @rule(who=WHO, limit=st.integers(1, 4), is_lost=st.booleans())
    def read_on(self, who, limit, is_lost):
        """Read a page behind the cursor; a lost answer is read again."""
        if who not in self.inside:
            return
        page = self.page(who, Page(limit, after=self.cursors[who]))
        if is_lost or not page:
            return
        self.read[who] += [entry["place"] for entry in page]
        self.move(who, page[-1]["place"])

    @rule(who=WHO, ahead=st.integers(-3, 3))
    def jump(self, who, ahead):
        """Take what was not read as read, or try to go back."""
        place = self.cursors[who] + ahead
        if who in self.inside and 0 <= place <= len(self.said):
            self.skipped[who] |= set(range(self.cursors[who] + 1, place + 1))
            self.move(who, place)

    def move(self, who, place):
        me = self.house.who[who]
        answer = self.house.write(lambda tx: service.move_cursor(tx, me, self.session, place))
        self.cursors[who] = max(self.cursors[who], place)
        assert answer["cursor"] == self.cursors[who]

    def page(self, who, page):
        with self.house.store.read() as conn:
            me = self.house.who[who]
            return service.show_page(conn, me, self.session, page)["entries"]

    @rule(agent=AGENT, times=st.integers(1, 2))
    def answer(self, agent, times):
        """Answer by a handle what a session told, perhaps twice: it is said once."""
        me, body = self.house.who[agent], self.fresh()
        ask = mail.Ask(limit=1)
        items = self.house.write(lambda tx: mail.read_inbox(tx, me.participant_id, ask)).items
        if not items:
            return
        draft, handle = Draft(to=(), body=body), items[0].handle
        key = items[0].row.reply_key
        if key is None:  # a word of the bus itself: what it held, or that something waits
            self.house.write(lambda tx: mail.ack(tx, me, [handle]))
            return
        for at in range(times):
            answer = self.house.write(
                lambda tx: mail.reply(tx, me, handle, draft, acks=True, unless_replied=False)
            )
            if at == 0 and answer["status"] == "accepted":
                assert agent in self.inside
                self.catch_up(agent, int(key.split()[2]))
                self.note(body, agent)
            elif at == 0:
                assert agent not in self.inside

    def catch_up(self, agent, place):
        """What was answered was read, where nothing before was unread."""
        if self.cursors[agent] == place - 1:
            self.cursors[agent] = place
            self.skipped[agent].add(place)

    @rule(who=WHO)
    def leave(self, who):
        if who not in self.inside or len(self.inside) == 1:
            return
        me = self.house.who[who]
        self.house.write(lambda tx: service.leave(tx, me, self.session, "me"))
        self.inside.discard(who)
        self.note(f"{who} left")

    @rule(who=WHO, by=WHO, wake=WAKES)
    def invite(self, who, by, wake):
        if by not in self.inside or who in self.inside:
            return
        invited = [service.Invited(who, wake if who in AGENTS else None)]
        me = self.house.who[by]
        self.house.write(lambda tx: service.invite(tx, me, self.session, invited))
        self.inside.add(who)
        self.note(f"{by} invited {who}", by)

    @rule(how=st.sampled_from(["restart", "kill"]), seconds=st.integers(0, 120))
    def live_on(self, how, seconds):
        self.house.clock.advance(seconds)
        getattr(self.house, how)()
        self.house.keep()

    @invariant()
    def one_history_without_gaps(self):
        if not hasattr(self, "house"):
            return
        for who in self.inside:
            page = self.page(who, Page(10_000))
            assert [entry["place"] for entry in page] == [*range(1, len(self.said) + 1)]
            assert [entry["body"] for entry in page] == self.said
            with self.house.store.read() as conn:
                shown = service.show(conn, self.house.who[who], self.session)
            assert shown["cursor"] == self.cursors[who]
            assert shown["unread"] == len(self.said) - self.cursors[who]

    @invariant()
    def each_entry_is_read_once(self):
        if not hasattr(self, "house"):
            return
        for who in NAMES:
            read = self.read[who]
            assert read == sorted(set(read))
            assert set(read) | self.skipped[who] == set(range(1, self.cursors[who] + 1))

    def teardown(self):
        if not hasattr(self, "house"):
            return
        with self.house.store.read() as conn:
            rows = [row for row in read_between(conn, 0, 10**9, []) if row.kind == "entry"]
            me = {name: self.house.who[name].participant_id for name in NAMES}
        for name in NAMES:
            told = [json.loads(row.text) for row in rows if row.participant_id == me[name]]
            assert [one["place"] for one in told] == self.heard[name]
        with suppress(OSError):
            self.house.close()


TestTalk = TalkMachine.TestCase
TestTalk.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
