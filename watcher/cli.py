"""The command `bus-watcher`: what a person types, in sentences and exit codes.

Exit codes: 0 done, 1 failed, 2 not a command, 3 wrong settings, 4 refused by the bus. It must
hold no logic of its own; each command is a call and some lines of text.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from watcher import __version__, completion, daemon, enrol, log, program, settingsfile, skill
from watcher.bus import AWAY, BusError
from watcher.clock import SystemClock
from watcher.methods import Methods
from watcher.privatefile import LooseFileError
from watcher.settings import METHOD_NAMES, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from watcher.settings import Folder

    Command = Callable[[argparse.Namespace, Folder], int]

OK, FAILED, USAGE, BAD_SETTINGS, REFUSED = range(5)
EXIT_CODES = "exit codes: 0 done, 1 failed, 2 usage, 3 wrong settings, 4 refused by the bus"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    options = _parse(arguments)
    folder = settingsfile.find_folder(options.dir, os.environ)
    command: Command = options.command
    try:
        return command(options, folder)
    except (SettingsError, LooseFileError) as error:
        return _complain(str(error), BAD_SETTINGS)
    except BusError as error:
        return _complain(_explain(error), FAILED if error.status == AWAY else REFUSED)
    except OSError as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", FAILED)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _make_parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes no words of a list that may be empty behind an option, as in AGENT --dir X k=v
    changes = getattr(options, "changes", None)
    if rest and (changes is None or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if changes is not None:
        changes += rest
    return options


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program(),
        description="Wakes this machine's agents when there is mail for them.",
        epilog=EXIT_CODES,
    )
    parser.set_defaults(dir=None)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, epilog=EXIT_CODES)
        added.add_argument("--dir", help="the watcher's folder; default $WAKEBUS_DIR or ~/.wakebus")
        added.set_defaults(command=command)
        return added

    run = add("run", _run, "run the watcher in the foreground")
    run.add_argument(
        "--log-level",
        default="info",
        choices=["debug", "info", "warning"],
        help="how much the log says; info if not given",
    )
    enrolling = add("enrol", _enrol, "make this machine a node of a bus")
    enrolling.add_argument("url", help="the bus, for example http://bus:8091")
    enrolling.add_argument("code", help="from `bus node add` or `bus node code`")
    enrolling.add_argument("--ca-file", help="trust this certificate authority for https")
    enrolling.add_argument(
        "--replace",
        action="store_true",
        help="also where the folder is of another node, or of another address of the bus",
    )
    add("agents", _agents, "show how each agent is reached; exit code 1 where one cannot be")
    changing = add("set", _set, "change how an agent is reached")
    changing.add_argument(
        "agent",
        help="its name; left out for what holds for all of them, such as openclaw.config=PATH",
    )
    changing.add_argument(
        "changes",
        nargs="*",
        metavar="key=value",
        help="such as method=program; an empty value takes the key away",
    )
    teaching = add("skill", _skill, "print the OpenClaw skill that teaches an agent the bus")
    teaching.add_argument("agent", help="its name on the bus")
    installing = add("install", _install, "run the watcher as a service of this user, for good")
    installing.add_argument("--dry-run", action="store_true", help="only say what would be done")
    installing.add_argument("--no-skill", action="store_true", help="leave OpenClaw's skills alone")
    removing = add("uninstall", _uninstall, "take out what install put in")
    removing.add_argument("--dry-run", action="store_true", help="only say what would be done")
    removing.add_argument(
        "--purge", action="store_true", help="remove settings, tokens and state, too"
    )
    examining = add("doctor", _doctor, "look whether all is well, and say how to mend what is not")
    examining.add_argument("--json", action="store_true", help="as JSON, for a program")
    examining.add_argument(
        "--wake", action="store_true", help="also wake each agent: costs a model call for each"
    )
    examining.add_argument("--yes", action="store_true", help="do not ask before --wake")
    completing = add("completion", _completion, "print what makes a shell complete this command")
    completing.add_argument("shell", choices=completion.SHELLS)
    add("version", _version, "show the version")
    return parser


def _run(options: argparse.Namespace, folder: Folder) -> int:
    log.start(level=options.log_level, with_time="JOURNAL_STREAM" not in os.environ)
    daemon.run(settingsfile.load(folder), SystemClock())
    return OK


def _enrol(options: argparse.Namespace, folder: Folder) -> int:
    done = enrol.enrol(
        options.url,
        options.code,
        folder,
        SystemClock(),
        os.environ,
        ca_file=str(settingsfile.find_file(options.ca_file) or "") or None,
        is_replacing=options.replace,
    )
    settings = done.settings
    _say(f"This machine is now node {settings.node} of {settings.url}.")
    _say(f"Agents: {', '.join(settings.agents) or 'none yet'}. Files: {folder.path}")
    for note in (*done.notes, *enrol.find_unknown_agents(settings)):
        _say(f"Note: {note.rstrip('.')}.")
    at = _repeat_folder(options)
    _say("Next:")
    _say(f"  {program()} agents{at}        # how each agent would be reached, and why")
    _say(f"  {program()} set{at} AGENT method=NAME   # to choose: {', '.join(METHOD_NAMES)}")
    _say(f"  {program()} run{at}           # in the foreground")
    _say(f"  {program()} install{at}       # as a service, for good")
    return OK


def _agents(_options: argparse.Namespace, folder: Folder) -> int:
    settings = settingsfile.load(folder)
    daemon.check_files(settings)
    methods = Methods(settings, SystemClock())
    rows = [("AGENT", "SETTING", "METHOD", "WHY")]
    choices = [(each, methods.choose(each)) for each in settings.agents.values()]
    rows += [(each.name, each.method, *choice) for each, choice in choices]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]  # noqa: B905 - WHY is last
        _say("  ".join([*cells, row[3]]))
    return OK if all(choice.works for _, choice in choices) else FAILED


def _set(options: argparse.Namespace, folder: Folder) -> int:
    if "=" in options.agent:
        settingsfile.change_all(folder, [options.agent, *options.changes])
        _say(f"Written. {program()} agents shows what it gives. {_restart(folder)}")
        return OK
    settings = settingsfile.change_agent(folder, options.agent, options.changes)
    choice = Methods(settings, SystemClock()).choose(settings.agents[options.agent])
    _say(f"{options.agent}: {choice.name} ({choice.why}). {_restart(folder)}")
    return OK


def _restart(folder: Folder) -> str:
    """Say what makes a watcher that runs take new settings."""
    from watcher.install.record import Record  # noqa: PLC0415 - nothing that the daemon needs

    unit = Record.load(folder.install_file).unit
    how = f": systemctl --user restart {unit}" if unit else "."
    return f"To apply it, restart the watcher{how}"


def _skill(options: argparse.Namespace, folder: Folder) -> int:
    settings = settingsfile.load(folder)
    if options.agent not in settings.agents:
        known = ", ".join(settings.agents) or "none"
        raise SettingsError(f"no agent {options.agent} here; this node has: {known}")
    where = settingsfile.write_for_shell(folder, os.environ)
    sys.stdout.write(skill.render(options.agent, settings.url, where))
    return OK


def _install(options: argparse.Namespace, folder: Folder) -> int:
    from watcher import caring  # noqa: PLC0415 - `run` has no need of all that

    is_done = caring.install(
        folder,
        _say,
        at=_repeat_folder(options),
        is_dry=options.dry_run,
        with_skills=not options.no_skill,
    )
    return OK if is_done else _complain("not all is done: see `to do` above", FAILED)


def _uninstall(options: argparse.Namespace, folder: Folder) -> int:
    from watcher import caring  # noqa: PLC0415 - likewise

    caring.uninstall(folder, _say, is_dry=options.dry_run, is_purging=options.purge)
    return OK


def _doctor(options: argparse.Namespace, folder: Folder) -> int:
    from watcher import caring  # noqa: PLC0415 - likewise

    if options.wake and not options.yes and (options.json or not sys.stdin.isatty()):
        return _complain("--wake costs a model call for each agent; say --yes as well", USAGE)
    is_well = caring.examine(
        folder, _say, as_json=options.json, is_waking=options.wake, is_asking=not options.yes
    )
    return OK if is_well else FAILED


def _completion(options: argparse.Namespace, _folder: Folder) -> int:
    sys.stdout.write(completion.write(_make_parser(), options.shell))
    return OK


def _repeat_folder(options: argparse.Namespace) -> str:
    return f" --dir {shlex.quote(options.dir)}" if options.dir else ""


def _version(_options: argparse.Namespace, _folder: Folder) -> int:
    _say(__version__)
    return OK


def _explain(error: BusError) -> str:
    if error.status == AWAY:
        return error.detail
    return f"the bus refused: {error.detail} ({error.code})"


def _say(text: str) -> None:
    sys.stdout.write(_make_harmless(text) + "\n")


def _complain(text: str, exit_code: int) -> int:
    sys.stderr.write(f"{program()}: {_make_harmless(text)}\n")
    return exit_code


def _make_harmless(text: str) -> str:
    """Take out what could steer the terminal: names and sentences in it came over the network."""
    return "".join(char if char.isprintable() else " " for char in text)
