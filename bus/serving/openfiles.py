"""Room for every connection: each is an open file, and a process may open so many."""

from __future__ import annotations

import resource

from bus.errors import ConfigError

OWN_FILES = 200
"""What the bus opens besides connections: the database, its log, what Python loads."""


def allow_connections(most: int) -> None:
    """Raise this process's own limit as far as it needs.

    Raises:
        ConfigError: it may not open so many files.
    """
    needed = most + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise ConfigError(
                f"BUS_MAX_CONNECTIONS={most} needs {needed} open files and this process may have "
                f"{hard}; set LimitNOFILE={needed} in the unit, or `ulimit -n {needed}` in a shell"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
