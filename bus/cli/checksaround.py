"""What `bus doctor` looks at around the database: whether the bus answers, TLS, the units."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bus.cli.checks import BAD, OK, WARN, Check
from bus.errors import ConfigError
from bus.serving.tls import certificate_end_s, check_tls

if TYPE_CHECKING:
    from bus.config import Config

DAY_S = 86_400
SOON_DAYS = 14
WITHIN_S = 5.0
UNITS = ("wakebus.service", "wakebus-backup.timer", "wakebus-backup.service")


def check_answer(config: Config) -> Check:
    """Ask the bus whether it serves; its keeper's trouble is in its answer."""
    from bus.client import BusClient, ClientError  # noqa: PLC0415 - loads requests

    url = os.environ.get("BUS_URL") or config.url
    try:
        with BusClient(url, "", timeout_s=WITHIN_S) as bus:
            bus.is_ready()
    except ClientError as error:
        where = "Another address: BUS_URL; its log: journalctl -u wakebus"
        full = "A full or failing disk: docs/howto/a-full-disk.md"
        mend = where if error.unreachable else full
        return Check("answers", BAD, f"{url}: {error.detail}", mend)
    return Check("answers", OK, f"{url} is ready")


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
    systemctl = shutil.which("systemctl")
    if systemctl is None or not Path("/run/systemd/system").is_dir():
        return []
    ask = [systemctl, "show", "--property=Id,LoadState,ActiveState,UnitFileState,Result", *UNITS]
    try:
        said = subprocess.run(
            ask, capture_output=True, text=True, timeout=WITHIN_S, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return [Check("units", WARN, f"systemctl does not answer: {error}")]
    blocks = [dict(line.split("=", 1) for line in b.splitlines()) for b in said.split("\n\n") if b]
    return [judge_unit(block) for block in blocks if block.get("LoadState") == "loaded"]


def judge_unit(unit: dict[str, str]) -> Check:
    """Judge one unit by what systemd says of it."""
    name, active = unit["Id"], unit.get("ActiveState", "")
    is_started_by_another = name == "wakebus-backup.service"
    if active == "failed" or unit.get("Result", "success") != "success":
        mend = f"Why: journalctl -u {name} -n 50"
        return Check(name, BAD, f"{active} ({unit.get('Result')})", mend)
    enabled = unit.get("UnitFileState", "")
    if is_started_by_another or (active == "active" and enabled == "enabled"):
        return Check(name, OK, active)
    return Check(name, WARN, f"{active}, {enabled}", f"systemctl enable --now {name}")
