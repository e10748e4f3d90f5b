"""What came of a run, and how it is told to the bus.

The state is the runtime's; what the worker says is only ever its output. It must not know how the
run was done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from watcher.methods.base import Usage

if TYPE_CHECKING:
    from watcher.runs.order import Status

MOST_OUTPUT_BYTES = 64_000  # what the bus takes of an output; the file has all of it
MOST_REASON_CHARS = 1_000


@dataclass
class Result:
    """An end. `output_bytes` is what the worker said in all, where `output` was cut."""

    status: Status
    reason: str = ""
    exit_code: int | None = None
    output: bytes = b""
    output_bytes: int = 0
    file: dict[str, Any] | None = None
    verify: dict[str, Any] | None = None
    usage: Usage = field(default=Usage())

    def fail(self, reason: str, status: Status = "failed") -> None:
        """Have it count as failed; what was wrong before stays the first reason."""
        if self.status == "completed":
            self.status = status
        self.reason = f"{self.reason}; {reason}" if self.reason else reason

    def body(self, claim: int) -> dict[str, Any]:
        """Write what the bus is told."""
        told: dict[str, Any] = {"claim": claim, "status": self.status, **self.usage.told()}
        facts = {"exit_code": self.exit_code, "file": self.file, "verify": self.verify}
        told |= {key: value for key, value in facts.items() if value is not None}
        if self.reason:
            told["reason"] = clean(self.reason.encode("utf-8", "replace"))[:MOST_REASON_CHARS]
        if self.output:
            told["output"] = clean(self.output[:MOST_OUTPUT_BYTES])
            told["output_bytes"] = max(self.output_bytes, len(self.output))
        return told


def clean(raw: bytes) -> str:
    """Make a text of bytes: a character that was cut at the end goes, and so does each NUL."""
    whole = raw.decode("utf-8", "ignore") if _ends_inside_a_character(raw) else ""
    return (whole or raw.decode("utf-8", "replace")).replace("\0", "\ufffd")


def _ends_inside_a_character(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False
