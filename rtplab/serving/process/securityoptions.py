"""The options of the server's command line that decide who gets in, and to how much."""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path
from typing import Any

from rtplab.serving.admission.access import Access, Users, parse_user
from rtplab.serving.admission.limits import BOUNDS, Bound, Limits, option_of
from rtplab.serving.rtsp.service import SESSION_TIMEOUT

# A player gives a sign of life at half the time, and may be late by a lost packet.
_SESSION_TIMEOUT = Bound("of silence that end a session of the standard", "seconds", lowest=5)


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
    limits = parser.add_argument_group("limits, safe as they are; each worker counts for itself")
    for name, bound in BOUNDS.items():
        _add_limit(limits, name, bound, getattr(Limits, name))
    _add_limit(limits, "session_timeout", _SESSION_TIMEOUT, SESSION_TIMEOUT)


def _add_limit(group: argparse._ArgumentGroup, name: str, bound: Bound, default: float) -> None:
    def number(text: str) -> int:
        try:
            return bound.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    group.add_argument(
        option_of(name),
        type=number,
        default=default,
        dest=name,
        metavar="N",
        help=f"{bound.unit} {bound.meaning} (default: {default:g})".strip(),
    )


def security_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a Service that the options set.

    Raises ValueError with a sentence for the operator.
    """
    try:
        return {
            "access": _access(options),
            "tls": _tls_context(options),
            "limits": Limits(**{name: getattr(options, name) for name in BOUNDS}),
            "session_timeout": float(options.session_timeout),
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


def _user(text: str) -> tuple[str, str]:
    try:
        return parse_user(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
