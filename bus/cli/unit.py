"""`bus unit`: the bus as a service of systemd; put there, shown, taken away.

A second `install` changes nothing; whatever was done is said, and what a person does next.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bus.cli import systemctl, unitfiles, wholefile
from bus.cli.calling import ADMIN_FILE
from bus.cli.failing import REFUSED, SETTINGS, Failure, told
from bus.cli.installed import DATA_DIR, SERVICE, UNIT_DIR, export_command
from bus.cli.next_steps import DEFAULT_URL, invoked
from bus.cli.output import complain, harmless, say
from bus.cli.unitfiles import SETTINGS_FILE, TIMER, UNITS
from bus.config import is_loopback
from bus.serving.tls import warnings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bus.config import Config

LAST_LINES = "8"


@click.group("unit")
def command() -> None:
    """The bus as a service of systemd, with a backup every day."""


@command.command("install")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the service, such as BUS_HOST=0.0.0.0; empty takes it out. Repeatable.",
)
def install(changes: Sequence[str]) -> None:
    """Install, enable and start the service; again, it changes only what is not so yet.

    The units go to /etc/systemd/system, the settings to /etc/wakebus/bus.env, the data to
    /var/lib/wakebus. When this ends, the bus serves.
    """
    with told():
        check_root(["install", *(f"--set {change}" for change in changes)])
        check_systemd()
        unitfiles.check_program()
        for unread in unitfiles.unread(dict(os.environ)):
            complain(f"warning: {unread}")
        was_running = systemctl.run("is-active", "--quiet", SERVICE).returncode == 0
        has_new_settings = write_settings(changes)
        written = write_units()
        if written:
            ask_systemd("daemon-reload")
        ask_systemd("enable", "--quiet", SERVICE, TIMER)
        ask_systemd("restart" if TIMER in written else "start", TIMER)
        anew = has_new_settings or SERVICE in written
        start(anew=anew)
        say_installed(unitfiles.service_config(), went_on=was_running and not anew)


@command.command("show")
@click.argument("name", required=False, type=click.Choice(UNITS))
def show(name: str | None) -> None:
    """Show the units as install would write them; or one."""
    for each in [name] if name else UNITS:
        if not name:
            say(f"# {UNIT_DIR / each}")
        say(unitfiles.unit_text(each))


@command.command("uninstall")
def uninstall() -> None:
    """Stop the service and remove the units; settings and data stay."""
    with told():
        check_root(["uninstall"])
        check_systemd()
        there = [name for name in UNITS if (UNIT_DIR / name).exists()]
        if there:
            ask_systemd("disable", "--now", "--quiet", *there)
            for name in there:
                (UNIT_DIR / name).unlink()
                say(f"removed {UNIT_DIR / name}")
            ask_systemd("daemon-reload")
        else:
            say("no unit of the bus is installed")
        say_left()


def check_root(words: Sequence[str]) -> None:
    """Refuse who may not write units, with what to run."""
    if os.geteuid() != 0:
        mend = f"sudo {unitfiles.program()} unit {' '.join(words)}"
        raise Failure("only root installs and removes services", SETTINGS, mend=mend)


def check_systemd() -> None:
    """Refuse a machine that systemd does not run."""
    if not systemctl.is_here():
        raise Failure(
            "systemd does not run this machine",
            SETTINGS,
            mend="Have whatever does run: bus init, then bus serve (see bus unit show)",
        )


def write_units() -> list[str]:
    """Write what is not there as it should be; gives those units."""
    written = [name for name in UNITS if write(UNIT_DIR / name, unitfiles.unit_text(name))]
    for name in UNITS:
        if name not in written:
            say(f"as it was: {UNIT_DIR / name}")
    return written


def write_settings(changes: Sequence[str]) -> bool:
    """Make the settings file, or change it; says whether it differs now."""
    SETTINGS_FILE.parent.mkdir(mode=0o755, exist_ok=True)
    is_there = SETTINGS_FILE.exists()
    old = SETTINGS_FILE.read_text(encoding="utf-8") if is_there else unitfiles.FIRST_SETTINGS
    return write(SETTINGS_FILE, unitfiles.with_settings(old, changes))


def write(path: Path, text: str) -> bool:
    """Write a file that everybody may read, if it differs."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    wholefile.write(path, text, wholefile.FOR_ALL)
    say(f"wrote {path}")
    return True


def start(*, anew: bool) -> None:
    """Start the service and wait until it serves; what kept it from that is shown."""
    say("starting the bus ...")
    if systemctl.run("restart" if anew else "start", SERVICE).returncode:
        status = systemctl.run("status", "--no-pager", "--lines", LAST_LINES, SERVICE).stdout
        raise Failure(
            f"the bus did not start:\n{harmless(status, lines=True)}",
            REFUSED,
            mend=f"When it is mended: systemctl restart wakebus (settings: {SETTINGS_FILE})",
        )


def ask_systemd(*words: str) -> None:
    """Ask systemd for something that works.

    Raises:
        Failure: it did not.
    """
    done = systemctl.run(*words)
    if done.returncode:
        raise Failure(f"systemctl {' '.join(words)}: {done.stderr.strip()}", REFUSED)


def say_installed(config: Config, *, went_on: bool) -> None:
    """Say what is there now and what a person does next."""
    for warning in warnings_of(config):
        complain(warning)
    bus = invoked("bus")
    calls = "" if config.url == DEFAULT_URL else f"\n  export BUS_URL={config.url}"
    token = DATA_DIR / ADMIN_FILE
    is_here = token.exists() or not config.is_postgresql
    reads = "which only root reads" if is_here else "on the machine that made the database alone"
    say(f"""\
the bus serves at {config.url}
  status and log    systemctl status wakebus; journalctl -u wakebus -f
  settings          {SETTINGS_FILE} (or {bus} unit install --set KEY=VALUE)
  data              {DATA_DIR}; a backup every day in {DATA_DIR / "backups"}
  administration    {token}, {reads}""")
    if went_on:
        say("it went on running; for a program installed since: systemctl restart wakebus")
    say(f"""
Next, as root:
  {export_command()}{calls}
  {bus} node add shed --agents carl,dora     # a machine and its agents; says what to run there""")
    say_reach(config, bus)


def say_reach(config: Config, bus: str) -> None:
    """Say what other machines lack, which are given the address that the bus has of itself."""
    url = urlsplit(config.url)
    if not is_loopback(url.hostname or ""):
        return
    public = f"--set BUS_PUBLIC_URL={url.scheme}://NAME:{config.port}"
    if is_loopback(config.host):
        say(f"""\
Only this machine reaches it. For others, with this machine's name or address:
  {bus} unit install --set BUS_HOST=0.0.0.0 {public}""")
    else:
        complain(f"""\
warning: other machines reach it, and are given {config.url}, which is themselves
  With this machine's name or address: {bus} unit install {public}""")


def say_left() -> None:
    """Say what a person keeps, and how it goes."""
    places = (SETTINGS_FILE.parent, DATA_DIR, unitfiles.PRIVATE_DIR)
    changed = (UNIT_DIR / f"{name}.d" for name in UNITS)
    left = [str(place) for place in (*places, *changed) if place.exists() or place.is_symlink()]
    if left:
        say(f"kept, with all mail and tokens; to remove it for good:\n  rm -r {' '.join(left)}")
