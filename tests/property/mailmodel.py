"""What mail promises, without a database: which copies there are and what a reader may get."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_ATTEMPTS = 5
ENDS = ("acked", "expired", "refused", "cancelled", "dead")


@dataclass
class Lease:
    """One attempt that was handed out and still counts."""

    until_ms: int
    turn: str | None

    def holds(self, now_ms: int, turn: str | None) -> bool:
        """Say whether reading again shows the same handle."""
        return self.until_ms > now_ms and (self.turn is None or turn in {None, self.turn})


@dataclass
class Copy:
    """One recipient's copy of a message, as the promise has it."""

    message: str
    to: str
    sender: str | None
    type: str
    body: str
    priority: int
    thread: str
    answers: str | None = None
    deliver_ms: int | None = None
    held: str = ""
    attempt: int = 0
    failed: int = 0
    lease: Lease | None = None
    ended: str = ""
    ended_ms: int = 0
    replied: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.message, self.to

    def judge(self, attempt: int) -> str:
        """Say what an ack of an attempt is worth."""
        if self.ended:
            return "already" if self.ended == "acked" else "ended"
        return "acked" if attempt == self.attempt else "fenced"


@dataclass
class MailModel:
    """Every copy that was ever accepted and not yet removed by its retention."""

    copies: dict[tuple[str, str], Copy] = field(default_factory=dict)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often the sender of a copy heard of its end."""
    noted: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often the sender of a copy heard that it still waits."""
    replies: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, copy: Copy) -> None:
        assert copy.key not in self.copies
        self.copies[copy.key] = copy
        if copy.sender is None:
            self._hear(copy)

    def _hear(self, note: Copy) -> None:
        """Count a system message for the one copy that it is about."""
        if note.type in {"GUARD", "WARNING"}:
            return
        about = [
            one.key
            for one in self.copies.values()
            if one.message == note.answers and f"to {one.to} " in note.body
        ]
        assert len(about) == 1, note
        assert self.copies[about[0]].sender == note.to, note
        counts = {"FAILURE": self.told, "DELAYED": self.noted}[note.type]
        counts[about[0]] = counts.get(about[0], 0) + 1

    def open_of(self, name: str) -> list[Copy]:
        return [one for one in self.copies.values() if one.to == name and not one.ended]

    def readable(self, name: str) -> list[Copy]:
        return [one for one in self.open_of(name) if not one.held]

    def handed_out(self) -> list[Copy]:
        """List the copies of which some handle was ever given."""
        return [one for one in self.copies.values() if one.attempt]

    def drop_leases(self, now_ms: int) -> None:
        """Hear that the keeper has looked: a lease that is over is no lease."""
        for one in self.copies.values():
            if one.lease and one.lease.until_ms <= now_ms:
                one.lease = None

    def drop_turn(self, turn: str) -> None:
        """Hear that a turn failed: what it had read is nobody's."""
        for one in self.copies.values():
            if one.lease and one.lease.turn == turn:
                one.lease = None

    def extend_turn(self, turn: str, until_ms: int) -> None:
        """Hear that a turn lives."""
        for one in self.copies.values():
            if one.lease and one.lease.turn == turn:
                one.lease.until_ms = until_ms
