"""The calls of notices: where one is told when away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bus.client.asking import Asking
from bus.client.transport import present

if TYPE_CHECKING:
    from bus.client.asking import Json


def path_of(of: str, target: str = "") -> str:
    path = f"/api/people/{quote(of, safe='')}/notices"
    return f"{path}/{quote(target, safe='')}" if target else path


class NoticeCalls(Asking):
    """One's own notices; the administration sees and removes those of others."""

    def notices(self, of: str = "self") -> Json:
        return self._get(path_of(of))

    def set_notice(self, target: str, kind: str, **fields: Any) -> Json:
        """Be told at a target: `url`, `topic`, `token`, `address`, `events`, `previews`.

        The answer has a new webhook's `secret`, once.
        """
        body = present({"kind": kind, **fields})
        return self._ask("PUT", path_of("self", target), json=body)

    def remove_notice(self, target: str, of: str = "self") -> Json:
        return self._ask("DELETE", path_of(of, target))

    def test_notice(self, target: str) -> Json:
        """Send a test now; `ok` and what was `said`."""
        return self._ask("POST", f"{path_of('self', target)}/test")
