"""The stream with httpx-sse. It gives events and leaves coming back to its caller.

The timeout is set because httpx waits 5 s for the next byte by default, and the bus may be silent
for longer.
"""

from __future__ import annotations

import json
import os
import sys
import time

import httpx
from httpx_sse import connect_sse

PAUSE_S = 0.1

cursor = ""
headers = {"Authorization": f"Bearer {os.environ['READER_TOKEN']}"}
with httpx.Client(headers=headers, timeout=60) as client:
    while True:
        resume = {"Last-Event-ID": cursor} if cursor else {}
        try:
            with connect_sse(client, "GET", sys.argv[1], headers=resume) as source:
                source.response.raise_for_status()
                for event in source.iter_sse():
                    cursor = event.id
                    print(json.dumps([event.event, event.json(), cursor]), flush=True)
        except httpx.HTTPError:
            time.sleep(PAUSE_S)
