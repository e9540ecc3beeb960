"""A scripted lab server, for grading clients; and the submission's client that talks to it."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rtplab.grading.record.hook import HookLink
from rtplab.grading.record.javahook import java_environment
from rtplab.grading.record.labclient import filled
from rtplab.grading.record.labforms import REPLY_FORMS
from rtplab.grading.record.process import Program
from rtplab.grading.record.run import HOST, Run, UnableError, free_port
from rtplab.grading.record.screen import Watcher, opened, running_xvfb
from rtplab.grading.record.stage import inside
from rtplab.grading.record.wire import Connection, RtpSender
from rtplab.protocol.rtp.packet import pack_header

START_LIMIT = 10.0  # seconds for a client to connect, and for its window
PIECE = 1_400  # bytes of a payload below the MTU
LATE = 3  # intervals
REQUEST_LIMIT = 1.5  # seconds for a request after a click
_CSEQ = re.compile(rb"^[^\r\n]*\r?\n[^\d\r\n]*(\d+)")
_PORT = re.compile(rb"port\D{0,3}(\d+)", re.IGNORECASE)
_LAST_NUMBER = re.compile(rb"(\d+)\D*$")


@dataclass
class Packets:
    """How the frames of a movie become datagrams."""

    marker: int = 0
    piece: int = 0
    """Bytes of a payload; 0 for whole frames."""
    left_out: Callable[[int], bool] = lambda _number: False
    jitter: int = 0
    """One frame in this many is late by three intervals, and the next ones come at once."""
    swapped: int = 0
    """Frames whose numbers are multiples of this come after the next one; 0 for none."""
    sequence: int = 0
    """The last number used."""

    def of(self, number: int, frame: bytes) -> list[bytes]:
        """The datagrams of the frame with this number."""
        timestamp = int(time.time())
        if not self.piece:
            header = pack_header(self.marker, 26, number, timestamp, 0)
            return [header + frame]
        datagrams = []
        starts = range(0, len(frame), self.piece)
        for start in starts:
            self.sequence += 1
            last = start == starts[-1]
            header = pack_header(int(last), 26, self.sequence & 0xFFFF, timestamp, 0)
            datagrams.append(header + frame[start : start + self.piece])
        return datagrams


class FrameSender:
    """Sends the movie's frames to a port, one every interval, in a thread."""

    def __init__(self, run: Run, port: int, frames: Sequence[bytes], packets: Packets) -> None:
        self._run = run
        self._frames = frames
        self._packets = packets
        self._sender = RtpSender(run.recorder, port)
        self._next = 0
        self._changed = threading.Condition()  # guards _next
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or continue with the frame after the last."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="grader frames")
        self._thread.start()

    @property
    def position(self) -> int:
        """The number of frames so far."""
        return self._next

    def wait_for(self, position: int, limit: float) -> bool:
        """Wait for that many frames; False after `limit` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._next >= position, limit)

    def stop(self) -> None:
        """Send no more. May be called twice."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.stop()
        self._sender.close()

    def _send(self) -> None:
        due, interval = time.monotonic(), self._run.edition.interval
        held: list[bytes] = []  # the datagrams of a frame that comes after its successor
        while self._next < len(self._frames):
            if not self._packets.jitter:
                # If we are late, so are all others: a client's socket has no room for two at once.
                due = max(due, time.monotonic())
            number, frame = self._next + 1, self._frames[self._next]
            datagrams = [] if self._packets.left_out(number) else self._packets.of(number, frame)
            overtaken, held = held, []
            if self._packets.swapped and number % self._packets.swapped == 0:
                held, datagrams = datagrams, []
            for datagram in datagrams:
                self._sender.send(datagram)
            # So much later that both can be seen on the screen.
            if overtaken and self._ended.wait(interval / 2):
                return
            for datagram in overtaken:
                self._sender.send(datagram)
            with self._changed:
                self._next = number
                self._changed.notify_all()
            due += interval
            is_late = self._packets.jitter and self._next % self._packets.jitter == 0
            wait = due + (LATE * interval if is_late else 0) - time.monotonic()
            if self._ended.wait(max(0.0, wait)):
                return


@dataclass
class Stranger:
    """The submission's client, our lab server's end of its connection, and its window."""

    run: Run
    program: Program
    hook: HookLink
    rtp_port: int
    session: str
    listener: socket.socket
    connection: Connection | None = None
    frames: FrameSender | None = None
    packets: Packets = field(default_factory=Packets)
    requests: list[bytes] = field(default_factory=list)

    @property
    def has_given_port(self) -> bool:
        """Whether the client is given its RTP port; the Java handout has 25000 in its code."""
        return any("{rtp_port}" in part for part in self.run.stage.client)

    def accept(self, limit: float, taken: Callable[[bytes], None] | None = None) -> bool:
        """Take the client's connection; False if none comes within `limit` seconds.

        `taken` is called with what comes on it.
        """
        deadline = time.monotonic() + limit
        self.listener.settimeout(0.05)
        while time.monotonic() < deadline and self.program.is_running:
            with suppress(TimeoutError):
                accepted, address = self.listener.accept()
                accepted.settimeout(None)
                number = self.run.recorder.count("tcp.accepted") + 1
                port = self.listener.getsockname()[1]
                self.run.recorder.add(
                    "tcp.accepted", connection=number, source=address[1], port=port
                )
                connection = Connection(self.run.recorder, accepted, number, taken)
                self.connection = self.run.cleanup.enter_context(connection)
                return True
        return False

    def sets_up_again(self) -> bool:
        """Press Setup when the session is over: whether the client connects once more.

        Nothing of that connection is recorded but that it came.
        """
        self.hook.click("Setup")
        self.listener.settimeout(REQUEST_LIMIT)
        connected = False
        with suppress(OSError):
            accepted, _ = self.listener.accept()
            accepted.close()
            connected = True
        self.run.recorder.add("again", connected=connected)
        return connected

    def wait_for_window(self, limit: float) -> bool:
        recorder = self.run.recorder
        shown = recorder.wait_until(lambda e: e.kind == "window" and e["shown"], limit)
        if shown is None:
            return False
        return self.hook.is_responsive(limit)

    def request(self, limit: float = REQUEST_LIMIT) -> bytes:
        """The next request; b"" if none comes within `limit` seconds."""
        if self.connection is None:
            return b""
        data = self.connection.message(limit)
        if data:
            self.requests.append(data)
        if data.lstrip().upper().startswith(b"SETUP"):
            found = _PORT.search(data) or _LAST_NUMBER.search(data)
            if found and 0 < int(found[1]) < 65_536:
                self.rtp_port = int(found[1])
                if not self.has_given_port:
                    self.run.recorder.facts["rtp_port"] = self.rtp_port
        return data

    def reply(self, request: bytes, status: int = 200, session: str | None = None) -> None:
        """Answer a request in the scenario's form."""
        if self.connection is None or not request:
            return
        found = _CSEQ.match(request.lstrip())
        number = found[1].decode() if found else "1"
        facts = self.run.recorder.facts
        form = REPLY_FORMS[str(facts["reply"])]
        session = self.session if session is None else session
        pieces = form.write(status, number, session, int(facts.get("pieces", 1)))
        for index, piece in enumerate(pieces):
            if index:
                time.sleep(0.1)
            self.connection.send(piece)

    def click(self, button: str) -> bytes:
        """Press a button and return the client's request.

        Like a server, we stop sending as soon as a request to pause or tear down begins.
        """
        so_far = self.run.recorder.count("tcp.in")
        self.hook.click(button)
        said = self.run.recorder.wait_until_count("tcp.in", so_far + 1, REQUEST_LIMIT)
        if said and button in ("Pause", "Teardown"):
            self.pause()
        return self.request() if said else b""

    def ask(self, button: str) -> bytes:
        """As `click`, and answer 200."""
        request = self.click(button)
        self.reply(request)
        return request

    def play(self) -> FrameSender:
        """Begin or go on to send frames to the port that SETUP named."""
        self.is_port_bound()
        if self.frames is None:
            frames = self.run.movie.frames
            self.frames = FrameSender(self.run, self.rtp_port, frames, self.packets)
            self.run.cleanup.callback(self.frames.close)
        self.frames.start()
        return self.frames

    def keep_picture(self) -> None:
        """Keep the screen as a PNG, if pictures are kept."""
        kept, screen = self.run.stage.kept, self.run.screen
        if kept and screen:
            (kept / f"{self.run.name}.png").write_bytes(screen.png())

    def pause(self) -> None:
        if self.frames is not None:
            self.frames.stop()

    def is_port_bound(self) -> bool:
        """Whether the UDP port that SETUP named is bound, which is recorded."""
        bound = is_bound(self.rtp_port)
        self.run.recorder.add("port", port=self.rtp_port, bound=bound)
        return bound


def started_client(run: Run) -> Stranger:
    """Start the submission's client, with its window where it can be seen.

    Raises UnableError if there is none.
    """
    if not run.stage.client:
        raise UnableError("There is no client.")
    if run.stage.no_client:
        raise UnableError(run.stage.no_client)
    recorder = run.recorder
    recorder.facts.setdefault("reply", run.edition.reply_form)
    recorder.facts["interval"] = run.edition.interval
    session = str(recorder.facts.setdefault("session", run.session()))
    listener = run.cleanup.enter_context(socket.create_server((HOST, 0)))
    port = recorder.facts["rtsp_port"] = int(listener.getsockname()[1])
    rtp_port = int(recorder.facts.setdefault("rtp_port", even_port(run.dice)))
    folder = run.folder()
    hook = run.cleanup.enter_context(HookLink(recorder, run.stage.has_screen))
    environment = {**hook.environment(inside(folder)), **_watched(run, run.cleanup)}
    if run.edition.language == "java":
        environment |= java_environment(inside(folder), environment["RTPLAB_HOOK"])
    movie = run.movie.name
    before = set(folder.iterdir())
    run.cleanup.callback(_note_files, run, folder, before)
    command = filled(run.stage.client, host=HOST, port=port, rtp_port=rtp_port, movie=movie)
    program = run.program("client", command, folder, environment)
    piece = PIECE if run.edition.fragments else 0
    packets = Packets(int(recorder.facts.get("marker", 0)), piece)
    return Stranger(run, program, hook, rtp_port, session, listener, packets=packets)


def _watched(run: Run, cleanup: ExitStack) -> dict[str, str]:
    """Watch the screen from now on; return the environment that puts a window on it."""
    run.recorder.facts["display"] = "xvfb" if run.stage.has_screen else "stub"
    if not run.stage.has_screen:
        return {}
    display, file = cleanup.enter_context(running_xvfb())
    run.screen = cleanup.enter_context(opened(file))
    cleanup.enter_context(Watcher(run.recorder, run.screen))
    return {"DISPLAY": display}


def _note_files(run: Run, folder: Path, before: set[Path]) -> None:
    new = sorted(entry.name for entry in set(folder.iterdir()) - before)
    new = [name for name in new if not name.startswith(".")]  # such as a home has
    run.recorder.add("files", left=new[:20])


def even_port(dice: random.Random) -> int:
    """A free even UDP port, as RTP requires; it depends on the seed if possible."""
    for _ in range(200):
        port = dice.randrange(30_000, 60_000, 2)
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, port))
            return port
    return free_port(socket.SOCK_DGRAM)


def is_bound(port: int) -> bool:
    """Whether a UDP port is bound: looked up in /proc if possible, else tried."""
    looked = False
    for name in ("udp", "udp6"):
        with suppress(OSError):
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
            looked = True
            for line in lines:
                if int(line.split()[1].rpartition(":")[2], 16) == port:
                    return True
    if looked:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
