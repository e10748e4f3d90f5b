"""The stream with the standard library alone, going on where it was after every break.

An event counts at its blank line: its id is on the wire before its data, so whoever believes the
id at once loses the event when the bus dies between the two.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from http.client import HTTPException

PAUSE_S = 0.1

cursor = ""
while True:
    request = urllib.request.Request(sys.argv[1])
    request.add_header("Authorization", f"Bearer {os.environ['READER_TOKEN']}")
    if cursor:
        request.add_header("Last-Event-ID", cursor)
    fields: dict[str, str] = {}
    try:
        with urllib.request.urlopen(request, timeout=60) as stream:
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value
                if name:
                    continue
                cursor = fields.get("id", cursor)
                print(json.dumps([fields["event"], json.loads(fields["data"]), cursor]), flush=True)
                fields = {}
    except (OSError, HTTPException):
        time.sleep(PAUSE_S)
