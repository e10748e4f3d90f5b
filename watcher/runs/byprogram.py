"""A run by a program: a process with the assignment on its input; what it prints is the output.

It leads a group of its own, which is ended with whatever it started at the limit, a cancel or the
watcher's stop. It must not know the bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import processes
from watcher.methods.child import (
    encode,
    environment_to_speak,
    explain,
    fill,
    strip_controls,
    tell_errors,
)
from watcher.runs import leftovers
from watcher.runs.result import Result

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.clock import Clock
    from watcher.runs.order import Halt, Order
    from watcher.settings import AgentSettings, Settings

MOST_OUTPUT_BYTES = 4 << 20  # as much as goes into the output file where the watcher writes it
MOST_CHECK_BYTES = 4_000
RESTARTED = "the watcher was restarted, and the program ended with it"


class ByProgram:
    """Runs the worker's `argv`, and the checks that its settings name."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def run(self, order: Order, agent: AgentSettings, workspace: Path, halt: Halt) -> Result:
        """Run the program to its end, its limit or the halt."""
        command = processes.Command(
            argv=fill(agent.argv, {"{text}": order.task}),
            env=self._environment(order, agent, workspace),
            cwd=agent.cwd or workspace,
            stdin=None if "{text}" in agent.argv else encode(order.task),
            limit_s=order.limit_s,
            most_output_bytes=MOST_OUTPUT_BYTES,
        )
        return self._judge(self._execute(order, command, halt), order.limit_s, halt)

    def check(
        self, order: Order, agent: AgentSettings, workspace: Path, halt: Halt, limit_s: float
    ) -> processes.Result:
        """Run the check that the order names."""
        command = processes.Command(
            argv=agent.runs.verify[order.verify],
            env=self._environment(order, agent, workspace),
            cwd=workspace,
            stdin=None,
            limit_s=limit_s,
        )
        return self._execute(order, command, halt)

    def end_leftovers(self, run_id: str) -> None:
        """End what an earlier life of the watcher left running."""
        leftovers.end(run_id, self._clock)

    def _execute(self, order: Order, command: processes.Command, halt: Halt) -> processes.Result:
        done = processes.run(command, self._clock, halt.event)
        if done.ended_by in {"limit", "stop"}:
            leftovers.end(order.run_id, self._clock)
        return done

    def _environment(self, order: Order, agent: AgentSettings, workspace: Path) -> dict[str, str]:
        """Give the process what tells it of the run, and the way to the bus, as to any program."""
        return {
            **environment_to_speak(self._settings, agent),
            leftovers.MARK: order.run_id,
            "WAKEBUS_RUN_LABEL": order.label.replace("\0", ""),
            "WAKEBUS_RUN_MODEL": order.model.replace("\0", ""),
            "WAKEBUS_RUN_OUTPUT": str(workspace / order.output),
        }

    @staticmethod
    def _judge(done: processes.Result, limit_s: float, halt: Halt) -> Result:
        result = Result("completed", output=done.output, output_bytes=done.output_bytes)
        if done.ended_by == "exit":
            result.exit_code = done.exit_code
        if done.ended_by == "stop" and halt.is_unwanted:
            result.fail(halt.why, "cancelled")
        elif done.ended_by == "stop":
            result.fail(f"{halt.why}, and the program ended with it")
        elif not done.is_good:
            why = explain(done, "the program", limit_s, tell_errors(done))
            result.fail(why, "timed_out" if done.ended_by == "limit" else "failed")
        return result


def tell_check(done: processes.Result) -> str:
    """Give the end of what a check said: there is what failed."""
    said = done.output[-MOST_CHECK_BYTES:].decode("utf-8", "replace")
    return strip_controls(said + done.error_tail.decode("utf-8", "replace"))[-MOST_CHECK_BYTES:]
