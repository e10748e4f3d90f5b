"""A bus that answers every wait at once and with nothing, as one in need of a restart would."""

from __future__ import annotations

import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Poller:
    """Serves while its block lasts, and notes how long each call wanted to wait."""

    def __enter__(self):
        self.waits = []
        noted = self.waits

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                query = parse_qs(urlsplit(self.path).query)
                noted.append(int(query.get("wait", ["0"])[0]))
                body = json.dumps({"agent": "two", "items": [], "more": 0}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.folder = tempfile.TemporaryDirectory()
        self.token_file = str(Path(self.folder.name) / "token")
        Path(self.token_file).write_text("a-token")
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.folder.cleanup()
