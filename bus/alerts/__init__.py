"""Alerts: what goes up an agent's chain until somebody has it in hand."""
