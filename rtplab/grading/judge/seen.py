"""What a recording shows of requests, replies, packets and pictures, for all checks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rtplab.grading.model.checks import Judge, Outcome, Verdict, not_checked
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Event, Recording, Recordings

HEADER_SIZE = 12
METHODS = ("SETUP", "PLAY", "PAUSE", "TEARDOWN")
HEX_SHOWN = 16
"""Bytes of a packet that a sentence or a transcript shows: the header and a little more."""
STRICT = 0.25
"""Seconds for which packets may be on their way after a reply: within 0.2 s, and one timer tick."""
SHOWN_AT_LEAST = 0.9
"""Of the frames sent, on a machine whose timers are not late."""
SPACED = 0.7
"""Of the interval: a frame that is followed sooner need not be seen."""
BUSY_AT_MOST = 0.4
"""Of the frames: if a machine is so busy that more may be missing, no verdict rests on them."""
STALL = 1.0
"""Seconds for which a machine that can be judged on never makes a thread of ours wait."""

FORMS = {
    "python": "lines separated by LF, the last one without an end",
    "java": "lines that CR LF ends",
    "lf-ended": "lines that LF ends",
    "lf-blank": "lines that LF ends, and a blank line",
    "crlf-blank": "lines that CR LF ends, and a blank line",
    "no-space": "no space after client_port=",
    "older": "the number alone in the second line, and no header names",
    "rtp-avp": "the transport of RFC 2326, RTP/AVP",
}
"""Of requests and replies, in words."""

# Where the next request begins, even within a line: most lab clients do not end their last line.
_NEXT_REQUEST = re.compile(rb"(?=(?:SETUP|PLAY|PAUSE|TEARDOWN|STOP|DESCRIBE|OPTIONS) )")
_NUMBER = re.compile(r"\d+")


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """A request or reply as it came."""

    time: float
    connection: int
    data: bytes

    @cached_property
    def lines(self) -> list[str]:
        """Without their ends, and without the blank lines that follow."""
        lines = self.data.decode("latin-1").replace("\r\n", "\n").split("\n")
        while len(lines) > 1 and not lines[-1].strip():
            lines.pop()
        return lines

    def line(self, number: int) -> str:
        """A line, counted from 1; "" if there are fewer."""
        return self.lines[number - 1] if number <= len(self.lines) else ""

    @property
    def method(self) -> str:
        """The first word of a request; one public client says STOP for TEARDOWN."""
        word = self.line(1).split(" ")[0].upper()
        return "TEARDOWN" if word == "STOP" else word

    @property
    def name(self) -> str:
        """What a request asks for."""
        words = self.line(1).split(" ")
        return words[1] if len(words) > 1 else ""

    @property
    def status(self) -> int | None:
        """The status of a reply."""
        words = self.line(1).split(" ")
        return int(words[1]) if len(words) > 1 and words[1].isdecimal() else None

    @property
    def number(self) -> int | None:
        """The number in the second line, where the lab's programs expect it, or CSeq's."""
        named = next((x for x in self.lines[1:] if x.lower().startswith("cseq")), self.line(2))
        found = _NUMBER.search(named)
        return int(found[0]) if found else None

    def header(self, name: str) -> str | None:
        """The value of the header of this name, in any case; None if there is none."""
        for line in self.lines[1:]:
            key, colon, value = line.partition(":")
            if colon and key.strip().lower() == name:
                return value.strip()
        return None


def requests(recording: Recording) -> list[Message]:
    """The requests of the submission's client, one by one."""
    found: list[Message] = []
    for event in recording.of("tcp.in"):
        for part in _NEXT_REQUEST.split(event["data"]):
            if not part.strip():
                continue
            if found and not _NEXT_REQUEST.match(part):
                before = found.pop()
                part, event = before.data + part, Event(before.time, "", event.fields)
            found.append(Message(event.time, event["connection"], part))
    return found


def request(recording: Recording, method: str, ordinal: int = 1) -> Message | None:
    """The client's first request of a method, or a later one; None if there were fewer."""
    found = [message for message in requests(recording) if message.method == method]
    return found[ordinal - 1] if len(found) >= ordinal else None


@dataclass(frozen=True)
class Exchange:
    """A request of our lab client, with what the submission's server said before the next one."""

    request: Message
    reply: Message | None

    @property
    def ok(self) -> bool:
        return self.reply is not None and self.reply.status == 200


def exchanges(recording: Recording) -> list[Exchange]:
    """Our client's requests and the replies."""
    found: list[Exchange] = []
    connections = {event["connection"] for event in recording.of("tcp.out")}
    for connection in connections:
        events = [e for e in recording.of("tcp.in", "tcp.out") if e["connection"] == connection]
        found += _exchanges(events)
    return sorted(found, key=lambda exchange: exchange.request.time)


def _exchanges(events: Iterable[Event]) -> list[Exchange]:
    """As `exchanges`, on one connection; a request may be sent in several pieces."""
    asked: list[Message] = []
    told: list[Message | None] = []
    for event in events:
        message = Message(event.time, event["connection"], event["data"])
        if event.kind == "tcp.out" and (told and told[-1] or _NEXT_REQUEST.match(event["data"])):
            asked.append(message)
            told.append(None)
        elif event.kind == "tcp.out" and asked:
            before = asked.pop()
            asked.append(Message(before.time, before.connection, before.data + event["data"]))
        elif event.kind == "tcp.out":
            asked.append(message)
            told.append(None)
        elif told:
            before_reply = told[-1]
            data = before_reply.data if before_reply else b""
            told[-1] = Message(
                before_reply.time if before_reply else event.time,
                event["connection"],
                data + event["data"],
            )
    return [Exchange(question, answer) for question, answer in zip(asked, told, strict=True)]


def exchange(recording: Recording, method: str, ordinal: int = 1) -> Exchange | None:
    """Our client's first request of a method, or a later one; None if it was never sent."""
    found = [one for one in exchanges(recording) if one.request.method == method]
    return found[ordinal - 1] if len(found) >= ordinal else None


# --- Packets --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Packet:
    """A datagram, read as RTP without trusting its fields."""

    time: float
    data: bytes
    port: int = 0

    @property
    def header(self) -> bytes:
        return self.data[:HEADER_SIZE]

    @property
    def payload(self) -> bytes:
        return self.data[HEADER_SIZE:]

    @property
    def number(self) -> int:
        return int.from_bytes(self.data[2:4], "big")

    @property
    def timestamp(self) -> int:
        return int.from_bytes(self.data[4:8], "big")

    @property
    def ssrc(self) -> int:
        return int.from_bytes(self.data[8:12], "big")

    @property
    def marker(self) -> bool:
        return len(self.data) > 1 and bool(self.data[1] & 0x80)


def packets(recording: Recording, kind: str = "udp.in") -> list[Packet]:
    """The datagrams from the submission ("udp.in") or to it ("udp.out")."""
    return [Packet(event.time, event["data"], event.get("port", 0)) for event in recording.of(kind)]


def whole_frames(received: list[Packet]) -> list[Packet]:
    """Fragments joined up to the marker; without any markers, packets as they are."""
    if not any(packet.marker for packet in received):
        return received
    whole: list[Packet] = []
    parts: list[Packet] = []
    for packet in received:
        parts.append(packet)
        if packet.marker:
            data = parts[0].header + b"".join(part.payload for part in parts)
            whole.append(Packet(parts[0].time, data, packet.port))
            parts = []
    return whole


def frame_numbers(recording: Recording, received: Iterable[Packet]) -> list[int]:
    """The frame of the movie that each packet carries, whatever its header says; 0: none."""
    known = {frame["sha256"]: n for n, frame in reversed(_numbered_frames(recording))}
    return [known.get(hashlib.sha256(packet.payload).hexdigest(), 0) for packet in received]


def _numbered_frames(recording: Recording) -> list[tuple[int, dict[str, object]]]:
    return list(enumerate(recording.facts.get("frames", ()), 1))


def pictures(recording: Recording, start: float = 0.0, end: float = 1e9) -> list[int]:
    """The numbers of the frames that the window showed, in order.

    A picture that is just being drawn may spell a number that no frame has.
    """
    count = len(recording.facts.get("frames", ()))
    seen = [event["frame"] for event in recording.of("picture") if start <= event.time < end]
    return [number for number in seen if number is not None and number <= count]


def starved(recording: Recording) -> float:
    """The share of the time for which the program was ready to run, but others had the CPU.

    While it played, or since its start if there is only one sample or it never played.
    """
    samples = [event for event in recording.during("play") if event.kind == "sample"]
    samples = samples or list(recording.of("sample")[-1:])
    if not samples:
        return 0.0
    last = samples[-1]
    if len(samples) > 1:
        since, before = samples[0].time, float(samples[0].get("waited", 0.0))
    else:
        started = recording.of("process.start")
        since, before = (started[0].time if started else 0.0), 0.0
    return (float(last.get("waited", 0.0)) - before) / max(last.time - since, 0.001)


def lateness(recording: Recording, interval: float) -> float:
    """The share of the frames that a busy machine shows too late, or lets us see too late."""
    return float(recording.facts.get("noise", 0.0)) / interval + starved(recording)


def too_busy(recording: Recording, interval: float) -> str:
    """A sentence, if the machine was so busy that what has not been seen proves nothing.

    That the program itself keeps it busy is no excuse.
    """
    worst, dropped = (float(recording.facts.get(n, 0.0)) for n in ("noise_worst", "dropped"))
    if _takes_a_core(recording):
        return ""
    if lateness(recording, interval) > BUSY_AT_MOST:
        what = f"its timers were {float(recording.facts.get('noise', 0.0)) * 1000:.0f} ms late"
        what += f", and the program waited for a CPU {starved(recording):.0%} of the time"
    elif worst > STALL:
        what = f"it made the grader wait for {worst:.1f} s"
    elif dropped:
        what = f"the grader could not take {several(int(dropped), 'datagram')} in time"
    else:
        return ""
    return f"This machine was too busy: {what}. Grade it again."


def _takes_a_core(recording: Recording) -> bool:
    """Whether one of the submission's programs has been running most of the time."""
    started = {event["role"]: event.time for event in recording.of("process.start")}
    return any(
        float(event["cpu"]) > BUSY * (event.time - started.get(event["role"], 0.0))
        for event in recording.of("sample")
    )


def seen_enough(recording: Recording, interval: float, sent: set[int], shown: set[int]) -> bool:
    """Whether nearly all frames that were sent were on the screen, as far as it could be seen."""
    allowed = 1 - SHOWN_AT_LEAST + min(lateness(recording, interval), BUSY_AT_MOST)
    return len(sent - shown) <= allowed * len(sent) + 1


def spaced(sent: list[Packet], interval: float) -> list[Packet]:
    """Frames that the next did not follow at once: a busy machine sends in bursts."""
    pairs = zip(sent, sent[1:], strict=False)
    apart = [one for one, following in pairs if following.time - one.time > SPACED * interval]
    return [*apart, *sent[-1:]]


# --- Words ----------------------------------------------------------------------------------------


def hexed(data: bytes, limit: int = HEX_SHOWN) -> str:
    """The first bytes, as Wireshark shows them."""
    return data[:limit].hex(" ") + (" ..." if len(data) > limit else "")


def quoted(text: str, limit: int = 80) -> str:
    """A text in quotation marks, cut to a line."""
    return f'"{text[:limit]}{"..." if len(text) > limit else ""}"'


def several(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def reaching(step: str, scenario: str, judge: Judge) -> Judge:
    """Wrap a judge: if the scenario does not get that far, there is no verdict."""

    def judged(recordings: Recordings, edition: Edition) -> Verdict:
        if recordings[scenario].step(step) is None:
            return not_checked(NOT_REACHED)
        return judge(recordings, edition)

    return judged


NOT_REACHED = (
    "The program did not start in this run, or its window did not react: buttons can be pressed in"
    " windows of tkinter, and of Java where there is a JDK."
)


def blocked(by: str, sentence: str = "") -> Verdict:
    """Return a verdict that names the check which is the cause."""
    return Verdict(Outcome.BLOCKED, sentence=sentence, blocked_by=by)


def first_error(text: str) -> str:
    """The line of a traceback that names the exception."""
    errors = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*$", text, re.M)
    return str(errors[-1]) if errors else ""


def last_place(text: str, files: tuple[str, ...] = ()) -> str:
    """Where the last traceback of a text ends, as "exitClient (Client.py, line 78)"."""
    places = re.findall(r'File "(?:[^"\n]*[\\/])?([^"\n]+)", line (\d+), in (\S+)', text)
    if files:
        places = [place for place in places if place[0] in files] or places
    if not places:
        return ""
    file, line, function = places[-1]
    return f"{function} ({file}, line {line})"


def crash(recording: Recording, role: str, end: float = 1e9) -> str:
    """What the last traceback on stderr before `end` says, with its place; "" if there is none.

    A program's output may be forged, so this appears in sentences and decides nothing.
    """
    events = [event for event in recording.of("process.stderr") if event["role"] == role]
    written = [event["data"] for event in events if event.time < end]
    text = b"".join(written).decode(errors="backslashreplace")
    error = first_error(text)
    if not error:
        return ""
    place = last_place(text, LAB_FILES)
    return f"{error} in {place}" if place else error


BUSY = 0.5
"""Share of the time since a program's start: if it has used that much CPU, it is in a loop."""


def not_started(recording: Recording, role: str) -> tuple[str, str]:
    """What a program did instead of listening or connecting: a sentence, and where to look.

    Either may be "".
    """
    sentence, advice = _instead_of_starting(recording, role)
    asked = [event for event in recording.of("hook") if event["name"] == "stdin"]
    if asked or "EOFError" in sentence:
        advice = "It asked a question on stdin, where nobody answers: use arguments instead."
    return sentence, advice


def _instead_of_starting(recording: Recording, role: str) -> tuple[str, str]:
    if error := crash(recording, role):
        missing = error.startswith(("ModuleNotFoundError", "ImportError"))
        return f"The {role} wrote: {error}", NOT_INSTALLED if missing else ""
    wrote = _last_line(recording, role)
    last = f" Its last line was {quoted(wrote)}" if wrote else ""
    ended = [event for event in recording.of("process.exit") if event["role"] == role]
    if ended:
        sentence = f"The {role} had ended with status {ended[0]['status']}"
        return f"{sentence}.{last}" if last else sentence, ""
    started = [event.time for event in recording.of("process.start") if event["role"] == role]
    samples = [event for event in recording.of("sample") if event["role"] == role]
    if not started or not samples:
        return last.strip(), ""
    used, waited = float(samples[-1]["cpu"]), samples[-1].time - started[0]
    if used + float(samples[-1].get("waited", 0.0)) < BUSY * waited:
        sentence = "It was still running, and waited for something"
        return f"{sentence}.{last}" if last else sentence, ""
    sentence = f"It was still running, and had used {used:.1f} s of CPU"
    return f"{sentence}.{last}" if last else sentence, ENDLESS


ENDLESS = "It looks like a loop that does not end, perhaps already when the file is imported."
NOT_INSTALLED = (
    "Install what it imports for the Python that grades it, or do not use it: the lab needs Pillow"
    " alone."
)


def _last_line(recording: Recording, role: str) -> str:
    """The last line that a program wrote, to stdout or stderr."""
    written = [
        e["data"] for e in recording.of("process.stdout", "process.stderr") if e["role"] == role
    ]
    lines = b"".join(written).decode(errors="backslashreplace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


LAB_FILES = (
    "Server.py",
    "ServerWorker.py",
    "Client.py",
    "ClientLauncher.py",
    "RtpPacket.py",
    "VideoStream.py",
)


_TOLD = (
    *("tcp.in", "tcp.out", "click", "udp.in", "udp.out", "tcp.closed"),
    *("process.start", "process.exit", "packet.loaded", "packet.encode", "packet.decode"),
)


def transcript(recording: Recording, end: float = 1e9, limit: int = 14) -> tuple[str, ...]:
    """What happened, in words: requests, replies, clicks, packets (those in a row as one line)."""
    lines: list[str] = []
    run: list[Packet] = []
    for event in recording.of(*_TOLD):
        if event.time > end:
            break
        if event.kind == "process.start" and event["role"] == "packet":
            continue  # a program of ours that loads RtpPacket
        if event.kind.startswith("udp"):
            run.append(Packet(event.time, event["data"], 0 if event.kind == "udp.in" else 1))
            continue
        lines += _run_in_words(run)
        run = []
        lines.append(f"{event.time:6.2f} s  {_in_words(event)}")
    lines += _run_in_words(run)
    if len(lines) > limit:
        lines = [*lines[: limit // 2], "...", *lines[-limit // 2 :]]
    return tuple(lines)


def _run_in_words(run: list[Packet]) -> list[str]:
    if not run:
        return []
    who = "we sent" if run[0].port else "came"
    first, last = hexed(run[0].data, 4), hexed(run[-1].data, 4)
    return [f"{run[0].time:6.2f} s  {several(len(run), 'packet')} {who}: {first} to {last}"]


def _in_words(event: Event) -> str:
    if event.kind == "tcp.in":
        return f"came {quoted(_visible(event['data']))}"
    if event.kind == "tcp.out":
        return f"we sent {quoted(_visible(event['data']))}"
    if event.kind == "click":
        there = "" if event.get("found", True) else ", which is not there"
        if not event.get("reacted", True):
            there = ", and the window did not react"
        return f"we clicked {event['button']}{there}"
    if event.kind == "process.start":
        program, *arguments = [*map(str, event.get("argv", ())), ""]
        command = " ".join([re.split(r"[\\/]", program)[-1], *arguments]).strip()
        return f"we started the {event['role']}: {command}"
    if event.kind == "process.exit":
        return f"the {event['role']} ended with status {event['status']}"
    if event.kind == "packet.loaded":
        return "RtpPacket was loaded" if event["ok"] else "RtpPacket was not loaded"
    if event.kind == "packet.encode":
        made = event.get("packet")
        gave = event.get("error") or (hexed(made, HEADER_SIZE) if made else "nothing")
        return f"we called encode ({event['case']}): {gave}"
    if event.kind == "packet.decode":
        return f"we called decode ({hexed(event['packet'], HEADER_SIZE)})"
    return f"the connection was closed by {event['by']}"


def _visible(data: bytes) -> str:
    """Bytes on one line: line ends and what can't be printed as Python writes them."""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")
