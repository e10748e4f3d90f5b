"""A request that waits for something: it looks when it is told to, and goes with its client."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import request
from gevent.event import Event

from bus.live import leaving
from bus.serving.drain import DRAIN
from bus.store.transaction import token_topic
from bus.web.papers import papers_of_request
from bus.web.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

    from bus.access.model import Principal
    from bus.live.hub import Listener

LONGEST_WAIT_S = 60


def wait_until(
    principal: Principal, seconds: int, topic: str, is_there: Callable[[sa.Connection], bool]
) -> bool:
    """Wait until something is there, at most so long; says whether it is.

    Raises:
        UnauthorizedError: the token was revoked meanwhile.
    """
    run = runtime()
    if not seconds:
        with run.store.read() as conn:
            return is_there(conn)
    papers, gone = papers_of_request(), Event()
    until_s = run.clock.monotonic_s() + seconds
    topics = {topic, token_topic(principal.token_id), DRAIN}
    with run.hub.listen(topics) as listener, hang_up_tells(gone, listener):
        while not run.drain.begun and not gone.is_set():
            listener.clear()
            run.known.find(papers)
            with run.store.read() as conn:
                if is_there(conn):
                    return True
            left_s = until_s - run.clock.monotonic_s()
            if left_s <= 0 or not listener.wait(left_s):
                break
    return False


@contextmanager
def hang_up_tells(gone: Event, listener: Listener) -> Iterator[None]:
    """Have a waiting request hear that its client has gone, so that it does nothing for nobody."""

    def leave() -> None:
        gone.set()
        listener.wake()

    with leaving.watch(request.environ.get("gunicorn.socket"), leave):
        yield
