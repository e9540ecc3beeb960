"""Certificates for the tests of TLS, made by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from needs import need


class Certificate(NamedTuple):
    """PEM files. The certificate is its own authority."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Certificate:
    """Make one for the given names; skip the test, or in CI fail it, where openssl is missing."""
    need(shutil.which("openssl"), "openssl")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names_and_time = ("-subj", "/CN=test", "-addext", f"subjectAltName={names}", "-days", "2")
    files = ("-keyout", str(made.key), "-out", str(made.certificate))
    command = ["openssl", "req", "-x509", *curve, *names_and_time, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made
