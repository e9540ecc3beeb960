"""The mistakes of the lab as minimal changes of the textbook, each with the check that it fails.

`words` must be in the sentence or the advice. What the textbook does wrong by itself, because the
code that students are given does, is in GIVEN: the table by which the sentences say so.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rtplab.grading.judge import robust

FOLDER = Path(__file__).parent
TEXTBOOK = FOLDER / "textbook"
HD = FOLDER / "textbook_hd"
"""The files in which an HD solution differs from the textbook."""

GIVEN = set(robust.GIVEN)
"""The checks that the textbook fails: advice, as the code that students are given does this."""
BY_CHANCE = {"robust.file", "robust.window", "robust.quick-resume"}
"""Those that it fails now and then: a frame must come in the wrong moment."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: texts that are replaced in one file, each of which is there once."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    check: str
    scenarios: tuple[str, ...]
    """In which it shows."""
    words: tuple[str, ...]
    hd: bool = False


def mutant(
    name: str,
    file: str,
    old: str,
    new: str,
    check: str,
    scenario: str,
    *words: str,
    hd: bool = False,
) -> Mutant:
    return Mutant(name, file, ((old, new),), check, tuple(scenario.split()), words, hd)


def in_branch(method: str, old: str, new: str) -> tuple[str, str]:
    """A change in one branch of sendRtspRequest: from its first line to its last."""
    text = (TEXTBOOK / "Client.py").read_text(encoding="utf-8")
    start = text.index(f"requestCode == self.{method} ")
    end = text.index(f"self.requestSent = self.{method}", start)
    branch = text[start:end]
    assert branch.count(old) == 1, (method, old)
    return branch, branch.replace(old, new)


def branch_mutant(name: str, method: str, old: str, new: str, check: str, *words: str) -> Mutant:
    change = in_branch(method, old, new)
    return Mutant(name, "Client.py", (change,), check, ("client.session",), words)


PACKET = "RtpPacket.py"
WORKER = "ServerWorker.py"
CLIENT = "Client.py"
SESSION = "client.session"
SERVED = "server.session"

SEND = "self.rtspSocket.send(request.encode())\n"
RECEIVED = """            if reply:
                self.parseRtspReply(reply.decode("utf-8"))
            if self.requestSent"""
REPLY = r'"RTSP/1.0 200 OK\nCSeq: " + seq + "\nSession: " + str(self.clientInfo["session"])'
WITHOUT_CSEQ = r'"RTSP/1.0 200 OK\nSession: " + str(self.clientInfo["session"])'
REORDERED = r'"RTSP/1.0 200 OK\nSession: " + str(self.clientInfo["session"]) + "\nCSeq: " + seq'

MUTANTS = (
    mutant(
        "01 version << 7", PACKET, "= version << 6", "= version << 7", "packet.version", "packet",
        "range(0, 256)", "6, not 7",
    ),
    mutant(
        "02 version in the low bits", PACKET, "= version << 6", "= version", "packet.version",
        "packet server.session", "Byte 0", "02 (V=0)", "expected 80", "version << 6",
    ),
    mutant(
        "03 local header", PACKET, "        self.header = header\n        self.payload = payload",
        "        self.payload = payload", "packet.filled", "packet", "12 header bytes",
        "self.header",
    ),
    mutant(
        "04 M over PT", PACKET, "header[1] = marker << 7\n        header[1] = header[1] | pt",
        "header[1] = pt\n        header[1] = marker << 7", "packet.type", "packet",
        "Byte 1", "00, expected 1a",
    ),
    mutant(
        "05 number swapped", PACKET,
        "header[2] = (seqnum >> 8) & 0xFF\n        header[3] = seqnum & 0xFF",
        "header[3] = (seqnum >> 8) & 0xFF\n        header[2] = seqnum & 0xFF",
        "packet.sequence", "packet", "Frame 1", "number 256", "high byte",
    ),
    mutant(
        "06 low byte of the number", PACKET, "header[2] = (seqnum >> 8) & 0xFF", "header[2] = 0",
        "packet.sequence", "packet", "Frame 256", "number 0", "12.8 s",
    ),
    mutant(
        "07 no timestamp", PACKET, "timestamp = int(time())", "timestamp = 0",
        "packet.timestamp", "packet", "timestamp was 0",
    ),
    mutant(
        "07 one byte of the timestamp", PACKET,
        "header[4] = (timestamp >> 24) & 0xFF\n        header[5] = (timestamp >> 16) & 0xFF\n"
        "        header[6] = (timestamp >> 8) & 0xFF\n        header[7]", "header[7]",
        "packet.timestamp", "packet", "lowest byte",
    ),
    mutant(
        "07 milliseconds", PACKET, "int(time())", "int(time() * 1000)", "packet.timestamp",
        "packet", "in milliseconds",
    ),
    mutant(
        "08 SSRC not masked", PACKET, "(ssrc >> 8) & 0xFF", "ssrc >> 8", "packet.ssrc", "packet",
        "ssrc=16909060", "Mask",
    ),
    mutant(
        "09 text of the payload", PACKET, "self.payload = payload",
        "self.payload = str(payload).encode()", "packet.payload", "packet",
        "text", "str()",
    ),
    mutant(
        "09 payload cut", PACKET, "self.payload = payload", "self.payload = payload[:50]",
        "packet.payload", "packet", "50 bytes",
    ),
    mutant(
        "10 header of the class", PACKET, "header = bytearray(HEADER_SIZE)\n        header[0]",
        "header = RtpPacket.header\n        header[0]", "packet.instances", "packet",
        "RtpPacket.header", "new bytearray",
    ),
    mutant(
        "11 mask of the type", PACKET, "self.header[1] & 127", "self.header[1] & 0x01",
        "packet.decode", "packet", "payloadType() gave", "127",
    ),
    branch_mutant(
        "12 CSeq stands still", "PLAY", "            self.rtspSeq += 1\n", "", "client.cseq",
        "PLAY", "CSeq 1", "SETUP", "expected 2",
    ),
    mutant(
        "13 CSeq from 0", CLIENT, "self.rtspSeq = 0", "self.rtspSeq = -1", "client.cseq", SESSION,
        "CSeq was 0", "at 1",
    ),
    branch_mutant("14 SEeq", "PLAY", "CSeq: ", "SEeq: ", "client.header", '"SEeq: 2"'),
    branch_mutant(
        "14 Csequence", "SETUP", "CSeq: ", "Csequence: ", "client.header", '"Csequence: 1"',
    ),
    branch_mutant(
        "15 session 0", "PLAY", "str(self.sessionId)", '"0"', "client.session", 'Session "0"',
        "line 3",
    ),
    branch_mutant(
        "15 fixed session", "TEARDOWN", "str(self.sessionId)", '"123456"', "client.session",
        'Session "123456"',
    ),
    branch_mutant(
        "16 RTP/AVP", "SETUP", "RTP/UDP", "RTP/AVP", "client.transport", "RTP/AVP",
    ),
    branch_mutant(
        "16 no space", "SETUP", "client_port= ", "client_port=", "client.transport", "IndexError",
    ),
    branch_mutant(
        "16 another port", "SETUP", "str(self.rtpPort)", "str(self.rtpPort + 1)",
        "client.transport", "not",
    ),
    branch_mutant(
        "17 Transport in PLAY", "PLAY", "str(self.sessionId)",
        r'str(self.sessionId) + "\nTransport: RTP/UDP; client_port= " + str(self.rtpPort)',
        "client.transport", "PLAY", "Transport header",
    ),
    mutant(
        "18 another port bound", CLIENT, 'bind(("", self.rtpPort))', 'bind(("", 0))',
        "client.port", SESSION, "nobody listened",
    ),
    mutant(
        "18 no port bound", CLIENT, 'self.rtpSocket.bind(("", self.rtpPort))', "pass",
        "client.port", SESSION, "nobody listened", "openRtpPort",
    ),
    mutant(
        "19 no time-out", CLIENT, "        self.rtpSocket.settimeout(0.5)\n", "",
        "client.timeout", SESSION, "1.5 s after PAUSE", "0.5 s",
    ),
    mutant(
        "19 time-out of 10 ms", CLIENT, "settimeout(0.5)", "settimeout(0.01)", "client.timeout",
        SESSION, "times in 0.3 s", "0.5 s",
    ),
    mutant(
        "20 state set on the click", CLIENT, "self.requestSent = self.SETUP",
        "self.requestSent = self.SETUP\n            self.state = self.READY", "client.states",
        f"{SESSION} client.slow-reply", "PLAY", "before its reply",
    ),
    mutant(
        "21 two listeners", CLIENT, "                        self.playEvent.set()\n",
        "                        pass\n", "client.resume", SESSION, "PAUSE, 1.5 s, PLAY",
        "threads",
    ),
    mutant(
        "22 PAUSE not sent", CLIENT, "            self.sendRtspRequest(self.PAUSE)",
        "            self.state = self.READY", "client.pause", SESSION, "no PAUSE", "went on for",
    ),
    Mutant(
        "22 the picture goes on", CLIENT,
        (
            ("        if self.state == self.PLAYING:\n            if self.frames",
             "        if self.state != self.INIT:\n            if self.frames"),
            ("INTERVAL = 50", "INTERVAL = 60"),  # and so falls behind: it goes on for 0.9 s
        ),
        "client.pause", (SESSION,), ("PAUSE was answered", "went on for"), hd=True,
    ),
    mutant(
        "23 the process stays", CLIENT,
        "            if self.requestSent == self.TEARDOWN:\n"
        "                self.rtspSocket.shutdown(socket.SHUT_RDWR)\n"
        "                self.rtspSocket.close()\n                break\n", "",
        "client.teardown", SESSION, "3 s after TEARDOWN", "process",
    ),
    mutant(
        "23 the window stays", CLIENT, "        self.master.destroy()\n", "", "client.teardown",
        SESSION, "window", "still",
    ),
    mutant(
        "23 the port stays", CLIENT, "                        self.teardownAcked = 1\n", "",
        "client.teardown", SESSION, "UDP port", "still bound",
    ),
    mutant(
        "25 the marker waited for", CLIENT, "if currFrameNbr > self.frameNbr:",
        "if currFrameNbr > self.frameNbr and data[1] & 0x80:", "client.shows", SESSION,
        "No picture", "marker",
    ),
    mutant(
        "26 buffer too small", CLIENT, "recv(20480)", "recv(1024)", "client.shows", SESSION,
        "1,024 bytes", "20480",
    ),
    mutant(
        "26 header not cut off", CLIENT, "self.writeFrame(rtpPacket.getPayload())",
        "self.writeFrame(data)", "client.shows", SESSION, "No picture", "12 bytes",
    ),
    mutant(
        "27 old frames shown", CLIENT, "if currFrameNbr > self.frameNbr:", "if True:",
        "extend.late", "robust.order", "shown",
    ),
    mutant(
        "28 404 ignored", CLIENT, 'if int(lines[0].split(" ")[1]) == 200:', "if True:",
        "client.error", "client.error", "SETUP was 404", "READY",
    ),
    Mutant(
        "29 recv in the window's thread",
        CLIENT,
        (
            ("            threading.Thread(target=self.recvRtspReply).start()\n", ""),
            (SEND, SEND + "        self.recvRtspReply()\n"),
            (
                "            if self.requestSent == self.TEARDOWN:\n"
                "                self.rtspSocket.shutdown(socket.SHUT_RDWR)\n"
                "                self.rtspSocket.close()\n                break\n",
                "            if self.requestSent == self.TEARDOWN:\n"
                "                self.rtspSocket.shutdown(socket.SHUT_RDWR)\n"
                "                self.rtspSocket.close()\n            break\n",
            ),
        ),
        "robust.responsive",
        ("client.slow-reply",),
        ("reply was late",),
    ),
    mutant(
        "30 reply reordered", WORKER, REPLY, REORDERED, "server.reply", SERVED, "second line",
        '"CSeq: 1"',
    ),
    mutant(
        "30 line missing", WORKER, REPLY, WITHOUT_CSEQ, "server.reply", SERVED, "second line",
        'expected "CSeq: 1"',
    ),
    mutant(
        "31 fixed movie", WORKER, "VideoStream(filename)", 'VideoStream("movie.Mjpeg")',
        "server.frames", SERVED, "something else",
    ),
    mutant(
        "32 PAUSE does not stop it", WORKER,
        '                self.clientInfo["event"].set()\n                self.replyRtsp',
        "                self.replyRtsp", "server.pause", SERVED, "200 to PAUSE",
    ),
    Mutant(
        "33 one number for all fragments", WORKER,
        (
            ("            self.packetNbr += 1\n", ""),
            ("timestamp = int(time())\n", "timestamp = int(time())\n        self.packetNbr += 1\n"),
        ),
        "extend.fragment", ("server.session", "extend.fragment"),
        ("number 1", "loss"), hd=True,
    ),
    mutant(
        "34 a frame in one datagram", WORKER, "PIECE = 1400", "PIECE = 100_000", "extend.fragment",
        "extend.fragment", "65,507", "MTU", hd=True,
    ),
    mutant(
        "40 cache file left", CLIENT,
        "        os.remove(CACHE_FILE_NAME + str(self.sessionId) + CACHE_FILE_EXT)\n", "",
        "robust.file", SESSION, "cache-", "stayed",
    ),
)  # fmt: skip


def copy_textbook(target: Path, hd: bool = False) -> Path:
    """A folder with the textbook's files, and HD's where they differ."""
    shutil.copytree(TEXTBOOK, target, ignore=shutil.ignore_patterns("__pycache__"))
    if hd:
        shutil.copytree(HD, target, dirs_exist_ok=True)
    return target


def make(mutant: Mutant, target: Path) -> Path:
    """A folder with the textbook, changed. Raises ValueError if a text isn't there just once."""
    path = copy_textbook(target, mutant.hd) / mutant.file
    text = path.read_text(encoding="utf-8")
    for old, new in mutant.changes:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: {text.count(old)} times in {mutant.file}: {old!r}")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    compile(text, mutant.file, "exec")
    return path.parent
