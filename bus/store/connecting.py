"""Reaching a bus's PostgreSQL from a command, and what its refusals mean to a person.

A command has one connection of psycopg's own, past any pooler, and waits for it as it is: nothing
here may run in a bus that serves. It knows no table.
"""

from __future__ import annotations

import re
import shlex
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bus.errors import BusError, ConfigError, StorageFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from bus.config import Config

LEAST = 13
WITHIN_S = 10
LOOKS = 8
"""Looks at who serves two clients of a pooler: a busy one may give them two by chance."""
MISSING = "PostgreSQL needs the library psycopg: pip install 'wakebus[postgresql]'"
SCHEME = "postgresql+psycopg"
SECRET = ("password", "sslpassword")
"""What a URL may say behind its question mark, too, and nobody is shown."""


@dataclass(frozen=True)
class Place:
    """Which database on which server, and as whom; `words` are libpq's."""

    url: str
    words: dict[str, Any]

    @property
    def name(self) -> str:
        """The database's name."""
        return str(self.words.get("dbname") or self.words.get("user") or "")

    @property
    def shown(self) -> str:
        """The URL as it may be shown: without its password."""
        url = sa.make_url(self.url)._replace(password=None)
        return url.difference_update_query(SECRET).render_as_string()

    def but(self, name: str) -> Place:
        """Give another database of the same server."""
        url = sa.make_url(self.url)._replace(database=name)
        return Place(url.render_as_string(hide_password=False), {**self.words, "dbname": name})

    @property
    def createdb(self) -> str:
        """Write the command that makes this database, for the server's administrator."""
        words = self.words
        at = [("-h", words.get("host")), ("-p", words.get("port")), ("-U", "postgres")]
        named = [*at, ("-O", words.get("user")), ("-E", "UTF8"), ("-T", "template0")]
        given = [word for option, value in named if value for word in (option, str(value))]
        return shlex.join(["createdb", *given, self.name])

    @property
    def environment(self) -> dict[str, str]:
        """Give what PostgreSQL's own programs take from the environment: the password alone."""
        password = self.words.get("password")
        return {"PGPASSWORD": str(password)} if password else {}

    @property
    def conninfo(self) -> str:
        """Write where it is for PostgreSQL's own programs, without the password."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - may be missing

        return make_conninfo(
            "", **{name: value for name, value in self.words.items() if name != "password"}
        )


def place_of(config: Config) -> Place:
    """Give the database of a bus, by the way past a pooler where one is named."""
    return find_place(config.notify_url or config.database_url)


def find_place(url: str) -> Place:
    """Read the URL of a database.

    Raises:
        ConfigError: it is none that the bus takes, or psycopg is not installed.
    """
    read = read_url(url)
    try:
        import psycopg  # noqa: F401, PLC0415 - may be missing
    except ImportError as error:
        raise ConfigError(MISSING) from error
    words = dict(read.get_dialect()().create_connect_args(read)[1])
    words.pop("context", None)  # SQLAlchemy's own
    return Place(url, words)


def read_url(url: str) -> sa.URL:
    """Read it, and say the right form of one that is near."""
    try:
        read = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # the latter: the port is no number
        form = f"{SCHEME}://USER:PASSWORD@HOST:5432/NAME"
        raise ConfigError(f"the database's URL cannot be read; its form is {form}") from error
    if read.drivername != SCHEME:
        near = read.drivername.partition("+")[0] in {"postgres", "postgresql"}
        right = read._replace(drivername=SCHEME, password=None).render_as_string()
        meant = f"write {right} (and the password)" if near else f"it begins with {SCHEME}://"
        raise ConfigError(f"the database's URL begins with {read.drivername}://; {meant}")
    if "@" in (read.host or ""):  # which is the rest of a password: it is not shown
        raise ConfigError("the database's URL has an @ too many: in a password it is written %40")
    return read


@contextmanager
def connected(
    place: Place, *, writes: bool = False, pooled: bool = False
) -> Iterator[psycopg.Connection[Any]]:
    """Have one connection on which every statement is a transaction, until one is begun.

    Only where it is `pooled` may it lead through a pooler that keeps no session: then nothing may
    be set on it, or locked by it, beyond a transaction.

    Raises:
        BusError: it cannot be had, or what it leads to is none that the bus can use; or what the
            server said meanwhile.
    """
    import psycopg  # noqa: PLC0415 - not where it may be missing, see `find_place`

    try:
        conn = connect(place)
    except psycopg.Error as error:
        raise refusal(place, error) from error
    try:
        check(place, conn, writes=writes)
        if not pooled and not keeps_session(place, conn):
            raise ConfigError(
                f"{place.shown} leads through a pooler that keeps no session; name the way past it "
                "in BUS_NOTIFY_URL"
            )
        yield conn
    except psycopg.Error as error:
        raise StorageFailedError(f"{place.shown}: {one_line(error)}") from error
    finally:
        conn.close()


def connect(place: Place) -> psycopg.Connection[Any]:
    import psycopg  # noqa: PLC0415 - likewise

    limited: dict[str, Any] = {"connect_timeout": WITHIN_S, "application_name": "wakebus command"}
    return psycopg.connect(**(limited | place.words), autocommit=True)


def keeps_session(place: Place, conn: psycopg.Connection[Any]) -> bool:
    """Say whether all that is done on a connection is done by one process of the server.

    A pooler gives a client a number of its own, and no process of the server has that. One that
    lends a process for a transaction lends two idle clients the same.
    """
    if process_of(conn) == conn.info.backend_pid:
        return True
    with closing(connect(place)) as other:
        looks = [(process_of(conn), process_of(other)) for _ in range(LOOKS)]
    mine, its = (set(each) for each in zip(*looks, strict=True))
    return len(mine) == 1 and not mine & its


def process_of(conn: psycopg.Connection[Any]) -> int:
    return int((conn.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or (0,))[0])


def refusal(place: Place, error: psycopg.Error) -> BusError:
    """Say why there is no connection, and what to do."""
    said, given = one_line(error), getattr(error, "pgconn", None)
    if "does not exist" in said and f'database "{place.name}"' in said:
        return ConfigError(
            f"there is no database {place.name} at {place.shown}; make it, as the server's "
            f"administrator: {place.createdb}"
        )
    if given is not None and given.needs_password:
        return ConfigError(
            f"{place.shown} wants a password: put it into BUS_DATABASE_URL (or the file "
            "BUS_DATABASE_URL_FILE)"
        )
    if "authentication failed" in said or "does not exist" in said:
        return ConfigError(f"{place.shown} refuses this user or password: {said}")
    if "no pg_hba.conf entry" in said:
        return ConfigError(f"{place.shown} lets nobody in from here: {said}")
    return StorageFailedError(f"{place.shown} cannot be reached: {said}", retry_after_s=5)


def one_line(error: Exception) -> str:
    """Give the first line of what was said, without what is said before every such line."""
    said = " ".join(str(error).split("\n")[0].split())
    return re.sub(r"^(connection failed: |connection is bad: )", "", said)


def check(place: Place, conn: psycopg.Connection[Any], *, writes: bool) -> None:
    """Refuse a server that is too old, a database that cannot hold every text, and a standby."""
    version = conn.info.server_version // 10_000
    if version < LEAST:
        raise ConfigError(f"{place.shown} is PostgreSQL {version}; the bus needs {LEAST} or newer")
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ConfigError(
            f"the database {place.name} has the encoding {encoding}, and the bus needs UTF8; make "
            f"another: {place.but(place.name + '_utf8').createdb}"
        )
    if writes and conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
        raise ConfigError(
            f"{place.shown} is a standby, which takes no writes; name the server that it follows, "
            "or every one of them with ?target_session_attrs=read-write"
        )
