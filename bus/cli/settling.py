"""What `ack` and `release` share: a result for each handle, and the worst as the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.cli.output import harmless, paint_state, say
from bus.client import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bus.cli.calling import Caller


def settle(caller: Caller, call: Callable[[], Mapping[str, Any]]) -> None:
    """Make a call on handles and write each one's result, also where one of them was refused."""
    try:
        answer = call()
    except ClientError as error:
        if not caller.as_json:
            show_results(error.more)
        raise
    caller.show(answer, lambda: show_results(answer))


def show_results(answer: Mapping[str, Any]) -> None:
    """Write a line for each handle."""
    for one in answer.get("results", []):
        say(f"{harmless(one['handle'])}  {paint_state(one['result'])}")
