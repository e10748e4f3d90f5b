"""`bus config`: every setting with its value and where that comes from; secrets are not shown."""

from __future__ import annotations

import os

import click

from bus.cli.calling import json_option, read_config
from bus.cli.failing import told
from bus.cli.output import say, say_json, table
from bus.config import explain
from bus.serving.tls import check_tls
from bus.settings import SETTINGS


@click.command("config")
@click.option("--check", "only_check", is_flag=True, help="Show nothing; exit 4 if one is wrong.")
@click.option("--explain", "with_help", is_flag=True, help="Say what each setting means.")
@json_option
def command(*, only_check: bool, with_help: bool, as_json: bool) -> None:
    """Show every setting, its value and where that comes from."""
    with told(as_json=as_json):
        config = read_config()
        if only_check:
            check_tls(config)
        rows = explain(os.environ)
    meant = {row.key: (row.unit, row.help) for row in SETTINGS}
    if as_json:
        keys = ("key", "value", "source", "unit", "help")
        every = [dict(zip(keys, (*row, *meant[row[0]]), strict=True)) for row in rows]
        say_json({"settings": every})
    elif only_check:
        say("the settings are good")
    else:
        more = ("MEANING",) if with_help else ()
        shown = [
            (key, with_unit(value, meant[key][0]), source, *meant[key][1 : 1 + len(more)])
            for key, value, source in rows
        ]
        table(("SETTING", "VALUE", "SOURCE", *more), shown)


def with_unit(value: str, unit: str) -> str:
    """Write a value with its unit."""
    return f"{value} {unit}".strip() or "-"
