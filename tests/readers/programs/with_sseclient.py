"""The stream with sseclient-py over requests. The id of an event without one is empty, so the
last one must be kept by hand.
"""

from __future__ import annotations

import json
import os
import sys
import time

import requests
import sseclient

PAUSE_S = 0.1

cursor = ""
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['READER_TOKEN']}"
while True:
    resume = {"Last-Event-ID": cursor} if cursor else {}
    try:
        with session.get(sys.argv[1], headers=resume, stream=True, timeout=60) as response:
            response.raise_for_status()
            for event in sseclient.SSEClient(response).events():
                cursor = event.id or cursor
                print(json.dumps([event.event, json.loads(event.data), cursor]), flush=True)
    except requests.RequestException:
        time.sleep(PAUSE_S)
