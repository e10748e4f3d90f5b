"""The article's watcher: reads the stream by lines and runs a command for a local agent's message.

`pollingwatcher.py URL AGENT COMMAND...`. The message goes to the command's stdin, so that the
command need not ask for its inbox: kinder than the article, whose agents do. It says each end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request


def watch(url: str, agent: str, command: list[str]) -> None:
    with urllib.request.urlopen(f"{url}/api/stream") as answer:
        for raw in answer:
            line = raw.decode().strip()
            if not line.startswith("data:"):
                continue
            message = json.loads(line[5:])
            if message["to_agent"] == agent:
                text = message["body"]
                done = subprocess.run(command, input=text, text=True, check=False)
                print(f"ended {done.returncode}", flush=True)


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2], sys.argv[3:])
