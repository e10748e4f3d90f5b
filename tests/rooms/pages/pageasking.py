"""How a browser asks an application in process."""

from __future__ import annotations

SITE = "http://bus.lan:8091"


class Browser:
    """Asks with a cookie, or without; gives whole answers."""

    def __init__(self, app, token):
        self.app, self.token = app, token

    def ask(self, method, path, body=None, *, cookie=True, **headers):
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            shown["Cookie"] = f"wakebus={self.token}"
        client = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, data=body, headers=shown, base_url=SITE)
