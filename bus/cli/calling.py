"""How a command reaches the bus: the address, the token, and what it does with a refusal.

`requests` is loaded when a command calls the bus and not before: `bus serve` must stay light.
"""

from __future__ import annotations

import functools
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from bus.cli import installed
from bus.cli.failing import SETTINGS, Failure, from_client, marked, told
from bus.cli.output import say, say_json
from bus.config import Config
from bus.serving.port import check_port_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bus.client import BusClient

HEADER = "Authorization: Bearer "
ADMIN_FILE, PERSON_FILE = "admin.token", "you.token"

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@dataclass(frozen=True)
class Caller:
    """What a command calls the bus with, and how its answer is wanted."""

    bus: BusClient
    as_json: bool

    def show(self, answer: Any, human: Callable[[], object]) -> None:
        """Write an answer: as JSON, or as `human` writes it for a person."""
        if self.as_json:
            say_json(answer)
        else:
            human()

    def done(self, answer: Any, sentence: str) -> None:
        """Write an answer that one sentence says."""
        self.show(answer, lambda: say(sentence))


def calls_bus(*, as_admin: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command its `Caller` and the options that every client command has.

    `as_admin` takes the administration's token where no file is named.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--url", envvar="BUS_URL", metavar="URL", help="The bus; also BUS_URL.")
        @click.option(
            "--token-file",
            envvar="BUS_TOKEN_FILE",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Your token, or a node's AGENT.header file; also BUS_TOKEN_FILE.",
        )
        @json_option
        @functools.wraps(command)
        def run(
            *args: Any, url: str | None, token_file: Path | None, as_json: bool, **options: Any
        ) -> Any:
            with calling(url, token_file, as_admin=as_admin, as_json=as_json) as caller:
                return command(caller, *args, **options)

        return run

    return decorate


@contextmanager
def calling(
    url: str | None, token_file: Path | None, *, as_admin: bool, as_json: bool
) -> Iterator[Caller]:
    """Open a client, and have each refusal leave as a `Failure`."""
    from bus.client import BusClient, ClientError  # noqa: PLC0415 - see the module

    with told(as_json=as_json):
        token = read_token(token_file or default_token_file(as_admin=as_admin))
        with BusClient(check_url(url or read_config().url), token) as bus:
            try:
                yield Caller(bus, as_json)
            except ClientError as error:
                raise marked(from_client(error), as_json=as_json) from error


def read_config() -> Config:
    """Read the settings of the environment."""
    config = Config.from_env(os.environ)
    check_port_number(config.port)
    return config


def check_url(url: str) -> str:
    """Refuse an address that no request can go to."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        sentence = f"{url!r} is not an address such as http://127.0.0.1:8091"
        raise Failure(sentence, SETTINGS, mend="Another address: BUS_URL or --url.")
    return url


def default_token_file(*, as_admin: bool) -> Path:
    """Choose the token that `bus init` or `bus up` left on this machine.

    A person's own where there is one, or the administration's where the command asks for that.
    """
    data_dir = read_config().data_dir
    own, admin = data_dir / PERSON_FILE, data_dir / ADMIN_FILE
    first, second = (admin, own) if as_admin else (own, admin)
    return second if second.exists() and not first.exists() else first


def read_token(path: Path) -> str:
    """Read a token from a file that holds it alone, or as a header."""
    try:
        text = path.expanduser().read_text(encoding="utf-8").strip().removeprefix(HEADER)
    except FileNotFoundError as error:
        where = installed.where_else() or "A new bus: bus init"
        mend = f"Name a file with BUS_TOKEN_FILE or --token-file. {where}"
        raise Failure(f"there is no token at {path}", SETTINGS, mend=mend) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not a token", SETTINGS) from error
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise Failure(f"{path} is not one line with a token", SETTINGS)
    return text
