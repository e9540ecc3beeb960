"""The options of the server's command line that decide who gets in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rtplab.serving.access import Access, Users, parse_user


def add_security_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; `security_settings` reads them."""
    group = parser.add_argument_group("who gets in")
    group.add_argument(
        "--user",
        action="append",
        default=[],
        type=_user,
        metavar="NAME:PASSWORD",
        help="let in only this user; may be given several times",
    )
    group.add_argument(
        "--users", type=Path, metavar="FILE", help="let in the users of a file as of htdigest"
    )


def security_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a Service that the options set.

    Raises ValueError with a sentence for the operator.
    """
    try:
        return {"access": _access(options)}
    except OSError as error:
        raise ValueError(f"{error.filename} can't be read ({error.strerror}).") from error


def _access(options: argparse.Namespace) -> Access | None:
    if not options.user and options.users is None:
        return None
    return Access(Users(options.user, options.users))


def _user(text: str) -> tuple[str, str]:
    try:
        return parse_user(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
