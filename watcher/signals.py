"""SIGTERM and SIGINT to one call, outside of the main thread, and an end that surely comes.

A handler runs between two steps of whatever the main thread does, and may meet a lock that this
very thread holds. So the handlers do nothing, and a thread of its own reads which signal it was.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

from watcher import log

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
LONGEST_STOP_S = 1.9


def call_on_stop(on_stop: Callable[[], None]) -> threading.Event:
    """Call `on_stop` at the first stop signal; call this from the main thread.

    Gives an event to set when the end is done; a process that has not come to it 1.9 s after the
    signal (it may hang in a name lookup) is ended with status 0, because it was asked to end.
    """
    finished = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        with writer:  # kept open for as long as signals may come
            number = reader.recv(1)[0]
            log.say("watcher_stopping", signal=signal.Signals(number).name)
            on_stop()
            if not finished.wait(LONGEST_STOP_S):
                log.warn("watcher_stop_forced", after_s=LONGEST_STOP_S)
                os._exit(0)

    threading.Thread(target=watch, name="signals", daemon=True).start()
    return finished
