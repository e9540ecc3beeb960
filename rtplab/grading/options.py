"""The command line of `rtplab grade`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rtplab.commandline import CommandLine

ROLES = ("auto", "server", "client", "both")
DISPLAYS = ("auto", "xvfb", "stub")

_EXAMPLES = """\
examples:
    {prog} .
        grade the submission in the current folder
    {prog} . --only packet.sequence --watch
        run one check again whenever a file is saved
    {prog} submissions/* --report csv:class.csv
        grade a class into one table

exit status: 0 all core points, 1 some are missing, 2 usage, 3 nothing could run
"""


def parser(
    prog: str, editions: Sequence[str], formats: Sequence[str], platforms: Sequence[str]
) -> argparse.ArgumentParser:
    """The parser, with the names of the existing editions, report formats and platforms."""
    made = CommandLine(
        prog=prog,
        description="Grade an implementation of the streaming lab: run it, and say what is wrong.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES.format(prog=prog),
    )
    made.add_argument("path", nargs="*", type=Path, help="the submission's folder or zip")
    made.add_argument("--role", choices=ROLES, default="auto", help="the part to grade")
    made.add_argument(
        "--edition", default="", help=f"the handout: {', '.join(editions)}, or a file of JSON"
    )
    made.add_argument("--only", nargs="+", metavar="CHECK", help="run only these checks")
    made.add_argument("--list", action="store_true", help="list the checks")
    made.add_argument("--explain", metavar="CHECK", help="explain what a check asks, and why")
    made.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT[:FILE]",
        help=f"write a report: {', '.join(formats)}; may be given several times",
    )
    made.add_argument(
        "--seed", type=_seed, help="use the secret inputs of an earlier run (hexadecimal)"
    )
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep recordings and captures")
    made.add_argument(
        "--from", dest="kept", type=Path, metavar="DIR", help="judge kept recordings, run nothing"
    )
    made.add_argument("--watch", action="store_true", help="grade again whenever a file is saved")
    made.add_argument(
        "--display", choices=DISPLAYS, default="auto", help="where the client's window is shown"
    )
    made.add_argument(
        "--python", default=sys.executable, help="the Python interpreter that runs the submission"
    )
    made.add_argument(
        "--server-cmd", metavar="CMD", help="the command that starts its server, with {port}"
    )
    made.add_argument(
        "--client-cmd",
        metavar="CMD",
        help="the command that starts its client, with {host} {port} {rtp_port} {movie}",
    )
    made.add_argument(
        "--bundle",
        nargs=2,
        metavar=("PLATFORM", "OUT"),
        help=f"make the zip or folder that you upload to {', '.join(platforms)}",
    )
    return made


def _seed(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a hexadecimal number") from None
