"""Mail, wakes and streams in any order of events, with crashes, held against a small model."""

from __future__ import annotations

import os
from typing import Any

import promises
import pytest
from followers import Follower, Shadow
from groundtruth import Truth, look
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from mailmodel import MOST_ATTEMPTS, Copy, Lease, MailModel
from mortalhouse import LIMITS, MortalHouse

from bus.errors import (
    BusError,
    EndedError,
    FencedError,
    InboxFullError,
    NoReplyAddressError,
    UnknownRecipientError,
)
from bus.mail import service as mail
from bus.mail.model import Draft
from bus.wakes import service as wakes

pytestmark = pytest.mark.timeout(600)
EXAMPLES = int(os.environ.get("WAKEBUS_EXAMPLES", "60"))
LEASE_MS, DAY_MS = 600_000, 86_400_000
names = st.sampled_from(["alice", "bob", "boss"])
picks = st.integers(0, 30)
recipients = st.sampled_from(
    [("alice",), ("bob",), ("bob",), ("boss",), ("alice", "bob"), ("bob", "boss"), ("team",)]
)
drafts = st.builds(
    dict,
    to=recipients,
    body=st.sampled_from(["a", "\u00fc" * 40, "b" * 300]),
    priority=st.sampled_from([2, 2, 0, 1, 3]),
    wake=st.sampled_from([True, True, False]),
    deliver_s=st.sampled_from([None, None, None, 40, 700]),
    ttl_s=st.sampled_from([None, None, 800, 3000]),
)


class MailMachine(RuleBasedStateMachine):
    """A house in which anything may happen next."""

    def __init__(self) -> None:
        super().__init__()
        self.house, self.model, self.shadow = MortalHouse(), MailModel(), Shadow()
        self.truth: Truth = look(self.house.store)
        self.keys: list[tuple[Any, ...]] = []
        self.kept = self.may_count = False
        self.sends = self.died = 0
        everyone = [self.house.node, *self.house.who.values()]
        self.followers = [Follower(who, "earliest") for who in everyone]

    def teardown(self) -> None:
        self.house.close()

    @property
    def now(self) -> int:
        return self.house.clock.now_ms()

    def draft(self, said: dict[str, Any], **more: Any) -> Draft:
        given = {name: said[name] for name in ("to", "body", "priority", "wake")}
        for name, field in (("deliver_s", "deliver_ms"), ("ttl_s", "expires_ms")):
            if said[name] is not None:
                given[field] = self.now + said[name] * 1000
        return Draft(**given, **more)

    def accept(self, sender: str, draft: Draft, answer: dict[str, Any]) -> None:
        for one in answer["deliveries"]:
            copy = Copy(
                answer["id"],
                one["to"],
                sender,
                draft.type,
                draft.body,
                draft.priority,
                answer["thread"],
                deliver_ms=draft.deliver_ms,
                held=one.get("reason", ""),
            )
            self.model.add(copy)

    # -- sending -----------------------------------------------------------------------------

    @rule(sender=names, said=st.lists(drafts, min_size=1, max_size=3), fate=st.integers(0, 6))
    def send(self, sender: str, said: list[dict[str, Any]], fate: int) -> None:
        """Send one or a batch; now and then the bus dies before or after the COMMIT."""
        mine, who = [self.draft(one) for one in said], self.house.who[sender]
        self.sends += 1
        batch = len(mine) > 1
        key = mail.Key(who.id, "send", f"k{self.sends}", repr(mine))

        def operation(tx: Any) -> Any:
            return mail.send(tx, who, mine, batch=batch, key=key)

        try:
            if fate == 0:
                self.house.kill_during(operation, torn=0.6)
            elif fate == 1:
                self.house.write(operation)
                self.house.kill()
            answer = self.house.write(operation)
        except (InboxFullError, UnknownRecipientError):
            most = sum(len(self.meant(sender, [draft])) for draft in mine)
            crowded = self.crowded(len(mine)) & self.meant(sender, mine)
            assert crowded or self.keeps_much_back(sender, most)
            return
        assert answer["deduplicated"] == (fate == 1), "an answer was lost, and its mail twice"
        for draft, one in zip(mine, answer["messages"] if batch else [answer], strict=True):
            if sender == "boss":
                self.hear_boss(one["thread"], self.meant(sender, [draft]))
            self.accept(sender, draft, one)
        self.keys.append((who, mine, key, answer, self.now))

    def crowded(self, more: int) -> set[str]:
        """Name those whose inbox may have no room for so many more."""
        # A thread that is held on the way is told to boss, whose inbox takes that too.
        return {
            name
            for name in self.house.who
            if len(self.model.readable(name)) + more + (name == "boss") > LIMITS["max_inbox"]
        }

    def keeps_much_back(self, sender: str, more: int) -> bool:
        """Say whether so many more of a sender's messages may be too many to hold."""
        held = [one for one in self.model.copies.values() if one.sender == sender and one.held]
        return len([one for one in held if not one.ended]) + more > LIMITS["max_inbox"]

    @staticmethod
    def meant(sender: str, drafts: list[Draft]) -> set[str]:
        """Name those for whom some messages are; a group leaves its own sender out."""
        named = {name for draft in drafts for name in draft.to}
        group = {"alice", "bob", "boss"} - {sender} if "team" in named else set()
        return (named - {"team"}) | group

    @precondition(lambda self: self.keys)
    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        who, mine, key, answer, _ = self.keys[pick % len(self.keys)]
        again = self.house.write(lambda tx: mail.send(tx, who, mine, batch=len(mine) > 1, key=key))
        assert again == {**answer, "deduplicated": True}

    # -- reading and settling ----------------------------------------------------------------

    @rule(
        name=names,
        limit=st.sampled_from([20, 1, 2]),
        most=st.sampled_from([65_536, 1, 320]),
        keeper_late=st.sampled_from([0, 0, 0, 601]),
    )
    def read(self, name: str, limit: int, most: int, keeper_late: int) -> None:
        self.house.clock.advance(keeper_late)
        turn, me = self.truth.turn(name), self.house.who[name].participant_id
        assert me is not None
        ask = mail.Ask(limit, most)
        page = self.house.write(lambda tx: mail.read_inbox(tx, me, ask))
        shown = self.expect(name, turn, limit, most)
        assert [item.handle for item in page.items] == shown
        assert page.more == len(self.model.readable(name)) - len(shown) - self.died

    def expect(self, name: str, turn: str | None, limit: int, most: int) -> list[str]:
        """Say which handles a reader gets: urgent first, then oldest, as far as they fit."""
        rows = self.truth.deliveries
        waiting = sorted(
            self.model.readable(name), key=lambda one: (one.priority, rows[one.key].seq)
        )
        shown, left, self.died = [], most, 0
        for copy in waiting[:limit]:
            size = len(copy.body.encode())
            if shown and size > left:
                break
            again = copy.lease is not None and copy.lease.holds(self.now, turn)
            if copy.lease is not None and not again:
                self.may_count = True
                if copy.failed + 1 >= MOST_ATTEMPTS:
                    self.died += 1
                    continue
            if not again:
                copy.attempt += 1
            leased_in = (copy.lease.turn or turn) if again and copy.lease else turn
            copy.lease = Lease(self.now + LEASE_MS, leased_in)
            shown.append(f"{copy.message}.{copy.attempt}")
            left -= len(copy.body.encode()[:left].decode(errors="ignore").encode())
        return shown

    def choose(self, pick: int, stale: int) -> tuple[Copy, int]:
        """Choose a handle that was once given, the newest of its item or an older one."""
        copies = self.model.handed_out()
        copy = copies[pick % len(copies)]
        return copy, max(1, copy.attempt - stale)

    def settle(self, copy: Copy, attempt: int, verb: Any, *more: Any) -> str:
        """Run a verb on one handle."""
        who, handle = self.house.who[copy.to], f"{copy.message}.{attempt}"
        results = self.house.write(lambda tx: verb(tx, who, [handle], *more))
        return str(results[0]["result"])

    @precondition(lambda self: self.model.handed_out())
    @rule(pick=picks, stale=st.sampled_from([0, 0, 0, 1, 2]))
    def ack(self, pick: int, stale: int) -> None:
        copy, attempt = self.choose(pick, stale)
        expected = copy.judge(attempt)
        assert self.settle(copy, attempt, mail.ack) == expected
        if expected == "acked":
            copy.ended, copy.ended_ms, copy.lease = "acked", self.now, None

    @precondition(lambda self: self.model.handed_out())
    @rule(
        pick=picks,
        stale=st.sampled_from([0, 0, 1]),
        mode=st.sampled_from(["silent", "fail", "fatal"]),
    )
    def release(self, pick: int, stale: int, mode: str) -> None:
        copy, attempt = self.choose(pick, stale)
        expected = copy.judge(attempt)
        result = self.settle(copy, attempt, mail.release, mode, "enough")
        if expected != "acked":
            assert result == expected
        elif copy.lease is None:
            assert result == "already"
        else:
            fatal = mode == "fatal" or (mode == "fail" and copy.failed + 1 >= MOST_ATTEMPTS)
            assert result == ("dead" if fatal else "released")
            copy.lease, self.may_count = None, mode == "fail"

    @precondition(lambda self: self.model.handed_out())
    @rule(pick=picks, stale=st.sampled_from([0, 0, 1]), lease_s=st.sampled_from([5, 2000]))
    def extend(self, pick: int, stale: int, lease_s: int) -> None:
        copy, attempt = self.choose(pick, stale)
        expected = copy.judge(attempt)
        result = self.settle(copy, attempt, mail.extend, lease_s)
        if expected == "acked":
            expected = "extended" if copy.lease else "fenced"
        assert result == expected
        if result == "extended" and copy.lease:
            copy.lease.until_ms = self.now + lease_s * 1000

    @precondition(lambda self: self.model.handed_out())
    @rule(
        pick=picks,
        stale=st.sampled_from([0, 0, 1]),
        body=st.sampled_from(["done", "more"]),
        acks=st.booleans(),
    )
    def reply(self, pick: int, stale: int, body: str, acks: bool) -> None:
        copy, attempt = self.choose(pick, stale)
        who, handle = self.house.who[copy.to], f"{copy.message}.{attempt}"
        draft = Draft(to=(), body=body, type="REPLY", reply_expected=False)
        refusal = self.why_no_reply(copy, attempt, body, acks)
        try:
            answer = self.house.write(
                lambda tx: mail.reply(tx, who, handle, draft, acks=acks, unless_replied=False)
            )
        except BusError as error:
            if type(error) is not refusal:
                raise
            return
        assert refusal is None
        known = (copy.message, copy.to, body)
        assert answer["deduplicated"] == (known in self.model.replies)
        if acks and not copy.ended:
            copy.ended, copy.ended_ms, copy.lease = "acked", self.now, None
        if known not in self.model.replies:
            self.take_reply(copy, answer["id"], body)
        assert answer["id"] == self.model.replies[known]

    def why_no_reply(
        self, copy: Copy, attempt: int, body: str, acks: bool
    ) -> type[BusError] | None:
        """Say with which error a reply is refused, if it is."""
        if copy.sender is None:
            return NoReplyAddressError
        worth = {"fenced": FencedError, "ended": EndedError}.get(copy.judge(attempt))
        if acks and worth:
            return worth
        known = (copy.message, copy.to, body) in self.model.replies
        full = len(self.model.readable(copy.sender)) >= LIMITS["max_inbox"]
        return InboxFullError if copy.replied and full and not known else None

    def take_reply(self, copy: Copy, message: str, body: str) -> None:
        """Take a new reply in; whether it is held its ladder says."""
        assert copy.sender is not None
        row = look(self.house.store).deliveries[message, copy.sender]
        held = row.reason if row.state == "held" else ""
        if copy.to == "boss":
            self.hear_boss(row.thread, {copy.sender})
        self.model.add(Copy(message, copy.sender, copy.to, "REPLY", body, 2, row.thread, held=held))
        self.model.replies[copy.message, copy.to, body] = message
        copy.replied = True

    # -- threads, wakes, time ----------------------------------------------------------------

    def hear_boss(self, thread: str, readers: set[str]) -> None:
        """Hear that a person wrote: it lets go the thread, and all that its readers are part of."""
        held = [one for one in self.model.copies.values() if one.held.startswith("guard")]
        theirs = {one.thread for one in held if readers & {one.sender, one.to}}
        for each in {thread, *theirs}:
            self.let_go(each)

    def let_go(self, thread: str) -> None:
        """Hear that a thread was released: only a schedule holds its mail now."""
        for one in self.model.copies.values():
            if one.thread == thread and one.held.startswith("guard"):
                one.held = "scheduled for then" if (one.deliver_ms or 0) > self.now else ""

    @precondition(lambda self: self.truth.holds)
    @rule(pick=picks)
    def release_thread(self, pick: int) -> None:
        thread = sorted(self.truth.holds)[pick % len(self.truth.holds)]
        self.house.write(lambda tx: mail.release_thread(tx, thread))
        self.let_go(thread)

    @precondition(lambda self: self.truth.wakes)
    @rule(
        pick=st.sampled_from([-1, -1, -1, -2, -3]),
        state=st.sampled_from(
            [
                *["received", "received", "admitted", "admitted", "requested", "alive"],
                *["ended", "failed", "no_turn", "unknown_agent"],
            ]
        ),
    )
    def watch(self, pick: int, state: str) -> None:
        """Report on a wake, as a watcher would or as a confused one might."""
        ids = sorted(self.truth.wakes, key=lambda one: (self.truth.wakes[one].asked_ms, one))
        wake = self.truth.wakes[ids[max(pick, -len(ids))]]
        said = {"state": state, "reason": "so it is", "turn_id": f"r-{wake.id}"}
        if state == "unknown_agent":
            said |= {"state": "no_turn", "permanent": True}
        was_turn = state == "failed" or (state == "no_turn" and wake.read_ms is not None)
        self.may_count = (state == "ended" or was_turn) and not wake.closed_ms
        try:
            answer = self.house.write(lambda tx: wakes.report(tx, self.house.node, wake.id, said))
        except FencedError:
            assert wake.closed_ms, "an open wake is fenced"
            return
        if wake.closed_ms:
            assert not answer["open"]
        elif state == "received":
            called = wake.state == "requested"
            assert answer["go"] or called or not self.truth.waiting(wake.to_name)
            if answer["go"]:
                assert answer["pending"]["total"] == len(self.truth.waiting(wake.to_name))
        elif state == "alive":
            self.model.extend_turn(wake.id, self.now + LEASE_MS)
        elif was_turn:
            self.model.drop_turn(wake.id)

    @rule(seconds=st.sampled_from([1, 31, 95, 125, 601, 901]))
    def pass_time(self, seconds: int) -> None:
        self.house.clock.advance(seconds)
        self.keep()

    @rule(seconds=st.sampled_from([0, 0, 0, 3700, 7300, 90_000]))
    def clean(self, seconds: int) -> None:
        """Let much time pass, and remove what is past its retention."""
        self.house.clock.advance(seconds)
        self.keep()
        self.house.clean()
        self.keys = [one for one in self.keys if self.now - one[-1] <= DAY_MS]

    def keep(self) -> None:
        self.house.keep()
        self.model.drop_leases(self.now)
        self.kept = self.may_count = True
        for one in self.model.copies.values():
            if one.held.startswith("scheduled") and (one.deliver_ms or 0) <= self.now:
                row = look(self.house.store).deliveries.get(one.key)
                one.held = row.reason if row is not None and row.state == "held" else ""

    # -- streams and crashes -----------------------------------------------------------------

    @rule(pick=picks, place=st.sampled_from(["", "", "", "", "now", "earliest"]))
    def follow(self, pick: int, place: str) -> None:
        one = self.followers[pick % len(self.followers)]
        if place:
            one.cursor, one.seen = place, []
        one.read(self.house.store)
        self.shadow.follow(look(self.house.store))
        one.check(self.shadow)

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        (self.house.restart if clean else self.house.kill)()

    @invariant()
    def every_promise_holds(self) -> None:
        self.truth = truth = look(self.house.store)
        failed = {key: copy.failed for key, copy in self.model.copies.items()}
        promises.take_in_notes(self.model, truth)
        promises.nothing_is_lost(self.model, truth, self.now - LIMITS["retention_s"] * 1000)
        promises.each_is_in_one_state(self.model, truth, self.now)
        promises.each_failure_is_told_once(self.model)
        promises.a_place_in_the_log_is_given_once(truth)
        promises.mail_that_waits_has_a_wake(truth)
        promises.counts_are_true(self.house, truth)
        if self.kept:
            promises.all_that_was_due_is_done(truth, self.now)
        if not self.may_count:
            counted = {key: one.failed for key, one in self.model.copies.items() if key in failed}
            assert counted == {key: failed[key] for key in counted}, "an attempt that was none"
        self.kept = self.may_count = False
        self.shadow.follow(truth)


TestMail = MailMachine.TestCase
TestMail.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    # To shorten a history that fails takes longer than a test may: it is told as it was.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
