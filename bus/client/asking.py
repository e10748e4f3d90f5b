"""What every call goes through: one address, one token, the JSON object of the answer."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from bus.client.failures import json_object
from bus.client.transport import ANSWER_TIMEOUT_S, Transport

if TYPE_CHECKING:
    from requests import Session

Json = dict[str, Any]


class Asking:
    """Asks one bus with one token; every call raises `ClientError` when refused."""

    def __init__(
        self,
        url: str,
        token: str,
        session: Session | None = None,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Take the bus's address and a token; a session only where it needs settings of its own."""
        self._http = Transport(url, token, session, timeout_s=timeout_s)

    @property
    def url(self) -> str:
        """The bus's address, without a slash at its end."""
        return self._http.url

    def twin(self) -> Self:
        """Make another for the same bus with the same token, for another thread."""
        return type(self)(self._http.url, self._http.token, timeout_s=self._http.timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str, params: Json | None = None) -> Json:
        return self._ask("GET", path, params=params, repeatable=True)

    def _ask(self, method: str, path: str, **request: Any) -> Json:
        return json_object(self._http.call(method, path, **request))

    def _post_once(self, path: str, body: Any, key: str | None) -> Json:
        """Post what must not be done twice; without a `key` it gets one of its own.

        So it can be repeated where the answer was lost.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self._ask("POST", path, json=body, headers=headers, repeatable=True)
