"""The references say what the code does: neither more nor less, or a reader is sent astray."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import click
import msgspec
import pytest

from bus.app import ROUTES
from bus.board.rules import MOVES
from bus.cli import cli as bus_command
from bus.cli.failing import EXIT_CODES
from bus.mail.model import ENDS, WAITING
from bus.runs.api import DispatchBody
from bus.runs.model import STATES
from bus.settings import SETTINGS
from bus.web.problems import STATUS, all_errors
from watcher import settingscheck
from watcher.cli import _make_parser
from watcher.methods import METHODS
from watcher.settings import AgentSettings, Settings

TOP = Path(__file__).resolve().parents[2]
REFERENCE = TOP / "docs" / "reference"
COMMON = {"--url", "--token-file", "--json", "--help"}


def read(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)


def section(text: str, heading: str) -> str:
    found = re.search(
        rf"^(#{{2,3}}) {re.escape(heading)}$(.*?)(?=^#{{2,3}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[2]


def rows(text: str) -> dict[str, list[str]]:
    """Read a table's rows by their first cell."""
    found = re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)
    return {key: rest.split(" | ") for key, rest in found}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda row: row.key)
def test_each_setting_has_its_row(setting):
    default, meaning = rows(read("settings.md"))[setting.key]
    known = "-" if setting.default in {None, ""} else str(setting.default)
    assert default == f"{known} {setting.unit}".strip() or default == known == "-"
    assert meaning.startswith(setting.help)


def test_no_setting_is_promised_that_is_not_there():
    promised = {key for key in rows(read("settings.md")) if key.startswith("BUS_")}
    assert promised == {setting.key for setting in SETTINGS}


def test_each_key_of_the_watcher_has_its_row():
    promised = {key for key in rows(read("settings.md")) if not key.startswith("BUS_")}
    runs = {f"runs.{key}" for key in settingscheck.RUNS}
    assert promised == {*settingscheck.TOP, *settingscheck.AGENT, *runs} - {"runs"}


@pytest.mark.parametrize("kind", [Settings, AgentSettings])
def test_the_defaults_of_the_watcher_are_the_written_ones(kind):
    table = rows(read("settings.md"))
    for field in dataclasses.fields(kind):
        if isinstance(field.default, int | float) and field.name in table:
            assert float(table[field.name][0]) == field.default, field.name


def test_each_error_has_its_heading_status_and_meaning():
    text = read("errors.md")
    assert sorted(headings(text)) == sorted(STATUS)
    for error in all_errors():
        said = section(text, error.code)
        assert said.strip().startswith(f"{STATUS[error.code]} {error.title}")
        assert " ".join((error.__doc__ or "").split()) in said
        assert ("trying again later helps" in said) == error.retryable


def leaves(command: click.Command, path: str, context: click.Context):
    """Give every command with its full name."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from leaves(below, f"{path} {name}", click.Context(below, parent=context))
    else:
        yield path, command


COMMANDS = dict(leaves(bus_command, "bus", click.Context(bus_command)))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_heading_and_options(name):
    said = section(read("commands.md"), name)
    options = {
        option.opts[-1] for option in COMMANDS[name].params if isinstance(option, click.Option)
    }
    assert set(re.findall(r"^- `(--[a-z-]+)", said, re.MULTILINE)) == options - COMMON


def test_no_command_is_promised_that_is_not_there():
    groups = {name.rpartition(" ")[0] for name in COMMANDS} - {"bus"}
    watcher = {name for name in headings(read("commands.md")) if name.startswith("bus-watcher")}
    assert set(headings(read("commands.md"))) == set(COMMANDS) | groups | watcher


def test_each_command_of_the_watcher_has_its_heading():
    (commands,) = [act for act in _make_parser()._actions if getattr(act, "choices", None)]
    promised = {name for name in headings(read("commands.md")) if name.startswith("bus-watcher")}
    assert promised == {f"bus-watcher {name}" for name in commands.choices}


def test_the_exit_codes_are_the_written_ones():
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in read("commands.md")


def test_each_call_has_its_heading_and_fields():
    text = read("api.md")
    calls = [call for routes in ROUTES for call in routes.calls.calls]
    names = {re.sub(r"<(\w+)>", lambda part: part[1].upper(), call.name) for call in calls}
    promised = {name for name in headings(text) if name.split()[0].isupper()}
    assert promised == names
    send = section(text, "POST /api/send")
    for field in ("to", "body", "type", "subject", "in_reply_to", "priority", "reply_expected",
                  "wake", "deliver_at", "deliver_in", "expires_at", "ttl"):  # fmt: skip
        assert f"`{field}`" in send


def test_what_a_query_may_hold_is_written_where_its_call_is():
    text, events = read("api.md"), read("events.md")
    for call in (call for routes in ROUTES for call in routes.calls.calls if call.query):
        name = re.sub(r"<(\w+)>", lambda part: part[1].upper(), call.name)
        said = events if name == "GET /api/stream" else section(text, name)
        for field in msgspec.structs.fields(call.query):
            written = rf"`{field.encode_name}`|[?&]{field.encode_name}="
            assert re.search(written, said), (name, field.encode_name)


def test_each_event_has_its_heading():
    sources = "".join(path.read_text() for path in (TOP / "bus").rglob("*.py"))
    sent = set(re.findall(r'(?:frame\(|append\(tx, )"([a-z-]+)"', sources))
    assert set(headings(read("events.md"))) == sent


def test_each_wake_method_has_its_heading():
    assert set(headings(read("wake-methods.md"))) == {"auto", *METHODS}


def test_each_hook_has_its_row_with_who_hears_of_it():
    heard: dict[str, set[str]] = {}
    for path in (TOP / "bus").rglob("*.py"):
        for name in re.findall(r'hooks\.on\("(\w+)"', path.read_text(encoding="utf-8")):
            heard.setdefault(name, set()).add(path.parent.name)
    text = (TOP / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`.+?) \| .* \| (.+) \|$", section(text, "Hooks"), re.MULTILINE)
    promised = {
        name: set(re.findall(r"`(\w+)`", rooms))
        for names, rooms in table
        for name in re.findall(r"`(\w+)`", names)
    }
    assert promised == heard


def test_no_word_is_defined_twice():
    words = re.findall(r"^\| \*\*([^*]+)\*\* \|", read("glossary.md"), re.MULTILINE)
    assert len(words) > 50
    assert len(words) == len(set(words))


def test_each_rung_is_a_word():
    for state in ("accepted", "held", *WAITING, "read", *ENDS):
        assert f"| `{state}` |" in read("glossary.md")


def test_each_move_of_a_task_is_a_row_and_no_other_is():
    said = section(read("board.md"), "Moves")
    lines = re.findall(r"^\| `(.+) \|$", said, re.MULTILINE)
    written = [line.replace("`", "").split(" | ") for line in lines]
    assert written == [
        [move.name, move.start, move.to, ", ".join(move.who),
         "needed" if move.needs_note else "-", move.only or "-"]
        for move in MOVES
    ]  # fmt: skip


def test_each_state_of_a_run_is_a_word_and_each_field_is_written():
    for state in STATES:
        assert f"| `{state}` |" in read("glossary.md")
    said = section(read("api.md"), "POST /api/runs")
    for field in msgspec.structs.fields(DispatchBody):
        assert f"`{field.encode_name}`" in said or f'"{field.encode_name}"' in said, field


DOCUMENTS = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_each_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("https://"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_each_command_that_a_document_shows_is_one(path):
    for words in re.findall(r"^ {4}bus ([a-z]+(?: [a-z]+)?)", path.read_text(), re.MULTILINE):
        first = words.split()[0]
        known = {f"bus {words}", f"bus {first}"} & set(COMMANDS)
        assert known, f"bus {words}"


def test_each_guarantee_names_tests_that_there_are():
    text = section(read("limits-and-guarantees.md"), "Guarantees")
    named = re.findall(r"`(tests/[^`]+)`", text)
    assert len(named) > 20
    for place in named:
        file, _, test = place.partition("::")
        assert (TOP / file).is_file() or (TOP / file).is_dir(), place
        assert not test or f"def {test}(" in (TOP / file).read_text(encoding="utf-8"), place


def limit_rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_each_limit_names_its_setting_and_its_code():
    text = section(read("limits-and-guarantees.md"), "Limits")
    settings = set(re.findall(r"`(BUS_[A-Z_]+)`", text))
    assert settings <= {setting.key for setting in SETTINGS}
    limits = {s.key for s in SETTINGS if s.key.startswith(("BUS_MAX_", "BUS_RATE_", "BUS_WRITER_"))}
    assert limits - {"BUS_MAX_ATTEMPTS"} <= settings
    codes = re.findall(r"`([a-z_]+)`", " ".join(row.split("|")[3] for row in limit_rows(text)))
    assert len(codes) > 10
    assert set(codes) <= set(STATUS)
