"""Mail: sending, deliveries and their ladder, the inbox with its leases, ack, reply, trace."""

from __future__ import annotations
