"""The one tree of errors: what went wrong, in a word a program can test and a sentence to act on.

It knows no HTTP; `bus.web.problems` gives each code its status. The class docstring is the
default message.
"""

from __future__ import annotations

from typing import Any, ClassVar


class BusError(Exception):
    """Something went wrong on the bus."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str | None = None, *, retry_after_s: float | None = None, **more: Any
    ) -> None:
        """Keep the sentence for the reader, when to try again, and members for the answer."""
        self.detail = detail or type(self).__doc__ or ""
        self.retry_after_s = retry_after_s
        self.more = more
        super().__init__(self.detail)


class InvalidRequestError(BusError):
    """The request is not what this call takes."""

    code = "invalid_request"
    title = "Invalid request"


class WaitingRefusedError(BusError):
    """Sending never waits: leave timeoutSeconds out or 0; the answer comes as a message."""

    code = "waiting_refused"
    title = "Sending never waits"


class TypeNotTakenError(BusError):
    """The recipient does not take this type of message."""

    code = "type_not_taken"
    title = "Type not taken"


class RequestTimeoutError(BusError):
    """The request's body did not come in time."""

    code = "request_timeout"
    title = "Request timeout"
    retryable = True


class BatchTooLargeError(BusError):
    """The list has too many messages, handles or recipients in all: send several requests."""

    code = "batch_too_large"
    title = "Batch too large"


class TooManyRecipientsError(BusError):
    """The message has too many recipients: send several messages."""

    code = "too_many_recipients"
    title = "Too many recipients"


class UnauthorizedError(BusError):
    """A token is needed: send `Authorization: Bearer TOKEN`."""

    code = "unauthorized"
    title = "Unauthorized"


class ForbiddenError(BusError):
    """This token may not make this call."""

    code = "forbidden"
    title = "Forbidden"


class SenderMismatchError(BusError):
    """The body names a sender other than the token's agent; leave `from` out."""

    code = "sender_mismatch"
    title = "Sender mismatch"


class NotFoundError(BusError):
    """There is nothing here, or it is not yours to see."""

    code = "not_found"
    title = "Not found"


class UnknownRecipientError(BusError):
    """No such recipient: `GET /api/agents` lists those you can reach."""

    code = "unknown_recipient"
    title = "Unknown recipient"


class UnknownHandleError(BusError):
    """No item of yours has this handle; `GET /api/inbox` shows your handles."""

    code = "unknown_handle"
    title = "Unknown handle"


class FencedError(BusError):
    """This handle or wake is stale: a newer attempt took its place."""

    code = "fenced"
    title = "Fenced"


class EndedError(BusError):
    """The delivery has ended; nothing more can be done with it."""

    code = "ended"
    title = "Ended"


class NoReplyAddressError(BusError):
    """The bus itself wrote this message; it takes no reply."""

    code = "no_reply_address"
    title = "No reply address"


class ConflictError(BusError):
    """The state of the bus does not allow this."""

    code = "conflict"
    title = "Conflict"


class NameTakenError(BusError):
    """The name is in use."""

    code = "name_taken"
    title = "Name taken"


class MixedCompartmentsError(BusError):
    """Agents of different compartments under one Unix user could read each other's files."""

    code = "mixed_compartments"
    title = "Mixed compartments"


class OtherNodeError(BusError):
    """This folder belongs to another node."""

    code = "other_node"
    title = "Other node"


class CodeUsedError(BusError):
    """This enrolment code was used by another machine; make a new one: bus node code NAME."""

    code = "code_used"
    title = "Code used"


class CodeExpiredError(BusError):
    """This enrolment code has expired; make a new one: bus node code NAME."""

    code = "code_expired"
    title = "Code expired"


class MoveRefusedError(BusError):
    """This move of a task is for others; `may` says for whom."""

    code = "move_refused"
    title = "Move refused"


class NoSuchMoveError(BusError):
    """A task cannot go from where it is to there."""

    code = "no_such_move"
    title = "No such move"


class TaskClaimedError(BusError):
    """Another has claimed this task."""

    code = "task_claimed"
    title = "Task claimed"


class RunIncompleteError(BusError):
    """A run needs a worker, a task, a label, a time limit and what becomes of its transcript."""

    code = "run_incomplete"
    title = "Run incomplete"


class TakesRunsError(BusError):
    """A worker takes no messages: dispatch a run to it with `POST /api/runs`."""

    code = "takes_runs"
    title = "Takes runs"


class TakesMessagesError(BusError):
    """Only a worker takes runs; write to a named agent or a person with `POST /api/send`."""

    code = "takes_messages"
    title = "Takes messages"


class RunTooDeepError(BusError):
    """A run's run's run: the limit of BUS_MAX_DEPTH is reached."""

    code = "run_too_deep"
    title = "Run too deep"


class TooManyChildrenError(BusError):
    """So many runs of this parent are open already; each that ends makes room for one."""

    code = "too_many_children"
    title = "Too many children"
    retryable = True


class RunClaimedError(BusError):
    """Another instance has claimed this run."""

    code = "run_claimed"
    title = "Run claimed"


class RunOverError(BusError):
    """The run has ended; nothing more becomes of it."""

    code = "run_over"
    title = "Run over"


class StaleEpochError(BusError):
    """A newer start of this producer has written: this one is fenced off."""

    code = "stale_epoch"
    title = "Stale epoch"


class SequenceGapError(BusError):
    """An append of this producer before this one is missing."""

    code = "sequence_gap"
    title = "Sequence gap"


class StreamClosedError(BusError):
    """The stream is closed; it takes nothing more."""

    code = "stream_closed"
    title = "Stream closed"


class StreamGoneError(BusError):
    """What was here is gone for good."""

    code = "stream_gone"
    title = "Stream gone"


class StreamFullError(BusError):
    """The stream has as many bytes as one may have: go on in another."""

    code = "stream_full"
    title = "Stream full"


class TooManyDurableError(BusError):
    """So many durable streams, or bytes of them, are yours already: delete what is over."""

    code = "too_many_durable"
    title = "Too many durable streams"


class SessionClosedError(BusError):
    """The session is closed and takes nothing until it is opened again."""

    code = "session_closed"
    title = "Session closed"


class ApartError(BusError):
    """Two who would be in the session may not know of each other."""

    code = "apart"
    title = "Apart"


class TooManyParticipantsError(BusError):
    """So many cannot be in one session."""

    code = "too_many_participants"
    title = "Too many participants"


class TooManySessionsError(BusError):
    """A participant is in as many sessions as it may be: it must leave one first."""

    code = "too_many_sessions"
    title = "Too many sessions"


class ApprovalOverError(BusError):
    """The approval has come to its end: somebody answered, or it expired or was taken back."""

    code = "approval_over"
    title = "Approval over"


class TooManyApprovalsError(BusError):
    """An asker has as many open approvals as it may: it must withdraw one or wait for an answer."""

    code = "too_many_approvals"
    title = "Too many approvals"
    retryable = True


class KeyReusedError(BusError):
    """The Idempotency-Key was used for another request in the last 24 hours."""

    code = "key_reused"
    title = "Key reused"


class InstanceBusyError(BusError):
    """Another watcher uses this node's token and was heard from in the last minute."""

    code = "instance_busy"
    title = "Instance busy"
    retryable = True


class BodyTooLargeError(BusError):
    """The body is over the limit."""

    code = "body_too_large"
    title = "Body too large"


class UnsupportedMediaTypeError(BusError):
    """This call takes application/json."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


class MethodNotAllowedError(BusError):
    """This path does not take this method."""

    code = "method_not_allowed"
    title = "Method not allowed"


class InboxFullError(BusError):
    """The recipient's inbox is full; nothing was dropped and nothing was taken."""

    code = "inbox_full"
    title = "Inbox full"
    retryable = True


class RateLimitedError(BusError):
    """Too many requests from this principal."""

    code = "rate_limited"
    title = "Rate limited"
    retryable = True


class WriterShareError(BusError):
    """This principal has its whole share of the writer's queue in flight."""

    code = "writer_share"
    title = "Writer share used up"
    retryable = True


class StorageBusyError(BusError):
    """The writer's queue is full; nothing was taken."""

    code = "storage_busy"
    title = "Storage busy"
    retryable = True


class StorageFailedError(BusError):
    """The disk or the database refused the write; nothing was taken."""

    code = "storage_failed"
    title = "Storage failed"
    retryable = True


class TooManyStreamsError(BusError):
    """The limit of open streams and waiting reads is reached."""

    code = "too_many_streams"
    title = "Too many streams"
    retryable = True


class TooManyConnectionsError(BusError):
    """Every connection that the bus may have is in use."""

    code = "too_many_connections"
    title = "Too many connections"
    retryable = True


class DrainingError(BusError):
    """The bus is stopping; it will be back."""

    code = "draining"
    title = "Draining"
    retryable = True


class ConfigError(BusError):
    """A setting is wrong."""

    code = "config"
    title = "Configuration"


class SchemaError(BusError):
    """The database's schema is not this program's."""

    code = "schema_out_of_date"
    title = "Schema out of date"


class NoDatabaseError(SchemaError):
    """There is no database in the data folder."""


class LockedError(BusError):
    """Another bus process has this database."""

    code = "locked"
    title = "Locked"
