"""What `bus doctor` looks at around the database: whether the bus answers, TLS, the units."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Any

from bus.cli import systemctl
from bus.cli.checks import BAD, OK, WARN, Check
from bus.cli.unitfiles import BACKUP, UNITS
from bus.errors import ConfigError
from bus.serving.tls import certificate_end_s, check_tls

if TYPE_CHECKING:
    from bus.config import Config

DAY_S = 86_400
SOON_DAYS = 14
WITHIN_S, AGAIN_S = 5.0, 0.1
NOT_READY = 503


def look_at_running(config: Config) -> list[Check]:
    """Ask the bus whether it serves, and what only it knows; its trouble is in its answer."""
    from bus.client import ClientError  # noqa: PLC0415 - loads requests

    url = os.environ.get("BUS_URL") or config.url
    try:
        ready = ask_ready(url)
    except ClientError as error:
        where = "Another address: BUS_URL; its log: journalctl -u wakebus"
        full = "A full or failing disk: docs/howto/a-full-disk.md"
        is_storage = error.code == "storage_failed"
        return [Check("answers", BAD, f"{url}: {error.detail}", full if is_storage else where)]
    return [Check("answers", OK, f"{url} is ready"), *judge_ready(ready)]


def ask_ready(url: str) -> dict[str, Any]:
    """Ask for `/readyz`, again for a while where a bus answers and is not ready: it may be new.

    Raises:
        ClientError: it does not answer, or is not ready all that time.
    """
    from bus.client import BusClient, ClientError  # noqa: PLC0415 - loads requests

    end_s = time.monotonic() + WITHIN_S
    with BusClient(url, "", timeout_s=WITHIN_S) as bus:
        while True:
            try:
                return bus.ready()
            except ClientError as error:
                if error.status != NOT_READY or time.monotonic() > end_s:
                    raise
            time.sleep(AGAIN_S)


def judge_ready(ready: dict[str, Any]) -> list[Check]:
    """Judge what a ready bus says of its clock, and of rows that it could not process."""
    off_s, aside = float(ready.get("clock_off_s", 0)), int(ready.get("set_aside", 0))
    clock, rows = Check("bus time", OK, "goes with this machine's clock"), "rows set aside"
    if off_s:
        side = "ahead of" if off_s > 0 else "behind"
        found = f"this machine's clock stands {abs(off_s):g} s {side} the bus's time"
        mend = "If the clock is right, restart the bus; else set it: timedatectl set-ntp true"
        clock = Check("bus time", WARN, found, mend)
    if not aside:
        return [clock, Check(rows, OK, "none")]
    mend = "Which and why: journalctl -u wakebus | grep row_set_aside"
    return [clock, Check(rows, WARN, f"{aside} could not be processed; tried again", mend)]


def check_certificate(config: Config, now_s: float) -> Check:
    """Look when the certificate ends."""
    mend = "Renew BUS_TLS_CERT and restart the bus: docs/howto/tls.md"
    try:
        check_tls(config)
        left_days = (certificate_end_s(config) - now_s) / DAY_S
    except ssl.SSLCertVerificationError as error:
        return Check("certificate", BAD, error.verify_message, mend)
    except (ConfigError, ssl.SSLError) as error:
        return Check("certificate", BAD, str(error), mend)
    found = f"good for {left_days:.0f} days"
    state = OK if left_days > SOON_DAYS else WARN if left_days > 0 else BAD
    return Check("certificate", state, found, "" if state == OK else mend)


def check_units() -> list[Check]:
    """Look at the units, where this machine runs by systemd and has them."""
    if not systemctl.is_here():
        return []
    wanted = "--property=Id,LoadState,ActiveState,UnitFileState,Result"
    try:
        said = systemctl.run("show", wanted, *UNITS, within_s=WITHIN_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return [Check("units", WARN, f"systemctl does not answer: {error}")]
    blocks = [dict(line.split("=", 1) for line in b.splitlines()) for b in said.split("\n\n") if b]
    return [judge_unit(block) for block in blocks if block.get("LoadState") == "loaded"]


def judge_unit(unit: dict[str, str]) -> Check:
    """Judge one unit by what systemd says of it."""
    name, active = unit["Id"], unit.get("ActiveState", "")
    is_started_by_another = name == BACKUP
    if active == "failed" or unit.get("Result", "success") != "success":
        mend = f"Why: journalctl -u {name} -n 50"
        return Check(name, BAD, f"{active} ({unit.get('Result')})", mend)
    enabled = unit.get("UnitFileState", "")
    if is_started_by_another or (active == "active" and enabled == "enabled"):
        return Check(name, OK, active)
    return Check(name, WARN, f"{active}, {enabled}", f"systemctl enable --now {name}")
