"""The command line of `rtplab grade`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROLES = ("auto", "server", "client", "both")
DISPLAYS = ("auto", "xvfb", "stub")


def parser(
    prog: str, editions: Sequence[str], formats: Sequence[str], platforms: Sequence[str]
) -> argparse.ArgumentParser:
    """The parser, with the names of the existing editions, report formats and platforms."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Grade an implementation of the streaming lab: run it, and say what is right.",
        epilog="Exit status: 0 all core points, 1 some are missing, 2 usage, 3 nothing could run.",
    )
    made.add_argument("path", nargs="*", type=Path, help="the submission's folder or zip")
    made.add_argument("--role", choices=ROLES, default="auto", help="what of it is graded")
    made.add_argument(
        "--edition", default="", help=f"the handout: {', '.join(editions)}, or a file of JSON"
    )
    made.add_argument("--only", nargs="+", metavar="CHECK", help="no other checks than these")
    made.add_argument("--list", action="store_true", help="list the checks")
    made.add_argument("--explain", metavar="CHECK", help="what a check asks, and why")
    made.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT[:FILE]",
        help=f"{', '.join(formats)}; may be repeated",
    )
    made.add_argument("--seed", type=_seed, help="the secret inputs' (hexadecimal)")
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep recordings and captures")
    made.add_argument(
        "--from", dest="kept", type=Path, metavar="DIR", help="judge kept recordings, run nothing"
    )
    made.add_argument("--watch", action="store_true", help="again whenever a file is saved")
    made.add_argument("--display", choices=DISPLAYS, default="auto", help="where windows are shown")
    made.add_argument("--python", default=sys.executable, help="the Python that runs it")
    made.add_argument("--server-cmd", metavar="CMD", help="starts its server, on port {port}")
    made.add_argument(
        "--client-cmd", metavar="CMD", help="starts its client: {host} {port} {rtp_port} {movie}"
    )
    made.add_argument(
        "--bundle",
        nargs=2,
        metavar=("PLATFORM", "OUT"),
        help=f"make what is uploaded to {', '.join(platforms)}: a zip or a folder",
    )
    return made


def _seed(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no hexadecimal number") from None
