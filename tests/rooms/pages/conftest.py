"""The application in process, with a person's token, asked as a browser asks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pageasking import SITE, Browser

from bus.access import service as access
from bus.app import create_app
from bus.clock import ManualClock
from bus.config import Config
from bus.directory import service as directory
from bus.ids import CountingIds
from tests.newdatabase import make_database


@pytest.fixture
def browser(tmp_path):
    config = make_database(Config(data_dir=tmp_path, public_url=SITE))
    app = create_app(config, clock=ManualClock(), ids=CountingIds(), keeper=False)
    store = app.extensions["wakebus"].store
    store.write(lambda tx: directory.add(tx, {"name": "alice", "kind": "person"}))
    token = store.write(lambda tx: access.create_token_for(tx, "person", "alice", ""))[1]
    yield Browser(app, token)
    store.close()
