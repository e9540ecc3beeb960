"""The scenario `both`: the submission's client plays from its own server, through us.

The client's connection ends at ours, and another goes on to the server. In SETUP the client's RTP
port is replaced by one of ours with as many digits, so that the packets come by here, too.
"""

from __future__ import annotations

import socket
import time

from rtplab.grading.record.clients import NOTHING_SENT, TORN_DOWN
from rtplab.grading.record.labclient import started_server
from rtplab.grading.record.labserver import START_LIMIT, Stranger, started_client
from rtplab.grading.record.run import HOST, Run, UnableError
from rtplab.grading.record.wire import Connection, RtpPort, RtpSender

PLAYED = 1.5  # seconds
FEWEST = 15  # frames, of a slower movie
PIECES = 6  # of 1,400 bytes that a frame of the secret movie has on average
PATIENCE = 4.0  # seconds for them
REPLY_LIMIT = 3.0  # seconds


class Relay:
    """Passes on what comes from either side to the other."""

    def __init__(self, run: Run, client: Stranger, server_port: int) -> None:
        """Connect to the server. Raises OSError."""
        self._client = client
        self._port = str(client.rtp_port).encode()
        self._sender = RtpSender(run.recorder, client.rtp_port)
        run.cleanup.callback(self._sender.close)
        self._rtp = run.cleanup.enter_context(RtpPort(run.recorder, self._sender.send))
        own_socket = socket.create_connection((HOST, server_port), REPLY_LIMIT)
        own_socket.settimeout(None)
        source = own_socket.getsockname()[1]
        run.recorder.add("tcp.connected", connection=SERVER_SIDE, source=source, port=server_port)
        connection = Connection(run.recorder, own_socket, SERVER_SIDE, self._from_server)
        self._to_server = run.cleanup.enter_context(connection)

    def from_client(self, data: bytes) -> None:
        if data.lstrip().upper().startswith(b"SETUP"):
            head, found, tail = data.rpartition(self._port)
            data = head + (b"%d" % self._rtp.port if found else b"") + tail
        self._to_server.send(data)

    def _from_server(self, data: bytes) -> None:
        if self._client.connection is not None:
            self._client.connection.send(data)


SERVER_SIDE = 2
"""The number of the connection with the server; that with the client is 1."""


def both(run: Run) -> None:
    """Setup, Play and Teardown."""
    if not run.stage.server or not run.stage.client:
        raise UnableError("It takes a server and a client.")
    recorder = run.recorder
    recorder.step("start")
    _, port = started_server(run)
    client = started_client(run)
    if not port:
        recorder.step("end")
        return
    try:
        relay = Relay(run, client, port)
    except OSError:
        recorder.add("tcp.refused", port=port)
        recorder.step("end")
        return
    if client.accept(START_LIMIT, relay.from_client) and client.wait_for_window(START_LIMIT):
        _play(run, client)
    recorder.step("end")


def _play(run: Run, client: Stranger) -> None:
    recorder = run.recorder
    recorder.step("setup")
    client.hook.click("Setup")
    recorder.wait_until(
        lambda e: e.kind == "tcp.in" and e["connection"] == SERVER_SIDE, REPLY_LIMIT
    )
    time.sleep(NOTHING_SENT)
    recorder.step("play")
    client.hook.click("Play")
    frames = max(FEWEST, round(PLAYED / run.edition.interval))
    recorder.wait_for("udp.out", PATIENCE, frames * (PIECES if run.edition.fragments else 1))
    recorder.step("teardown")
    client.hook.click("Teardown")
    client.program.wait(TORN_DOWN / 3)
