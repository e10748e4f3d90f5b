"""atheris on one parser: `python fuzz.py NAME SECONDS`; ends with 0 where nothing was found."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["bus", "watcher", "parsers"]):
    from parsers import PARSERS, SEEDS


def main(name: str, seconds: str) -> None:
    """Search for so long; a finding ends the process with its input on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS.get(name, [])):
            (Path(folder) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=1024"]
        quiet = ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={folder}/"]
        atheris.Setup([sys.argv[0], *options, "-timeout=10", *quiet, folder], PARSERS[name])
        atheris.Fuzz()


main(*sys.argv[1:])
