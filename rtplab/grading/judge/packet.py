"""What `encode` and `decode` of the submission's RtpPacket do (RFC 3550 section 5.1).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    |                           timestamp                           |
    |           synchronization source (SSRC) identifier            |

Each case of the recording changes some inputs of the first. So the difference between two packets
shows which bits these inputs went to, and an exception can be attributed to a field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rtplab.grading.judge.seen import (
    ENDLESS,
    HEADER_SIZE,
    NOT_INSTALLED,
    blocked,
    hexed,
    quoted,
    several,
)
from rtplab.grading.model.checks import Evidence, Outcome, Verdict, failed, not_checked, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Event, Recording, Recordings

SCENARIO = "packet"
CLOCK_TOLERANCE = 2.0
"""Seconds by which the timestamp may be off: the machine may be busy between two lines."""
VIDEO_CLOCK = 90_000
"""Ticks a second of the RTP clock for JPEG (RFC 2435 section 3)."""

OWNERS = {
    "version": "packet.version",
    "padding": "packet.flags",
    "extension": "packet.flags",
    "cc": "packet.flags",
    "marker": "packet.type",
    "pt": "packet.type",
    "seqnum": "packet.sequence",
    "timestamp": "packet.timestamp",
    "ssrc": "packet.ssrc",
    "payload": "packet.payload",
}
"""The check that judges each input of `encode`."""

WHERE = "the section on RTP packets in the assignment; RFC 3550 section 5.1"


@dataclass(frozen=True)
class Encoding:
    """One call of `encode`: its inputs, and those in which they differ from the base."""

    event: Event
    clock: float
    changed: frozenset[str]

    @property
    def packet(self) -> bytes:
        """What getPacket gave; b"" after an exception."""
        return bytes(self.event.get("packet") or b"")

    @property
    def error(self) -> str:
        """The exception, without the place where it was raised."""
        return _PLACE.sub("", str(self.event.get("error") or ""))

    @property
    def line(self) -> str:
        """The line of RtpPacket.py in which the exception was raised."""
        found = _PLACE.search(str(self.event.get("error") or ""))
        return found["text"] or "" if found else ""

    @property
    def place(self) -> str:
        """For a sentence: where the exception was raised."""
        found = _PLACE.search(str(self.event.get("error") or ""))
        return f" in line {found['number']}{f', {self.line}' if self.line else ''}" if found else ""

    def given(self, name: str) -> int:
        return int(self.event["inputs"][name])

    @property
    def payload(self) -> bytes:
        return bytes(self.event["inputs"]["payload"])


_PLACE = re.compile(r" \(line (?P<number>\d+)(?:: (?P<text>.*))?\)\Z", re.DOTALL)


class Encodings:
    """All calls of `encode`, and the cause if one raised an exception."""

    def __init__(self, recording: Recording) -> None:
        events = recording.of("packet.encode")
        plain: Mapping[str, Any] = events[0]["inputs"] if events else {}
        wall = float(recording.facts.get("wall", 0.0))
        self.all = [
            Encoding(event, wall + event.time if wall else 0.0, _changed(event["inputs"], plain))
            for event in events
        ]
        self.base = self.all[0] if self.all else None
        self.good = [one for one in self.all if len(one.packet) >= HEADER_SIZE]

    def blame(self) -> str:
        """The check that owns the exception of the base case; "" if that raised none."""
        if self.base is None or not self.base.error:
            return ""
        words = re.findall(r"[a-z]+", self.base.line.lower())
        owners = [OWNERS[word] for word in words if word in OWNERS]
        return owners[-1] if owners else self._by_elimination()

    def _by_elimination(self) -> str:
        """The only input whose change makes it work."""
        helped = {OWNERS[name] for one in self.good for name in one.changed}
        return helped.pop() if len(helped) == 1 else "packet.filled"

    def raised(self, check: str) -> Encoding | None:
        """The first call that raised because of this check's field."""
        if self.blame() == check:
            return self.base
        if self.blame():
            return None
        wrong = [
            one
            for one in self.all
            if one.error and {OWNERS[name] for name in one.changed or {"payload"}} == {check}
        ]
        return wrong[0] if wrong else None

    def of(self, *inputs: str) -> list[Encoding]:
        """The packets of the base and of the cases that change only these inputs."""
        return [one for one in self.good if one.changed <= set(inputs)]


def _changed(inputs: Mapping[str, Any], plain: Mapping[str, Any]) -> frozenset[str]:
    """The inputs that differ, without the payload, which differs each time."""
    names = set(inputs) & set(OWNERS) - {"payload"}
    return frozenset(name for name in names if inputs[name] != plain.get(name))


def loads(recordings: Recordings, edition: Edition) -> Verdict:
    event = next(iter(recordings[SCENARIO].of("packet.loaded")), None)
    if event is None:
        return not_checked("RtpPacket.py was not loaded")
    if event["ok"]:
        return passed()
    error = str(event.get("error") or "it gave no reason")
    advice = "It must define a class RtpPacket that can be made without arguments."
    if "no answer" in error:
        advice = ENDLESS
    elif error.startswith(("ModuleNotFoundError", "ImportError")):
        advice = NOT_INSTALLED
    return failed(f"RtpPacket.py could not be loaded: {error}.", advice)


def filled(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    base = encodings.base
    if base is None:
        return not_checked("encode was not called")
    if base.error:
        if encodings.blame() != "packet.filled":
            return passed()
        return failed(
            f"encode raised {quoted(base.error)}{base.place}; expected 12 bytes of header"
            " and then the payload.",
            "Fill a bytearray of 12 bytes, and store it in self.header.",
        )
    header = base.packet[:HEADER_SIZE]
    if len(base.packet) < HEADER_SIZE:
        return failed(
            f"getPacket gave {several(len(base.packet), 'byte')}; expected 12 bytes of header and"
            f" then the payload ({WHERE}).",
            "Fill a bytearray of 12 bytes in encode, and store it in self.header.",
            evidence=(Evidence(base.packet),),
        )
    if not any(header):
        return failed(
            "All 12 header bytes were 0 after encode; expected 80 1a and then number, time and"
            f" SSRC ({WHERE}).",
            "The packet is sent from self.header; encode filled another variable, or none."
            " End encode with self.header = header.",
            evidence=(Evidence(header, ((0, HEADER_SIZE),), "the header"),),
        )
    return passed()


def version(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    if verdict := _raised(
        encodings,
        "packet.version",
        "V are the two highest bits of the first byte: shift by 6, not 7 (version << 6). The"
        " handout's formula, 7 - n, is one too many for a field of two bits.",
    ):
        return verdict
    for one in encodings.of("version"):
        seen, expected = one.packet[0] >> 6, one.given("version") & 3
        if seen != expected:
            first = one.packet[0]
            return failed(
                f"Byte 0 was {first:02x} (V={seen}), expected {expected << 6:02x} (V={expected},"
                f" the rest 0): V are its two highest bits ({WHERE}).",
                "In encode: header[0] = version << 6, and then the others with | .",
                evidence=(_marked(one, 0, 1, "byte 0: V P X CC"),),
            )
    return passed()


def flags(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = "In encode: | padding << 5, | extension << 4, | cc."
    if verdict := _raised(encodings, "packet.flags", advice):
        return verdict
    base = encodings.base
    if base is None:
        return not_checked("encode was not called")
    shifts = {"padding": (5, 1), "extension": (4, 1), "cc": (0, 15)}
    version_is_right = version(recordings, edition).outcome is Outcome.PASSED
    if version_is_right and base.packet[0] & 0x3F:
        return failed(
            f"Byte 0 was {base.packet[0]:02x}, expected 80: padding, extension and CC are 0"
            f" ({WHERE}).",
            advice,
            evidence=(_marked(base, 0, 1, "byte 0: V P X CC"),),
        )
    for one in encodings.of(*shifts):
        expected = base.packet[0]
        for name in one.changed:
            shift, mask = shifts[name]
            expected ^= (one.given(name) & mask) << shift
        if one.packet[0] != expected:
            inputs = ", ".join(f"{name}={one.given(name)}" for name in sorted(one.changed))
            return failed(
                f"With {inputs} byte 0 was {one.packet[0]:02x}, expected {expected:02x} ({WHERE}).",
                advice,
                evidence=(_marked(one, 0, 1, "byte 0: V P X CC"),),
            )
    return passed()


def payload_type(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = (
        "The marker and the payload type share byte 1: combine them with | "
        "(marker << 7 | pt), so that neither overwrites the other."
    )
    if verdict := _raised(encodings, "packet.type", advice):
        return verdict
    for one in encodings.of("marker", "pt"):
        marker, pt = one.given("marker") & 1, one.given("pt") & 0x7F
        expected = marker << 7 | pt
        if one.packet[1] != expected:
            return failed(
                f"Byte 1 was {one.packet[1]:02x}, expected {expected:02x} (M={marker}, PT={pt};"
                f" {WHERE}).",
                advice,
                evidence=(_marked(one, 1, 2, "byte 1: M and PT"),),
            )
    return passed()


def sequence(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = (
        "Bytes 2 and 3 are the number, the high byte first: header[2] = seqnum >> 8 & 0xFF and"
        " header[3] = seqnum & 0xFF."
    )
    if verdict := _raised(encodings, "packet.sequence", advice):
        return verdict
    for one in encodings.of("seqnum"):
        given = one.given("seqnum") & 0xFFFF
        seen = int.from_bytes(one.packet[2:4], "big")
        if seen == given:
            continue
        expected = given.to_bytes(2, "big")
        marks = tuple((2 + i, 3 + i) for i in (0, 1) if one.packet[2 + i] != expected[i])
        sentence = (
            f"Frame {given} went out as number {seen}: bytes 2 and 3 were"
            f" {hexed(one.packet[2:4])}, expected {hexed(expected)} ({WHERE})."
        )
        if one.packet[2:4] == expected[::-1]:
            advice = f"The two bytes are swapped: network order puts the high byte first. {advice}"
        elif seen == given & 0xFF:
            advice += " Only the low byte is there: the client drops everything after 12.8 s."
        note = "bits 16 to 31 are the sequence number, high byte first"
        return failed(sentence, advice, evidence=(Evidence(one.packet[:HEADER_SIZE], marks, note),))
    return passed()


def timestamp(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = "Bytes 4 to 7 hold the time: timestamp >> 24, >> 16, >> 8 and >> 0, each & 0xFF."
    if verdict := _raised(encodings, "packet.timestamp", advice):
        return verdict
    for one in encodings.good:
        seen = int.from_bytes(one.packet[4:8], "big")
        clock = one.clock
        if seen and (not clock or _is_time(seen, clock)):
            continue
        evidence = (_marked(one, 4, 8, "bits 32 to 63 are the timestamp"),)
        if not seen:
            sentence = "The timestamp was 0 in all packets: bytes 4 to 7 hold the time"
        elif _close(seen, clock * 1000, CLOCK_TOLERANCE * 1000):
            sentence = f"The timestamp was {seen}, the clock in milliseconds"
        elif seen < 256 and not any(one.packet[4:7]):
            sentence = f"The timestamp was {seen}: only its lowest byte was filled"
        elif _is_time(int.from_bytes(one.packet[4:8], "little"), clock):
            sentence = f"The timestamp was {seen}: its bytes are in the wrong order"
        else:
            sentence = f"The timestamp was {seen}"
        return failed(
            f"{sentence}; expected {int(clock)} (seconds, as int(time()) in the assignment), or"
            " that in 90 kHz (RFC 2435).",
            advice,
            evidence=evidence,
        )
    return passed()


def ssrc(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = "Mask each byte: header[8] = ssrc >> 24 & 0xFF, and so on to header[11] = ssrc & 0xFF."
    if verdict := _raised(encodings, "packet.ssrc", advice):
        return verdict
    for one in encodings.of("ssrc"):
        expected = (one.given("ssrc") & 0xFFFFFFFF).to_bytes(4, "big")
        if one.packet[8:12] != expected:
            return failed(
                f"With ssrc={one.given('ssrc')} bytes 8 to 11 were {hexed(one.packet[8:12])},"
                f" expected {hexed(expected)} ({WHERE}).",
                advice,
                evidence=(_marked(one, 8, 12, "bits 64 to 95 are the SSRC"),),
            )
    return passed()


def payload(recordings: Recordings, edition: Edition) -> Verdict:
    encodings = Encodings(recordings[SCENARIO])
    advice = "In encode: self.payload = payload, the bytes as they are."
    if verdict := _raised(encodings, "packet.payload", advice):
        return verdict
    for one in encodings.good:
        seen = one.packet[HEADER_SIZE:]
        if seen == one.payload:
            continue
        sentence = f"The payload was {several(len(seen), 'byte')}, the frame {len(one.payload):,}"
        if seen.startswith((b"b'", b'b"', b"bytearray(")):
            sentence += ": it begins with the text of a bytes object"
            advice += " str() of bytes gives their text, b'...', and not the bytes."
        elif len(seen) == len(one.payload):
            sentence += ", but other bytes"
        wrong = _difference(seen, one.payload)
        shown = one.packet[: HEADER_SIZE + wrong + 8][-40:]
        at = len(shown) - 8 if len(one.packet) > HEADER_SIZE + wrong + 8 else len(shown)
        marks = ((max(at, 0), len(shown)),) if at < len(shown) else ()
        return failed(
            f"{sentence}; expected the frame itself behind 12 bytes of header.",
            advice,
            evidence=(Evidence(shown, marks, f"the packet up to its byte {12 + wrong}"),),
        )
    return passed()


def instances(recordings: Recordings, edition: Edition) -> Verdict:
    event = next(iter(recordings[SCENARIO].of("packet.pair")), None)
    if event is None:
        return not_checked("no two packets were made")
    if event.get("error"):
        cause = Encodings(recordings[SCENARIO]).blame()
        if cause:
            return blocked(cause)
        return failed(f"A second RtpPacket could not be filled: {event['error']}.")
    before, after = bytes(event["before"]), bytes(event["after"])
    if before == after:
        return passed()
    marks = tuple(
        (i, i + 1)
        for i in range(min(HEADER_SIZE, len(after)))
        if before[i : i + 1] != after[i : i + 1]
    )
    return failed(
        f"Filling a second packet changed the first one, from {hexed(before, 12)} to"
        f" {hexed(after, 12)}; expected two packets that share nothing.",
        "Both share RtpPacket.header, which belongs to the class: make a new bytearray in encode"
        " and store it in self.header.",
        evidence=(Evidence(after[:HEADER_SIZE], marks, "the first packet, after the second"),),
    )


GETTERS: dict[str, Callable[[bytes], int | bytes]] = {
    "version": lambda data: data[0] >> 6,
    "payloadType": lambda data: data[1] & 0x7F,
    "seqNum": lambda data: int.from_bytes(data[2:4], "big"),
    "timestamp": lambda data: int.from_bytes(data[4:8], "big"),
    "payload": lambda data: data[HEADER_SIZE:],
}
"""What each method of a decoded packet must give."""

GETTER_ADVICE = {
    "version": "The version is header[0] >> 6.",
    "payloadType": "Mask byte 1 with 127: the highest bit is the marker.",
    "seqNum": "The number is header[2] << 8 | header[3].",
    "timestamp": "Put bytes 4 to 7 together: header[4] << 24 | header[5] << 16 | ...",
    "payload": "decode cuts behind byte 12: header = byteStream[:12], payload = byteStream[12:].",
}


def decode(recordings: Recordings, edition: Edition) -> Verdict:
    events = recordings[SCENARIO].of("packet.decode")
    if not events:
        return not_checked("decode was not called")
    for event in events:
        if event.get("error"):
            return failed(
                f"decode raised {event['error']}; expected header and payload of a packet of"
                f" {several(len(event['packet']), 'byte')}.",
                GETTER_ADVICE["payload"],
            )
        data, fields = bytes(event["packet"]), event.get("fields") or {}
        for name, expected_of in GETTERS.items():
            expected = expected_of(data)
            if name in fields and fields[name] != expected:
                return failed(
                    f"{_getter(name)} gave {_value(fields[name])} for a packet that begins with"
                    f" {hexed(data, 12)}; expected {_value(expected)}.",
                    GETTER_ADVICE[name],
                    evidence=(Evidence(data[:HEADER_SIZE], _bytes_of(name), name),),
                )
    return passed()


def _bytes_of(getter: str) -> tuple[tuple[int, int], ...]:
    places = {"version": (0, 1), "payloadType": (1, 2), "seqNum": (2, 4), "timestamp": (4, 8)}
    return (places[getter],) if getter in places else ()


def _getter(name: str) -> str:
    return "getPayload()" if name == "payload" else f"{name}()"


def _value(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"{several(len(value), 'byte')} ({hexed(bytes(value), 4)})"
    return str(value)


def _raised(encodings: Encodings, check: str, advice: str) -> Verdict | None:
    """The verdict if `encode` raised: failed if this field is the cause, else blocked."""
    if one := encodings.raised(check):
        inputs = ", ".join(f"{name}={one.given(name)}" for name in sorted(one.changed))
        return failed(
            f"encode({inputs}) raised {quoted(one.error)}{one.place}; expected a packet of 12 bytes"
            f" of header ({WHERE}).",
            advice,
        )
    cause = encodings.blame()
    return blocked(cause) if cause else None


def _marked(one: Encoding, start: int, end: int, note: str) -> Evidence:
    return Evidence(one.packet[:HEADER_SIZE], ((start, end),), note)


def _is_time(seen: int, clock: float) -> bool:
    """Whether it is the clock in seconds or in 90 kHz ticks, to within a few seconds."""
    in_seconds = _close(seen, clock, CLOCK_TOLERANCE)
    return in_seconds or _close(seen, clock * VIDEO_CLOCK, CLOCK_TOLERANCE * VIDEO_CLOCK)


def _close(seen: int, expected: float, tolerance: float) -> bool:
    """Whether two 32-bit timestamps are close to each other, even across the wrap."""
    distance = (seen - int(expected)) % 2**32
    return min(distance, 2**32 - distance) <= tolerance


def _difference(one: bytes, other: bytes) -> int:
    """The index of the first byte in which they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
