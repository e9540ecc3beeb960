"""The options of the server's command line that decide who gets in, and to how much."""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path
from typing import Any

from rtplab.serving.access import Access, Users, parse_user
from rtplab.serving.limits import HELP, Limits, limit_names, option_of

MAX_LIMIT = 1_000_000  # of any limit: more is none


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
    group.add_argument(
        "--tls",
        nargs=2,
        type=Path,
        metavar=("CERT", "KEY"),
        help="speak RTSP inside TLS only, with this certificate and key (PEM files)",
    )
    limits = parser.add_argument_group("limits, safe as they are")
    for name in limit_names():
        limits.add_argument(
            option_of(name),
            type=_positive,
            default=getattr(Limits, name),
            dest=name,
            metavar="N",
            help=HELP[name],
        )


def security_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a Service that the options set.

    Raises ValueError with a sentence for the operator.
    """
    try:
        return {
            "access": _access(options),
            "tls": _tls_context(options),
            "limits": Limits(**{name: getattr(options, name) for name in limit_names()}),
        }
    except OSError as error:
        raise ValueError(f"{error.filename} can't be read ({error.strerror}).") from error


def _access(options: argparse.Namespace) -> Access | None:
    if not options.user and options.users is None:
        return None
    return Access(Users(options.user, options.users))


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    certificate, key = options.tls
    for path in (certificate, key):
        path.open("rb").close()  # ssl would not say which of them it can't read
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: the older ones are broken
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could have us compute without end
    try:
        # An encrypted key is refused, not asked for: nobody may be there to answer.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            f"{certificate} and {key} are no certificate in PEM and its unencrypted key "
            f"({getattr(error, 'reason', None) or error})."
        ) from error
    return context


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_LIMIT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_LIMIT}")
    return int(text)


def _user(text: str) -> tuple[str, str]:
    try:
        return parse_user(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
