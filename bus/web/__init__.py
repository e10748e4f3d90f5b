"""Requests and answers: parsing, limits, problem+json, who is asking."""

from __future__ import annotations
