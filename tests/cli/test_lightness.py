"""What `bus serve` must not have loaded when gunicorn forks and gevent patches."""

from __future__ import annotations

import subprocess
import sys


def test_serving_loads_neither_a_client_nor_a_database_before_the_fork():
    heavy = ("requests", "urllib3", "flask", "sqlalchemy", "alembic", "gevent")
    code = (
        "import sys, bus.cli, bus.cli.serve, bus.serving.run;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
