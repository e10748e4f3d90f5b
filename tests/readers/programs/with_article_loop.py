"""The least that reads the stream: its lines, of which only those with data count.

It knows no event and no cursor, and looks only at who each frame is for, which each must say.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request

OWN = {"alice", "bob"}

request = urllib.request.Request(sys.argv[1])
request.add_header("Authorization", f"Bearer {os.environ['READER_TOKEN']}")
with urllib.request.urlopen(request) as stream:
    for line in stream:
        text = line.decode().strip()
        if text.startswith("data:"):
            data = json.loads(text[5:])
            kind = "own" if data["to_agent"] in OWN else "control"
            print(json.dumps([kind, data, ""]), flush=True)
