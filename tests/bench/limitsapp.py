"""What a route costs that does nothing, served as the bus is: the same gunicorn, the same worker.

`/empty` is bare Flask. `/passed` goes the way of a send (body, token, limits, its answer noted) up
to the verb, and there it ends. Run with the settings of a bus, on a database of its own.
"""

from __future__ import annotations

import os
from typing import Any

from bus.config import Config
from bus.serving.notify import Notify
from bus.serving.run import Server
from bus.store.lock import take_lock

ANSWER = {"status": "accepted", "id": "m_00000000000000000000000000", "deduplicated": False}


class Limits(Server):
    def load(self) -> Any:
        return Both(self._bus_config)


class Both:
    """Two applications behind one port."""

    def __init__(self, config: Config) -> None:
        # Not before the worker has patched.
        from flask import Flask  # noqa: PLC0415

        from bus.app import create_app  # noqa: PLC0415
        from bus.mail.api import SENT  # noqa: PLC0415
        from bus.web.calls import Calls  # noqa: PLC0415
        from bus.web.request import read_json  # noqa: PLC0415

        self._empty, self._whole = Flask("empty", static_folder=None), create_app(config)
        self.extensions = self._whole.extensions
        calls = Calls("limits")
        methods = ["POST", "GET"]
        self._empty.add_url_rule("/empty", "empty", lambda: (ANSWER, 202), methods=methods)

        # Told, as a send is: the lines of those are its room's.
        @calls.add("POST", "/passed", who=("agent",), summary="Nothing", body=SENT, is_told=True)
        def passed(_principal: object) -> tuple[dict[str, Any], int]:
            read_json(SENT)
            return ANSWER, 202

        calls.register(self._whole)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        app = self._empty if environ["PATH_INFO"] == "/empty" else self._whole
        return app(environ, start_response)


if __name__ == "__main__":
    config = Config.from_env(os.environ)
    take_lock(config.db_path)
    Limits(config, Notify.take(os.environ)).run()
