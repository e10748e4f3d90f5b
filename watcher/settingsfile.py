"""The settings on the disk: find the folder, read the file, change it without breaking it.

A change is checked as a whole before it is written. It must not know what a setting is for.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import plainjson, privatefile, program, settingscheck
from watcher.settings import Folder, Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHANGEABLE = frozenset({"openclaw", "webhook", "wake", "turns_at_once", "ca_file"})
WORDS = frozenset({"argv", "allowed_hosts", "models"})
NUMBERS = frozenset({"limit_s", "retries", "turns_at_once", "verify_limit_s"})
TRUTHS = frozenset({"live_output"})
FILES = frozenset({"config", "ca_file", "workspace"})
RUNS, CHECKS = "runs", "verify"
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]{1,200}")


def home_of(environ: Mapping[str, str]) -> Path:
    """Give the user's home folder, as the environment has it."""
    return Path(environ.get("HOME") or Path.home())


def find_folder(chosen: str | None, environ: Mapping[str, str]) -> Folder:
    """Give the folder: `--dir`, else WAKEBUS_DIR, else `.wakebus` in the home folder."""
    named = chosen or environ.get("WAKEBUS_DIR")
    if named:
        return Folder(Path(named).expanduser().absolute())
    return Folder(home_of(environ) / ".wakebus")


def write_for_shell(folder: Folder, environ: Mapping[str, str]) -> str:
    """Write the folder as the agents' curl commands name it.

    That is its whole path, since OpenClaw may run with another HOME; one that a shell would have
    to quote is written below `$HOME` where it is there.
    """
    if PLAIN_PATH.fullmatch(str(folder.path)):
        return str(folder.path)
    home = home_of(environ)
    try:
        return f"$HOME/{folder.path.relative_to(home)}"
    except ValueError:
        return str(folder.path)


def find_file(named: str | None) -> Path | None:
    """Give a file that a person named, as a path that holds from anywhere."""
    return Path(named).expanduser().absolute() if named else None


@contextlib.contextmanager
def changing(folder: Folder) -> Iterator[None]:
    """Hold the settings from reading to writing: the watcher writes into them as a person does."""
    privatefile.make_folder(folder.state)
    with folder.change_lock_file.open("a", encoding="utf-8") as file:
        os.fchmod(file.fileno(), privatefile.FILE_MODE)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_raw(folder: Folder) -> dict[str, Any] | None:
    """Give the file's object as it is, or None where there is no file.

    Raises:
        SettingsError: it is not a JSON object, or cannot be read.
    """
    path = folder.settings_file
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise SettingsError(f"{path} must hold a JSON object")
    return raw


def load(folder: Folder) -> Settings:
    """Read and check the settings.

    Raises:
        SettingsError: there are none, or one is wrong.
    """
    raw = read_raw(folder)
    if raw is None:
        raise SettingsError(
            f"{folder.settings_file} is not there; run: {program()} enrol URL CODE "
            "(`bus node add NAME` on the bus machine prints both)"
        )
    try:
        return settingscheck.build(raw, folder)
    except SettingsError as error:
        raise SettingsError(f"{folder.settings_file}: {error}") from error


def save(folder: Folder, raw: dict[str, Any]) -> Settings:
    """Check the settings and put them onto the disk.

    Raises:
        SettingsError: one is wrong; the file is as it was.
    """
    checked = settingscheck.build(raw, folder)
    privatefile.write(folder.settings_file, json.dumps(raw, indent=2, sort_keys=True) + "\n")
    return checked


def change_agent(folder: Folder, agent: str, words: list[str]) -> Settings:
    """Change an agent's settings by `key=value` words; an empty value takes a key away.

    Raises:
        SettingsError: an unknown agent, key or value; the file is as it was.
    """
    with changing(folder):
        raw = read_raw(folder) or {}
        known = raw.get("agents", {})
        if agent not in known:
            there = ", ".join(known) or "none"
            raise SettingsError(f"no agent {agent} here; this node has: {there}")
        if not words:
            raise SettingsError(f"say what to change of {agent}, such as method=program")
        for word in words:
            key, value = _split_word(word)
            _change_deep(known[agent], key.split(".", 2), value)
        return save(folder, raw)


def change_all(folder: Folder, words: list[str]) -> Settings:
    """Change what holds for all agents, by words such as `openclaw.config=PATH`.

    Raises:
        SettingsError: an unknown key or value; the file is as it was.
    """
    with changing(folder):
        raw = read_raw(folder) or {}
        for word in words:
            name, value = _split_word(word)
            section, dot, key = name.partition(".")
            if (section if dot else name) not in CHANGEABLE:
                raise SettingsError(f"{name} cannot be set so; say AGENT key=value for one agent")
            part = raw.setdefault(section, {}) if dot else raw
            if not isinstance(part, dict):
                raise SettingsError(f"{section} in {folder.settings_file} must be an object")
            _change(part, key or name, value)
        return save(folder, raw)


def _split_word(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise SettingsError(f"{word!r} is not key=value")
    return key, value


def _change_deep(part: dict[str, Any], path: list[str], value: str) -> None:
    """Change a key of an agent, or one below `runs`, such as runs.workspace or runs.verify.NAME."""
    first, *rest = path
    if not rest:
        _change(part, first, value)
        return
    below = part.setdefault(first, {})
    if first not in {RUNS, CHECKS} or not isinstance(below, dict):
        raise SettingsError(f"nothing lies below {first}; only runs has keys of its own")
    if first == CHECKS:  # a check's name is free, and it has a command
        _change(below, ".".join(rest), value, kind="argv")
    else:
        _change_deep(below, rest, value)


def _change(part: dict[str, Any], key: str, value: str, *, kind: str = "") -> None:
    if value:
        part[key] = _parse_value(kind or key, value)
    else:
        part.pop(key, None)


def _parse_value(key: str, value: str) -> Any:
    """Read a value from a command line as its key wants it; what does not fit is refused later."""
    if key in WORDS and not value.startswith("["):
        try:
            return shlex.split(value)
        except ValueError as error:
            raise SettingsError(f"{key}={value!r}: {error}") from error
    if key in FILES:
        return str(find_file(value))
    if key in {*WORDS, *NUMBERS, *TRUTHS, "env"}:
        with contextlib.suppress(ValueError):
            return plainjson.read(value)
    return value
