"""Holds what was written as settings against what can be set; one table of keys for each level.

A refusal names the key and says what to write. It must not know files.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher import program
from watcher.settings import (
    CLEANUPS,
    METHOD_NAMES,
    AgentSettings,
    OpenClawSettings,
    RunSettings,
    Settings,
    SettingsError,
    WakeSettings,
    WebhookSettings,
    is_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from watcher.settings import Folder


_CHECK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def _take_text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _take_any_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - a wrong setting, not a wrong call
    return value


def _take_path(value: Any) -> Path:
    return Path(_take_text(value)).expanduser()


def _take_folder(value: Any) -> Path:
    path = _take_path(value)
    if not path.is_absolute():
        raise ValueError("the whole path of a folder, such as /home/me/work")
    return path


def _take_words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError('a list of texts such as ["claude", "-p", "{text}"]')
    if any("\0" in word for word in value):
        raise ValueError("free of NUL characters")
    return tuple(value)


def _take_argv(value: Any) -> tuple[str, ...]:
    """Take a command. What an agent wrote must never become a part of a shell's command."""
    argv = _take_words(value)
    for before, word in zip(("", *argv), argv):  # noqa: B905 - the last one has no successor
        if "{text}" in word and word != "{text}":
            raise ValueError("a list where {text} is an argument of its own")
        if word == "{text}" and before == "-c":
            raise ValueError("a list where {text} does not follow -c: it would be run as code")
    return argv


def _take_checks(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not all(map(_CHECK_NAME.fullmatch, value)):
        raise ValueError('an object of named commands such as {"tests": ["make", "test"]}')
    checks = {name: _take_words(command) for name, command in value.items()}
    if not all(checks.values()):
        raise ValueError("an object whose commands are not empty")
    return checks


def _take_cleanup(value: Any) -> str:
    if value not in CLEANUPS:
        raise ValueError(f"one of {', '.join(CLEANUPS)}")
    return str(value)


def _take_method(value: Any) -> str:
    if value not in METHOD_NAMES:
        raise ValueError(f"one of {', '.join(METHOD_NAMES)}")
    return str(value)


def _take_seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 604_800:
        raise ValueError("a number of seconds above 0 and up to a week")
    return float(value)


def _take_truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - a wrong setting, not a wrong call
    return value


def _take_count(least: int, most: int) -> Callable[[Any], int]:
    def take(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return take


def _take_environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError('an object of texts such as {"LANG": "C.UTF-8"}')
    if any(not key or "=" in key or "\0" in key + text for key, text in value.items()):
        raise ValueError("an object whose keys can name environment variables")
    return value


Kinds = dict[str, "Callable[[Any], Any]"]

OPENCLAW: Kinds = {"config": _take_path, "gateway_url": _take_text, "argv": _take_words}
WEBHOOK: Kinds = {"allowed_hosts": _take_words}
WAKE: Kinds = {"live_output": _take_truth}
RUNS: Kinds = {
    "workspace": _take_folder,
    "verify": _take_checks,
    "verify_limit_s": _take_seconds,
    "models": _take_words,
    "cleanup": _take_cleanup,
}


def _take_runs(value: Any) -> RunSettings:
    return RunSettings(**_check(value, RUNS, "runs"))


AGENT: Kinds = {
    "local_agent": _take_any_text,
    "session_key": _take_any_text,
    "method": _take_method,
    "argv": _take_argv,
    "limit_s": _take_seconds,
    "retries": _take_count(0, 4),  # the bus gives up after five counted attempts
    "cwd": _take_path,
    "env": _take_environment,
    "url": _take_any_text,
    "secret_file": _take_path,
    "runs": _take_runs,
}


def _take_openclaw(value: Any) -> OpenClawSettings:
    return OpenClawSettings(**_check(value, OPENCLAW, "openclaw"))


def _take_webhook(value: Any) -> WebhookSettings:
    return WebhookSettings(**_check(value, WEBHOOK, "webhook"))


def _take_wake(value: Any) -> WakeSettings:
    return WakeSettings(**_check(value, WAKE, "wake"))


def _take_agents(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("an object with an entry for each agent")  # noqa: TRY004 - as above
    for name in value:
        if not is_name(name):
            raise ValueError(f"an object of names on the bus; {name!r} is none")
    return {name: _check(entry, AGENT, f"agents.{name}") for name, entry in value.items()}


TOP: Kinds = {
    "url": _take_text,
    "node": _take_text,
    "turns_at_once": _take_count(1, 64),
    "ca_file": _take_path,
    "agents": _take_agents,
    "openclaw": _take_openclaw,
    "webhook": _take_webhook,
    "wake": _take_wake,
}


def _check(value: Any, kinds: Kinds, where: str) -> dict[str, Any]:
    """Hold an object against its table of keys."""
    if not isinstance(value, dict):
        raise SettingsError(f"{where or 'the settings'} must be an object, not {value!r}")
    checked = {}
    for key, entry in value.items():
        name = f"{where}.{key}" if where else key
        if key not in kinds:
            raise SettingsError(f"unknown setting {name}{_suggest(key, kinds)}")
        try:
            checked[key] = kinds[key](entry)
        except ValueError as error:
            raise SettingsError(f"{name} must be {error}, not {entry!r}") from error
    return checked


def _suggest(key: str, kinds: Kinds) -> str:
    near = difflib.get_close_matches(key, kinds, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(kinds)}"


def build(raw: Any, folder: Folder) -> Settings:
    """Turn the file's content into settings.

    Raises:
        SettingsError: one thing that is wrong in it.
    """
    checked = _check(raw, TOP, "")
    for key in ("url", "node"):
        if key not in checked:
            raise SettingsError(f"the setting {key} is missing; `{program()} enrol` writes it")
    checked["agents"] = {
        name: AgentSettings(name=name, **entry) for name, entry in checked.get("agents", {}).items()
    }
    return Settings(folder=folder, **checked)
