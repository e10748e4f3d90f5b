"""What makes a shell complete this command: a script made from the command's own parser.

Words only: commands and their options. It asks nobody, so Tab never waits.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BASH = """\
_bus_watcher() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} known
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
    --dir|--ca-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    if (( COMP_CWORD == 1 )); then known="{commands}"; else
    case ${{COMP_WORDS[1]}} in
{cases}
    esac; fi
    COMPREPLY=($(compgen -W "$known" -- "$cur"))
}}
complete -F _bus_watcher bus-watcher
"""
ZSH = """\
_bus_watcher() {{
    local known
    case ${{words[CURRENT-1]}} in
    --dir|--ca-file) _files; return ;;
    esac
    if (( CURRENT == 2 )); then known="{commands}"; else
    case ${{words[2]}} in
{cases}
    esac; fi
    compadd -- ${{=known}}
}}
compdef _bus_watcher bus-watcher
"""
SHELLS = {"bash": BASH, "zsh": ZSH}


def write(parser: argparse.ArgumentParser, shell: str) -> str:
    """Write the script for a shell."""
    known = {name: " ".join(sorted(words_of(each))) for name, each in parsers_of(parser)}
    cases = "\n".join(f'    {name}) known="{words}" ;;' for name, words in known.items())
    return SHELLS[shell].format(commands=" ".join([*known, *words_of(parser)]), cases=cases)


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Give each command with its parser."""
    for action in parser._actions:  # noqa: SLF001 - argparse shows them nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - likewise
            yield from action.choices.items()


def words_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Give the options of a parser, and the words that may stand alone."""
    for action in parser._actions:  # noqa: SLF001 - likewise
        yield from action.option_strings
        if action.choices and not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from map(str, action.choices)
