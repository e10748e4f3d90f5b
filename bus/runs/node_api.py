"""The routes of runs for a node, each with the worker's own token: claim, keep alive, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from bus.guard.model import MOST_TOKENS, MOST_USD
from bus.mail import service as mail
from bus.runs import rules, service
from bus.runs.model import Outcome
from bus.web.calls import Calls
from bus.web.request import read_json
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from bus.access.model import Principal

calls = Calls("runs of a node")
NODES = ("agent",)
Word = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[ -~]*$")]
"""What a watcher names: printable ASCII, since it stands in logs and ladders."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Code = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]


class ClaimBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who claims, and where the worker's files are there."""

    instance: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
    workspace: str = ""


class AliveBody(msgspec.Struct, forbid_unknown_fields=True):
    """A heartbeat of a claimed run."""

    claim: int
    turn_id: Word = ""
    session_key: Word = ""


class RunFile(msgspec.Struct, forbid_unknown_fields=True):
    """The file that a run wrote, as its watcher found it."""

    path: Annotated[str, msgspec.Meta(max_length=1000)]
    size: Count
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    written_by: Literal["worker", "watcher"]


class RunCheck(msgspec.Struct, forbid_unknown_fields=True):
    """What the check said that the node's settings name."""

    name: Annotated[str, msgspec.Meta(pattern=rf"^{rules.LABEL.pattern}$")]
    exit_code: Code
    output: str = ""


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a run came to, as its runtime says."""

    claim: int
    status: Literal["completed", "failed", "timed_out", "cancelled"]
    exit_code: Code | None = None
    reason: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    output: str = ""
    output_bytes: Count | None = None
    file: RunFile | None = None
    verify: RunCheck | None = None
    tokens_in: Tokens | None = None
    tokens_out: Tokens | None = None
    cost_usd: Annotated[float, msgspec.Meta(ge=0, le=MOST_USD)] | None = None


@calls.add(
    "POST",
    "/api/runs/<run_id>/claim",
    who=NODES,
    summary="Claim a run to do it",
    body=ClaimBody,
    is_told=True,
)
def claim(principal: Principal, run_id: str) -> dict[str, Any]:
    body = read_json(ClaimBody)
    workspace = rules.read_workspace(body.workspace)
    return runtime().store.write(
        lambda tx: service.claim(tx, principal, run_id, body.instance, workspace), principal.id
    )


@calls.add(
    "POST",
    "/api/runs/<run_id>/alive",
    who=NODES,
    summary="Keep a claimed run",
    body=AliveBody,
    is_told=True,
)
def alive(principal: Principal, run_id: str) -> dict[str, Any]:
    body = read_json(AliveBody)
    turn = {"turn_id": body.turn_id, "session_key": body.session_key}
    return runtime().store.write(
        lambda tx: service.keep_alive(tx, principal, run_id, body.claim, turn),
        principal.id,
    )


@calls.add(
    "POST",
    "/api/runs/<run_id>/end",
    who=NODES,
    summary="Say what a run came to",
    body=EndBody,
    is_told=True,
)
def end(principal: Principal, run_id: str) -> dict[str, Any]:
    body = read_json(EndBody)
    said = outcome_of(body)
    return runtime().store.write(
        lambda tx: service.end(tx, principal, run_id, body.claim, said), principal.id
    )


def outcome_of(body: EndBody) -> Outcome:
    """Read an end; what is too long is cut, since a result must not be lost for its length."""
    output = mail.harmless(body.output)
    facts: dict[str, Any] = {"exit_code": body.exit_code}
    size = max(body.output_bytes or 0, len(body.output.encode(errors="replace")))
    facts["output_bytes"] = size
    if body.file is not None:
        facts["file"] = msgspec.structs.asdict(body.file)
        facts["file"]["path"] = mail.one_line(body.file.path)
    if body.verify is not None:
        facts["verify"] = {"name": body.verify.name, "exit_code": body.verify.exit_code}
    return Outcome(
        status=body.status,
        reason=mail.one_line(body.reason),
        output=rules.cut_output(output),
        verify_output=rules.cut_output(mail.harmless(body.verify.output)) if body.verify else "",
        facts=facts,
        tokens_in=body.tokens_in,
        tokens_out=body.tokens_out,
        cost_microusd=None if body.cost_usd is None else round(body.cost_usd * 1_000_000),
    )
