"""Another window is another process: the program, started again. No Tk."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import asdict

from rtplab.player.model.client import PlayerClient
from rtplab.player.model.history import Address
from rtplab.protocol.rtsp.urls import parse_stream_url


def start(
    program: Sequence[str], address: Address, client: PlayerClient
) -> subprocess.Popen[bytes]:
    """Run `program` for an address, with the latency and the bad network of `client`.

    User and password stay out of the arguments, which every user of the machine can read: the new
    window asks for them. Raises OSError.
    """
    options = ["--latency", str(round(client.playout.latency * 1000))]
    url = parse_stream_url(address.url) if address.url else None
    if url is not None:
        where = [str(url)]
    else:
        where = [address.host, str(address.port), str(address.rtp_port), address.movie]
    if url is None or not url.is_http:  # to which no bad network applies
        conditions = asdict(client.impairment.conditions).items()
        options += ["--impair", ",".join(f"{name}={value}" for name, value in conditions)]
    process = subprocess.Popen([*program, *options, "--", *where], stdin=subprocess.DEVNULL)
    # It lives as long as it likes; when it ends, somebody must take note of that.
    threading.Thread(target=process.wait, name="new window", daemon=True).start()
    return process
