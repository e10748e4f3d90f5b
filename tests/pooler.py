"""PgBouncer before a PostgreSQL of a test's own, as one that lends a session for a transaction."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.chromium import miss
from tests.conftest import until
from tests.postgres import ROLE, as_postgres, free_port, new_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Cluster

SETTINGS = """\
[databases]
* = host=127.0.0.1 port={at}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
max_client_conn = 400
server_login_retry = 1
"""


@contextmanager
def pooling(cluster: Cluster, mode: str = "transaction") -> Iterator[int]:
    """Have one for as long as the block lasts; gives its port."""
    program = shutil.which("pgbouncer")
    if program is None:
        miss("PgBouncer: apt install pgbouncer")
    assert threading.current_thread() is threading.main_thread(), "it would end with the thread"
    folder, port = new_folder(None), free_port()
    (folder / "users").write_text(f'"{ROLE}" "{cluster.password}"\n')
    (folder / "ini").write_text(
        SETTINGS.format(at=cluster.port, port=port, folder=folder, mode=mode)
    )
    for name in ("users", "ini"):
        (folder / name).chmod(0o644)  # in a folder of its user alone
    command = ["setpriv", "--pdeathsig", "KILL", str(program), "--quiet", str(folder / "ini")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **as_postgres())
    try:
        until(lambda: listens(port), 30, "the pooler listens")
        yield port
    finally:
        process.kill()
        process.wait(30)
        shutil.rmtree(folder)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
