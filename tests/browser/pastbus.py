"""A bus of the last days: the application in process, on a clock that is moved by hand.

What is done with it lies on the disk, with times of the past, for a bus that serves it today.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bus.app import create_app
from bus.clock import ManualClock
from bus.config import Config
from tests import engine

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

HOUR_S = 3600.0


@dataclass
class PastBus:
    """Takes calls as `tests.conftest.Bus` does."""

    data_dir: Path
    begin_hours_ago: float
    url: str = "http://127.0.0.1:8091"
    admin: str = ""
    clock: ManualClock = field(init=False)
    app: Flask = field(init=False)

    def __post_init__(self) -> None:
        self._end_s = time.time()
        self.admin = (self.data_dir / "admin.token").read_text().strip()
        self.clock = ManualClock(round((self._end_s - self.begin_hours_ago * HOUR_S) * 1000))
        config = Config(
            data_dir=self.data_dir,
            database_url=engine.url_of(self.data_dir),
            log_level="warning",
            rate_per_s=1000,
            rate_burst=1000,
        )
        self.app = create_app(config, clock=self.clock, keeper=False)

    def at(self, hours_ago: float) -> None:
        """Move on to so long before now; never back."""
        target_ms = round((self._end_s - hours_ago * HOUR_S) * 1000)
        self.clock.advance(max(0, target_ms - self.clock.now_ms()) / 1000)

    def call(
        self, token: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        self.clock.advance(0.003)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {token}"
        answer = self.app.test_client().open(path, method=method, json=body, headers=named)
        return answer.status_code, answer.get_json(silent=True) or answer.text

    def end(self) -> None:
        self.app.extensions["wakebus"].store.close()
