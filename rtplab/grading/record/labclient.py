"""A scripted lab client, for grading servers; and the submission's server that it talks to."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rtplab.grading.record.javahook import java_environment
from rtplab.grading.record.labforms import REQUEST_FORMS
from rtplab.grading.record.process import Program
from rtplab.grading.record.run import HOST, Run, UnableError, free_port
from rtplab.grading.record.screen import running_xvfb
from rtplab.grading.record.stage import inside
from rtplab.grading.record.wire import Connection, RtpPort

START_LIMIT = 10.0  # seconds for a server to listen: Python needs a tenth of one on an idle machine
REPLY_LIMIT = 3.0  # seconds for a reply
_SESSION = re.compile(rb"^\s*session\w*\s*:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"^\S+ +(\d{3})")


class LabClient:
    """One RTSP connection and one RTP port; requests are numbered and have the edition's form."""

    def __init__(self, run: Run, port: int, number: int = 1) -> None:
        """Connect to the server. Raises OSError."""
        self._run = run
        self._form = REQUEST_FORMS[str(run.recorder.facts["form"])]
        self._cseq = itertools.count(1)
        self.session = "0"
        self.movie = run.movie.name
        self.rtp = run.cleanup.enter_context(RtpPort(run.recorder))
        own_socket = socket.create_connection((HOST, port), REPLY_LIMIT)
        own_socket.settimeout(None)
        source = own_socket.getsockname()[1]
        run.recorder.add("tcp.connected", connection=number, source=source, port=port)
        self.connection = run.cleanup.enter_context(Connection(run.recorder, own_socket, number))

    def request(self, method: str) -> bytes:
        """The bytes of the next request."""
        return self._form.write(method, self.movie, next(self._cseq), self.rtp.port, self.session)

    def ask(self, method: str, pieces: int = 1, limit: float = REPLY_LIMIT) -> bytes:
        """Send the next request and return the reply; b"" if none comes."""
        data = self.request(method)
        size = -(-len(data) // pieces)
        for at in range(0, len(data), size):
            if at:
                time.sleep(BETWEEN_PIECES)
            self.connection.send(data[at : at + size])
        reply = self.connection.message(limit)
        if method == "SETUP" and (found := _SESSION.search(reply)):
            self.session = found[1].decode("latin-1")
        return reply


BETWEEN_PIECES = 0.2
"""Seconds between the two halves of a request: more than any buffer puts them together in."""


def status_of(reply: bytes) -> int:
    """The status of a reply; 0 if it has none."""
    found = _STATUS.match(reply)
    return int(found[1]) if found else 0


def started_server(run: Run) -> tuple[Program, int]:
    """Start the submission's server on a free port and wait until it takes connections.

    Raises UnableError if the submission has none.
    """
    if not run.stage.server:
        raise UnableError("There is no server.")
    run.recorder.facts.setdefault("form", run.edition.request_form)
    port = free_port(socket.SOCK_STREAM)
    run.recorder.facts["rtsp_port"] = port
    folder = run.folder()
    environment = {}
    if run.edition.language == "java":
        environment = java_environment(inside(folder))
        if run.stage.has_screen:  # servers in Java have a window, too
            environment["DISPLAY"] = run.cleanup.enter_context(running_xvfb())[0]
    program = run.program("server", filled(run.stage.server, port=port), folder, environment)
    listens = _wait_for_listener(program, port)
    run.recorder.add("tcp.listening" if listens else "tcp.refused", port=port)
    return program, port if listens else 0


def filled(command: Sequence[str], **values: int | str | Path) -> list[str]:
    """A command with its {places} filled in; other text in braces stays."""
    filled = []
    for part in command:
        for name, value in values.items():
            part = part.replace("{" + name + "}", str(value))
        filled.append(part)
    return filled


def _wait_for_listener(program: Program, port: int) -> bool:
    """Whether the port is bound in time; looked up in /proc if possible, without a connection."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and program.is_running:
        if _is_listening(port):
            return True
        time.sleep(0.01)
    return False


def _is_listening(port: int) -> bool:
    looked = False
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
            looked = True
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    if looked:
        return False
    with suppress(OSError), socket.create_connection((HOST, port), 0.2):
        return True
    return False
