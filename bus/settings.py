"""The settings of the bus: one table for the reading, `bus config` and the reference page."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path  # noqa: TC003 - read when the program runs, as each kind is
from typing import Any, get_type_hints

MOST_WORKERS = 256


def setting(default: Any, help: str, *, unit: str = "", secret: bool = False) -> Any:  # noqa: A002
    """Make a row of the table: its default, what it means, and in what it is counted."""
    return field(default=default, metadata={"help": help, "unit": unit, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """Every setting by its name: the key in the environment is `BUS_` and that in capitals."""

    data_dir: Path = field(
        metadata={
            "help": "where the database, its lock and the first tokens lie;"
            " ~/.local/share/wakebus where not set"
        }
    )
    host: str = setting("127.0.0.1", "the address to listen on")
    port: int = setting(8091, "the port to listen on; 0 takes a free one")
    public_url: str = setting(
        "",
        "the address by which agents and nodes reach the bus, used in answers; "
        "http(s)://BUS_HOST:BUS_PORT where not set",
    )
    tls_cert: str = setting("", "certificate chain file; with BUS_TLS_KEY turns TLS on")
    tls_key: str = setting("", "key file of BUS_TLS_CERT")
    shared_secret: str = setting(
        "",
        "one secret for the agents of a household that have no token of their own; off where "
        "not set",
        secret=True,
    )
    shared_secret_before: str = setting(
        "",
        "the shared secret before this one: taken too while it is set, so that it can be "
        "changed on one machine after the other",
        secret=True,
    )
    database_url: str = setting(
        "",
        "a PostgreSQL database in the place of the SQLite file, for more than one process or "
        "machine: postgresql+psycopg://USER:PASSWORD@HOST/NAME",
        secret=True,
    )
    notify_url: str = setting(
        "",
        "where that database is reached past a pooler that keeps no session, for hints between "
        "processes; as BUS_DATABASE_URL where not set",
        secret=True,
    )
    workers: int = setting(
        1,
        "how many processes `bus serve` starts on this machine; more than one needs PostgreSQL",
        unit="processes",
    )
    poll_s: float = setting(
        1.0,
        "how often a process looks on PostgreSQL whether it missed another one's hint",
        unit="s",
    )
    database_wait_s: float = setting(
        10.0,
        "how long PostgreSQL may take over a group of writes or a read before it counts as away",
        unit="s",
    )
    synchronous: str = setting(
        "FULL",
        "SQLite's synchronous: FULL keeps the promise that accepted means on disk; NORMAL can "
        "lose the last seconds in a power cut",
    )
    max_body_bytes: int = setting(262_144, "the largest body of one message", unit="bytes")
    max_request_bytes: int = setting(4_194_304, "the largest request", unit="bytes")
    max_batch: int = setting(100, "the most messages in one call", unit="messages")
    max_recipients: int = setting(100, "the most recipients of one message", unit="recipients")
    max_together: int = setting(500, "the most deliveries or handles of one request")
    max_inbox: int = setting(
        1000,
        "the most deliveries an agent may have open; a full inbox refuses",
        unit="deliveries",
    )
    max_streams: int = setting(800, "the most open streams and waiting reads", unit="streams")
    max_streams_each: int = setting(
        32,
        "the same of one principal; so many of its requests may wait for their bodies, too",
        unit="streams",
    )
    max_connections: int = setting(
        1000,
        "the most connections, streams included; above BUS_MAX_STREAMS, so that sending always "
        "has room",
        unit="connections",
    )
    max_strangers: int = setting(
        64,
        "the most connections of one address that have shown no token; then those that stand "
        "silent for over a second are hung up, the oldest first",
        unit="connections",
    )
    first_request_s: float = setting(
        10.0,
        "how long a new connection may take to shake hands, and to bring its first request's head",
        unit="s",
    )
    rate_per_s: int = setting(200, "requests a principal may make, sustained", unit="requests/s")
    rate_burst: int = setting(400, "requests a principal may make at once", unit="requests")
    writer_queue: int = setting(1024, "writes that may wait for the writer", unit="writes")
    writer_share: int = setting(256, "of those, how many of one principal", unit="writes")
    lease_s: int = setting(600, "how long a read item is leased", unit="s")
    max_attempts: int = setting(5, "counted attempts after which mail is dead", unit="attempts")
    wake_blind_s: int = setting(
        120,
        "how long a wake whose turn cannot be seen waits for a read",
        unit="s",
    )
    wake_silence_s: int = setting(
        90,
        "how long a watcher may say nothing of a turn before its end counts as unknown",
        unit="s",
    )
    wake_ask_s: int = setting(
        30,
        "how long an asked wake waits for an online node's word before it is asked again",
        unit="s",
    )
    backoff_first_s: float = setting(
        1.0,
        "the first pause before a failed wake is asked again; doubles",
        unit="s",
    )
    backoff_max_s: float = setting(60.0, "the longest such pause", unit="s")
    delayed_s: int = setting(
        900,
        "after how long a waiting delivery gets its sender a note",
        unit="s",
    )
    retention_s: int = setting(604_800, "how long ended messages are kept", unit="s")
    log_retention_s: int = setting(604_800, "how long the log is kept for streams", unit="s")
    cost_retention_days: int = setting(
        400, "how long the costs of turns are kept, by day, agent and thread", unit="days"
    )
    code_s: int = setting(3600, "how long an enrolment code is good for", unit="s")
    guard_hops: int = setting(
        16,
        "steps onward that a chain of agents may take without a person's word or a result before "
        "it is held; an answer takes back the step that it answers. 0 turns this rule off, as "
        "with each number of the guard",
        unit="hops",
    )
    guard_laps: int = setting(
        8,
        "how often a chain may take the same step, from one agent to the same other",
        unit="times",
    )
    guard_chain: int = setting(120, "the longest chain, answers among it", unit="messages")
    guard_burst: int = setting(
        20,
        "messages between one pair in one thread within a minute before it is held",
        unit="messages",
    )
    guard_self: int = setting(
        10, "messages that one may write to oneself within a minute", unit="messages"
    )
    guard_messages: int = setting(
        200, "messages in one thread within a day, results of workers aside", unit="messages"
    )
    guard_thread_wakes: int = setting(
        100, "wakes for the messages of one thread within a day", unit="wakes"
    )
    guard_results: int = setting(
        500, "results of workers in one thread within a day: their own budget", unit="messages"
    )
    guard_wakes: int = setting(
        500, "wakes of one agent within a day of which a turn came", unit="wakes"
    )
    guard_alerts: int = setting(20, "alerts that one agent may raise within an hour", unit="alerts")
    guard_warn_percent: int = setting(
        75, "at which share of a number of the guard its agents are warned; 0 for never", unit="%"
    )
    guard_memory_s: int = setting(
        300,
        "how long after an agent has settled its mail what it sends counts as coming of that",
        unit="s",
    )
    task_stale_s: int = setting(
        1800,
        "after how long a claim of a task that its holder does not refresh can be taken over",
        unit="s",
    )
    escalate_after_s: int = setting(
        900,
        "after how long an alert that nobody acked, a blocked task and a review that nobody took "
        "up go on to the next of the chain",
        unit="s",
    )
    run_lease_s: int = setting(
        60, "how long a claimed run may stay without a word of its node before it is lost", unit="s"
    )
    run_grace_s: int = setting(
        30,
        "how much longer than its time limit, or than a cancel, a run may take to say its end",
        unit="s",
    )
    run_unclaimed_s: int = setting(
        3600, "how long a run may wait for a place and for its node before it is lost", unit="s"
    )
    run_longest_s: int = setting(14_400, "the longest time limit of a run", unit="s")
    run_concurrency: int = setting(4, "runs of one worker at a time; others queue", unit="runs")
    max_children: int = setting(50, "the most open runs of one parent", unit="runs")
    max_depth: int = setting(2, "how deep runs may dispatch runs; 1: no run may", unit="levels")
    notice_hosts: str = setting(
        "",
        "where notices may go, between commas: NAME, NAME:PORT, *.NAME, http://NAME, private:NAME, "
        "and @DOMAIN for email; nobody is told of anything when away where not set",
    )
    notice_grace_s: float = setting(
        5.0, "how long what comes may be read before somebody who is away is told of it", unit="s"
    )
    notices_per_min: int = setting(
        4,
        "the most notices that one person is sent within a minute; the rest comes as one",
        unit="notices",
    )
    smtp_host: str = setting(
        "", "the server that takes the notices by email; no email is sent where not set"
    )
    smtp_port: int = setting(587, "its port")
    smtp_security: str = setting(
        "starttls",
        "how the connection to it is kept from others: starttls, tls from its begin, none",
    )
    smtp_user: str = setting("", "the name that the bus has there; no log-in where not set")
    smtp_password: str = setting("", "the password of BUS_SMTP_USER", secret=True)
    smtp_from: str = setting("", "the address that the notices by email come from")
    durable_each: int = setting(1000, "durable streams of one participant", unit="streams")
    durable_append_bytes: int = setting(
        1_048_576, "the most bytes of one append to a durable stream", unit="bytes"
    )
    durable_stream_bytes: int = setting(
        67_108_864, "the most bytes of one durable stream", unit="bytes"
    )
    durable_bytes_each: int = setting(
        1_073_741_824, "the most bytes of all durable streams of one participant", unit="bytes"
    )
    durable_origins: str = setting(
        "",
        "web sites, as origins with blanks between, whose pages may call /streams with a token of "
        "their own (CORS); * for every site",
    )
    max_participants: int = setting(
        50, "the most people and agents in one session", unit="participants"
    )
    max_sessions: int = setting(
        1000, "the most sessions that one may be in; leaving one makes room", unit="sessions"
    )
    heartbeat_s: float = setting(15.0, "the pause between comments on a silent stream", unit="s")
    stream_s: int = setting(600, "about how long a stream lives before it says bye", unit="s")
    log_level: str = setting("info", "debug, info, warning or error")


@dataclass(frozen=True)
class Setting:
    """One row of the table: the key in the environment, its kind, default, unit and meaning."""

    key: str
    kind: type
    default: Any
    unit: str
    help: str
    secret: bool

    @property
    def field(self) -> str:
        """The name of the field in `Settings`."""
        return self.key.removeprefix("BUS_").lower()


KINDS = get_type_hints(Settings)
SETTINGS = tuple(
    Setting(
        f"BUS_{row.name.upper()}",
        KINDS[row.name],
        None if row.default is MISSING else row.default,
        row.metadata.get("unit", ""),
        row.metadata["help"],
        row.metadata.get("secret", False),
    )
    for row in fields(Settings)
)
