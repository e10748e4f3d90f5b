"""What a worker's own settings allow its runs, and whether this node can do them.

Asked before anything is begun. It must not know how a run is done.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import program
from watcher.methods import name_meant
from watcher.methods.base import find_strange
from watcher.methods.child import environment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.runs.order import Order
    from watcher.settings import AgentSettings

SEEING = ("auto", "gateway", "program")
"""The methods that see a run's end."""


class UnfitError(Exception):
    """This node cannot or may not run it as ordered; the message is for the run's parent."""


def check_fitness(agent: AgentSettings, order: Order) -> None:
    """Hold an order against the worker's own settings, before anything is begun.

    Raises:
        UnfitError: it asks for what they do not allow.
    """
    setting = f"{program()} set {agent.name}"
    method = name_meant(agent)
    if method not in SEEING:
        raise UnfitError(
            f"{agent.name} is reached by {method}, which cannot see a run's end: on its node,"
            f" {setting} method=gateway, or method=program with an argv"
        )
    if method == "program" and not agent.argv:
        raise UnfitError(f"no argv is set for {agent.name}: on its node, {setting} argv=COMMAND")
    trouble = "" if method == "program" else find_strange(agent)
    if trouble:
        raise UnfitError(trouble)
    if order.model and order.model not in agent.runs.models:
        raise UnfitError(
            f"the model {order.model!r} is not allowed for {agent.name};"
            f" {_list(agent.runs.models)}: on its node, {setting} runs.models=..."
        )
    if not order.verify:
        return
    if order.verify not in agent.runs.verify:
        raise UnfitError(
            f"{agent.name} has no check {order.verify!r}; {_list(agent.runs.verify)}:"
            f" on its node, {setting} runs.verify.NAME=COMMAND"
        )
    command = agent.runs.verify[order.verify][0]
    if shutil.which(command, path=environment(agent).get("PATH")) is None and "/" not in command:
        raise UnfitError(f"the check {order.verify!r} cannot run: there is no {command} there")


def check_workspace(agent: AgentSettings, named: str) -> Path:
    """Give the worker's workspace.

    Raises:
        UnfitError: there is none.
    """
    setting = f"on its node, {program()} set {agent.name} runs.workspace=/PATH"
    if not named:
        raise UnfitError(f"no workspace is known for {agent.name}: {setting}")
    path = Path(named)
    if not path.is_dir():
        raise UnfitError(f"the workspace {named} of {agent.name} is not a folder there: {setting}")
    return path


def _list(names: Iterable[str]) -> str:
    return f"allowed are {', '.join(names)}" if names else "none is set"
