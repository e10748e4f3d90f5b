"""nchan: publish and subscribe inside nginx, its messages in the memory that nginx's workers share.

Debian's package keeps them nowhere else (its other storage is a Redis, which is a peer of its own
here), so it has no durability to vary: what it acknowledged is gone with its last process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.peers.peer import (
    BATCHES,
    HTTP_ANSWER,
    NOW,
    Reads,
    Sends,
    Server,
    Step,
    Variant,
    free_port,
    program_version,
    write_http,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"
KEPT = 20_000
"""How many messages of a channel are kept; nchan's own default of 10 has nothing to catch up on."""
CONFIGURATION = """\
load_module {module};
daemon off;
{user}
worker_processes auto;
worker_rlimit_nofile 30000;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 12000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  nchan_shared_memory_size 512M;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/send/(.+)$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length {kept};
      nchan_message_timeout 1h;
    }}
    location ~ ^/now/(.+)$ {{
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }}
    location ~ ^/earliest/(.+)$ {{
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message oldest;
    }}
  }}
}}
"""


class NchanServer(Server):
    def start(self) -> None:
        # Started by root, its workers would else be a user who may not enter the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        facts = {"module": MODULE, "user": user, "folder": self.folder, "kept": KEPT}
        text = CONFIGURATION.format(port=self.address[1], **facts)
        (self.folder / "nginx.conf").write_text(text)
        self.launch(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")])
        self.await_listening()

    def sends(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> Sends:
        path = f"/send/{mailbox}"
        requests = [write_http("POST", path, body, "text/plain") for body in bodies]
        return Sends(requests, HTTP_ANSWER)

    def batches(self, sender: int, mailbox: str, bodies: Sequence[bytes]) -> None:
        """It takes one message a request."""

    def reads(self, mailbox: str, reader: int, since: str) -> Reads:
        path = f"/now/{mailbox}" if since == NOW else f"/earliest/{mailbox}"
        request = write_http("GET", path, headers={"Accept": "text/event-stream"})
        return Reads([Step(request, rb"HTTP/1\.1 200 .*?\r\n\r\n: hi\n")])


class Nchan:
    name = "nchan"
    install = "apt install libnginx-mod-nchan"
    speaks = "HTTP"
    variants = (Variant("memory", "when it is in memory that nginx's processes share; on no disk"),)
    lacks: Mapping[str, str] = {BATCHES: "one message a request"}

    def version(self) -> str | None:
        package = program_version("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        nginx = program_version("nginx", "-v")
        if not nginx or not package or not Path(MODULE).exists():
            return None
        return f"{package}, {nginx.rpartition(' ')[2]}"

    def make(self, folder: Path, variant: Variant, mailboxes: Sequence[str]) -> Server:
        return NchanServer(folder, variant, mailboxes, ("127.0.0.1", free_port()))


PEER = Nchan()
