"""The skill that teaches an OpenClaw agent the bus: a text file, filled in for one agent.

It must not know where a skill is put.
"""

from __future__ import annotations

from importlib import resources

NAME = "wakebus"
FILE_NAME = "SKILL.md"
HEADER_DIR = "$HOME/.wakebus"


def render(agent: str, url: str, header_dir: str = HEADER_DIR) -> str:
    """Write the skill for one agent, as it knows the bus's address and its own header file."""
    text = resources.files(__name__).joinpath(FILE_NAME).read_text(encoding="utf-8")
    for key, value in (("agent", agent), ("url", url.rstrip("/")), ("header_dir", header_dir)):
        text = text.replace("{{" + key + "}}", value)
    return text
