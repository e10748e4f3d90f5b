"""The HTTP client of the bus: what the command line and a Python program call it with.

It knows the calls of the API and nothing of the server's rooms.
"""

from __future__ import annotations

from bus.client.calls import BusClient
from bus.client.events import Event
from bus.client.failures import ClientError

__all__ = ["BusClient", "ClientError", "Event"]
