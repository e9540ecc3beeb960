"""The mistakes of the lab, each as a recording written by hand, and what is said about it.

For each: exactly the named check fails, all others pass or are blocked, and its sentence has the
byte, line or header that is wrong, what was expected, and where to look, in whatever words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import recordings as by_hand
from recordings import (
    RTP_PORT,
    SESSION,
    WALL,
    asked,
    client_session,
    core,
    failures,
    header_of,
    packet,
    reply,
    rtp,
    server_second,
    server_session,
    slow_reply,
    verdicts,
)
from wording import lacks

from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.model.checks import Outcome, Verdict
from rtplab.grading.model.editions import EDITIONS
from rtplab.grading.model.recording import Recording


def test_a_picture_that_is_drawn_late_is_no_movie_that_goes_on() -> None:
    """Two that come late are, unless this machine has made our threads or the client's wait."""
    assert paused(shown=1) is paused(shown=3, busy=0.3) is paused(shown=3, waited=0.3)
    assert paused(shown=3, busy=0.3) is Outcome.PASSED
    assert paused(shown=2) is paused(shown=11, waited=0.3) is Outcome.FAILED


def test_a_pause_is_tried_once_more_for_a_client_may_wait_for_a_cpu_when_we_do_not() -> None:
    assert {check.id: check.timing for check in CHECKS}["client.pause"]


def paused(shown: int, busy: float = 0.0, waited: float = 0.0) -> Outcome:
    session = client_session(shown_after_pause=shown, waited_in_pause=waited)
    session = replace(session, facts={**session.facts, "noise_worst": busy})
    return verdicts(core(client_session=session))["client.pause"].outcome


@pytest.mark.parametrize(
    ("interval", "waited", "outcome"),
    [
        (0.062, 0.0, Outcome.PASSED),
        (0.068, 0.0, Outcome.FAILED),
        (0.068, 0.2, Outcome.PASSED),
        (0.1, 0.2, Outcome.FAILED),
    ],
)
def test_a_server_is_as_slow_as_it_must_wait_for_a_cpu(
    interval: float, waited: float, outcome: Outcome
) -> None:
    found = verdicts(core(server_session=server_session(interval=interval, waited=waited)))
    assert found["server.pace"].outcome is outcome


def test_a_faithful_program_fails_nothing() -> None:
    found = verdicts(core())
    assert {name: v.sentence for name, v in found.items() if v.outcome is not Outcome.PASSED} == {}
    assert len(found) > 30
    assert sum(check.points for check in CHECKS) == 100


def test_one_listener_for_the_whole_session_is_right_too() -> None:
    session = client_session(listens_from_setup=True, lingers=True)
    assert failures(verdicts(core(client_session=session))) == []


def test_a_window_may_stay_for_another_session() -> None:
    assert failures(verdicts(core(client_session=client_session(stays_for_more=True)))) == []


@pytest.mark.parametrize(
    "ending", [{"stays_for_more": False}, {"exits_after": 3.5}, {"exits": False}]
)
def test_a_client_that_stays_for_nothing_has_not_ended(ending: dict[str, Any]) -> None:
    """Such as one that is idle after TEARDOWN, or takes longer than three seconds."""
    session = client_session(**ending)
    assert failures(verdicts(core(client_session=session))) == ["client.teardown"]


def test_a_listener_that_play_begins_ends_after_pause() -> None:
    """Also if the second PLAY begins no other: it can't have slept through with a time-out."""
    session = client_session(lingers=True)
    assert failures(verdicts(core(client_session=session))) == ["client.timeout"]
    java = verdicts(core(client_session=session), EDITIONS["java"])
    assert java["client.timeout"].outcome is Outcome.PASSED  # it is a timer's


def changed_header(place: int, value: int) -> Callable[[dict[str, int], bytes], bytes]:
    def encode(inputs: dict[str, int], payload: bytes) -> bytes:
        header = bytearray(header_of(**inputs))
        header[place] = value
        return bytes(header) + payload

    return encode


def shifted_too_far(inputs: dict[str, int], payload: bytes) -> bytes:
    if inputs["version"] << 7 > 255:
        raise ValueError("byte must be in range(0, 256)", "header[0] = version << 7")
    return header_of(**{**inputs, "version": inputs["version"] << 1}) + payload


def version_in_the_low_bits(inputs: dict[str, int], payload: bytes) -> bytes:
    header = bytearray(header_of(**{**inputs, "version": 0}))
    header[0] |= inputs["version"]
    return bytes(header) + payload


def marker_over_type(inputs: dict[str, int], payload: bytes) -> bytes:
    header = bytearray(header_of(**inputs))
    header[1] = inputs["marker"] << 7
    return bytes(header) + payload


def swapped_number(inputs: dict[str, int], payload: bytes) -> bytes:
    header = bytearray(header_of(**inputs))
    header[2:4] = header[2:4][::-1]
    return bytes(header) + payload


def with_time(timestamp: int) -> Callable[[dict[str, int], bytes], bytes]:
    return lambda inputs, payload: header_of(**inputs, timestamp=timestamp) + payload


def unmasked_ssrc(inputs: dict[str, int], payload: bytes) -> bytes:
    if inputs["ssrc"] >> 8 > 255:
        raise ValueError("byte must be in range(0, 256)", "header[10] = ssrc >> 8")
    return header_of(**inputs) + payload


def text_of_payload(inputs: dict[str, int], payload: bytes) -> bytes:
    return header_of(**inputs) + str(payload).encode()


PACKETS: dict[str, tuple[str, Recording, list[str]]] = {
    "1 version << 7": (
        "packet.version",
        packet(shifted_too_far),
        ["range(0, 256)", "line 27", "highest bits", "6, not 7"],
    ),
    "2 version at the wrong bits": (
        "packet.version",
        packet(version_in_the_low_bits),
        ["Byte 0", "02 (V=0)", "80 (V=2", "version << 6"],
    ),
    "3 a local header never stored": (
        "packet.filled",
        packet(lambda inputs, payload: bytes(12) + payload),
        ["12 header bytes", "self.header", "variable"],
    ),
    "4 M overwrites PT": (
        "packet.type",
        packet(marker_over_type),
        ["Byte 1", "00, expected 1a", "M=0, PT=26", "|"],
    ),
    "5 bytes of the number swapped": (
        "packet.sequence",
        packet(swapped_number),
        ["Frame 1", "number 256", "01 00, expected 00 01", "high byte"],
    ),
    "6 only the low byte of the number": (
        "packet.sequence",
        packet(changed_header(2, 0)),
        ["Frame 256", "number 0", "00 00, expected 01 00", "12.8 s"],
    ),
    "7 no timestamp": (
        "packet.timestamp",
        packet(with_time(0)),
        ["timestamp was 0", "bytes 4 to 7"],
    ),
    "7 one byte of the timestamp": (
        "packet.timestamp",
        packet(with_time(WALL & 0xFF)),
        [f"timestamp was {WALL & 0xFF}", "lowest byte", str(WALL)],
    ),
    "7 milliseconds": (
        "packet.timestamp",
        packet(with_time(WALL * 1000 % 2**32)),
        ["milliseconds", str(WALL)],
    ),
    "8 an SSRC without & 0xFF": (
        "packet.ssrc",
        packet(unmasked_ssrc),
        ["encode(ssrc=16909060) raised", "ValueError", "Mask"],
    ),
    "9 the text of the payload": (
        "packet.payload",
        packet(text_of_payload),
        ["60", "text", "str()"],
    ),
    "9 no payload": (
        "packet.payload",
        packet(lambda inputs, payload: header_of(**inputs)),
        ["0 bytes", "60", "self.payload = payload"],
    ),
    "10 the header of the class": (
        "packet.instances",
        packet(shared=True),
        ["second packet", "RtpPacket.header", "new bytearray"],
    ),
    "11 the mask of the payload type": (
        "packet.decode",
        packet(changes={"payloadType": 0}),
        ["payloadType() gave 0", "expected 26", "127"],
    ),
}


@pytest.mark.parametrize("mistake", PACKETS)
def test_mistakes_in_packets(mistake: str) -> None:
    check, recording, words = PACKETS[mistake]
    one_cause(verdicts({"packet": recording}), check, words)
    one_cause(verdicts(core(packet=recording)), check, words)


def in_request(method: str, old: str, new: str) -> Callable[[str, int], str]:
    """Requests as they should be, but for a change in those of one method, or of "later" ones."""

    def write(name: str, number: int) -> str:
        text = asked(name, number)
        concerned = name == method or (method == "later" and name != "SETUP")
        return text.replace(old, new) if concerned else text

    return write


def with_fact(recording: Recording, **facts: Any) -> Recording:
    return replace(recording, facts={**recording.facts, **facts})


SESSION_LINE = f"Session: {SESSION}"
TRANSPORT_LINE = f"Transport: RTP/UDP; client_port= {RTP_PORT}"

RECORDED: dict[str, tuple[str, dict[str, Recording], list[str]]] = {
    "12 CSeq never counts": (
        "client.cseq",
        {"client_session": client_session(in_request("PLAY", "CSeq: 2", "CSeq: 1"))},
        ["PLAY", "CSeq 1", "SETUP", "expected 2", "branch"],
    ),
    "13 CSeq starts at 0": (
        "client.cseq",
        {"client_session": client_session(lambda method, number: asked(method, number - 1))},
        ["CSeq was 0", "at 1"],
    ),
    "14 SEeq": (
        "client.header",
        {"client_session": client_session(in_request("PLAY", "CSeq", "SEeq"))},
        ["second line", '"SEeq: 2"', '"CSeq: 2"', "position"],
    ),
    "15 the session is 0": (
        "client.session",
        {"client_session": client_session(in_request("later", SESSION_LINE, "Session: 0"))},
        ['PLAY said Session "0"', SESSION, "line 3"],
    ),
    "15 a fixed session": (
        "client.session",
        {"client_session": client_session(in_request("later", SESSION_LINE, "Session: 123456"))},
        ['Session "123456"', SESSION],
    ),
    "16 RTP/AVP": (
        "client.transport",
        {"client_session": client_session(in_request("SETUP", "RTP/UDP", "RTP/AVP"))},
        ['"Transport: RTP/AVP; client_port= 40112"', f'"{TRANSPORT_LINE}"', "your handout's form"],
    ),
    "16 no space": (
        "client.transport",
        {"client_session": client_session(in_request("SETUP", "port= ", "port="))},
        ['"Transport: RTP/UDP; client_port=40112"', TRANSPORT_LINE, "IndexError"],
    ),
    "16 another port": (
        "client.transport",
        {
            "client_session": client_session(
                in_request("SETUP", "40112", "40113"), show=lambda n: None
            )
        },
        ["40113", TRANSPORT_LINE, "is 40112, not 40113"],
    ),
    "17 Transport in PLAY": (
        "client.transport",
        {
            "client_session": client_session(
                in_request("PLAY", SESSION_LINE, f"{SESSION_LINE}\n{TRANSPORT_LINE}")
            )
        },
        ["PLAY", "Transport header"],
    ),
    "18 the port is not bound": (
        "client.port",
        {"client_session": client_session(bound=False, show=lambda n: None)},
        [f"port {RTP_PORT}", "nobody listened", "openRtpPort"],
    ),
    "19 no time-out": (
        "client.timeout",
        {"client_session": client_session(lingers=True, resumed_threads=4, exits=False)},
        ["1.5 s after PAUSE", "in recv", "0.5 s"],
    ),
    "19 a time-out of 10 ms": (
        "client.timeout",
        {"client_session": client_session(wakes_early=33)},
        ["33 times", "0.3 s", "0.5 s"],
    ),
    "20 the state is set on the click": (
        "client.states",
        {"client_slow_reply": slow_reply(early_play=True)},
        ["PLAY", "0.4 s after SETUP", "before its reply"],
    ),
    "20 Play in INIT": (
        "client.states",
        {"client_session": client_session(early=asked("PLAY", 1, "0"))},
        ["PLAY", "before SETUP", "INIT"],
    ),
    "21 a second listener": (
        "client.resume",
        {"client_session": client_session(lingers=True, lingering_wakes=1, resumed_threads=4)},
        ["PAUSE, 1.5 s, PLAY", "4 threads, before 3", "playEvent"],
    ),
    "22 the picture goes on": (
        "client.pause",
        {"client_session": client_session(shown_after_pause=11)},
        ["PAUSE was answered", "11 frames"],
    ),
    "22 PAUSE is not sent": (
        "client.pause",
        {"client_session": client_session(pauses=False, shown_after_pause=9)},
        ["no PAUSE", "9 frames"],
    ),
    "23 the process stays": (
        "client.teardown",
        {
            "client_session": client_session(
                exits=False,
                hooks=({"name": "stack", "threads": {"Thread-1": "recvRtspReply line 184"}},),
            )
        },
        ["3 s after TEARDOWN", "process", "recvRtspReply line 184", "40112"],
    ),
    "23 the window stays": (
        "client.teardown",
        {"client_session": client_session(exits=False, window_goes=False)},
        ["window", "still"],
    ),
    "25 the marker is waited for": (
        "client.shows",
        {
            "client_session": client_session(
                show=lambda n: None, hooks=({"name": "received", "asked": 20480, "size": 315},)
            )
        },
        ["No picture", "20 frames", "port 40112", "marker is 0"],
    ),
    "26 the receive buffer is too small": (
        "client.shows",
        {
            "client_session": client_session(
                show=lambda n: None, hooks=({"name": "received", "asked": 300, "size": 300},)
            )
        },
        ["300 bytes", "336", "20480"],
    ),
    "28 the status is not looked at": (
        "client.error",
        {"client_error": by_hand.error_reply(plays=True)},
        ["SETUP was 404", "READY"],
    ),
    "29 recv in the window's thread": (
        "robust.responsive",
        {"client_slow_reply": slow_reply(slow=2.0)},
        ["2.0 s", "reply was late"],
    ),
    "30 the reply's lines in another order": (
        "server.reply",
        {
            "server_session": server_session(
                lambda method, number: f"RTSP/1.0 200 OK\nSession: {SESSION}\nCSeq: {number}"
            )
        },
        [f'second line was "{SESSION_LINE}", expected "CSeq: 1"', "by its lines"],
    ),
    "31 another movie": (
        "server.frames",
        {"server_session": server_session(send=lambda number: header_of(seqnum=number) + b"other")},
        [f"Asked for {by_hand.MOVIE}", "something else"],
    ),
    "a header of one's own before the JPEG": (
        "server.frames",
        {
            "server_session": server_session(
                send=lambda number: rtp(number)[:12] + b"00042" + rtp(number)[12:]
            )
        },
        ["5 bytes into the payload", "12 bytes of header"],
    ),
    "32 PAUSE does not stop it": (
        "server.pause",
        {"server_session": server_session(after_pause=9, resumed_from=30)},
        ["9 packets", "200 to PAUSE"],
    ),
    "40 the cache file is left behind": (
        "robust.file",
        {"client_session": client_session(left=(f"cache-{SESSION}.jpg",))},
        [f"cache-{SESSION}.jpg", "stayed"],
    ),
    "the server understands other requests alone": (
        "server.reply",
        {"server_session": with_fact(server_session(), form="java")},
        ["lines", "CR LF", "the last one"],
    ),
    "the client understands other replies alone": (
        "client.session",
        {"client_session": with_fact(client_session(), reply="lf-blank")},
        ["lines", "LF", "blank line", "handout"],
    ),
    "the client understands replies in two segments alone": (
        "client.session",
        {"client_session": with_fact(client_session(), pieces=2)},
        ["two segments", "one segment", "recv"],
    ),
    "the server does not start": (
        "server.starts",
        {"server_session": server_session(listens=False, stderr="Traceback\nIndexError: argv")},
        ["port 40800", "IndexError: argv"],
    ),
    "the server does not answer": (
        "server.reply",
        {
            "server_session": server_session(
                lambda method, number: "" if method == "TEARDOWN" else reply(number)
            )
        },
        ["TEARDOWN was not answered"],
    ),
    "one session for all": (
        "server.session",
        {"server_second": server_second(SESSION, SESSION)},
        ["Two connections", SESSION],
    ),
    "the marker is set on the wire": (
        "server.header",
        {"server_session": server_session(send=lambda number: rtp(number, marker=1))},
        ["Byte 1 of packet 1", "9a, expected 1a", "M is 0"],
    ),
    "the SSRC changes": (
        "server.header",
        {"server_session": server_session(send=lambda number: rtp(number, ssrc=number))},
        ["SSRC", "00000001 to 00000002"],
    ),
    "the timestamp falls": (
        "server.header",
        {
            "server_session": server_session(
                send=lambda number: rtp(number, timestamp=WALL - number)
            )
        },
        ["The timestamp fell", "never falls"],
    ),
    "numbers from 0": (
        "server.numbers",
        {"server_session": server_session(send=lambda number: rtp(number - 1, frame=number))},
        ["Packet 1", "number 0, expected 1"],
    ),
    "a frame every 100 ms": (
        "server.pace",
        {"server_session": server_session(interval=0.1)},
        ["100 ms", "expected 50 ms"],
    ),
    "the movie begins again after PAUSE": (
        "server.pause",
        {"server_session": server_session(resumed_from=1)},
        ["frame 1", "frame 20", "expected frame 21"],
    ),
    "it sends on after TEARDOWN": (
        "server.teardown",
        {"server_session": server_session(after_teardown=5)},
        ["5 packets", "200 to TEARDOWN"],
    ),
    "the client does not start": (
        "client.starts",
        {"client_session": client_session(starts=False, stderr="NameError: name 'Client'")},
        ["port 40800", "NameError"],
    ),
    "half of the frames are shown": (
        "client.shows",
        {"client_session": client_session(show=lambda n: n if n % 2 else None)},
        ["10 of 19 frames", "90%"],
    ),
    "no TEARDOWN": (
        "client.teardown",
        {"client_session": client_session(tears_down=False)},
        ["Teardown was clicked", "no TEARDOWN"],
    ),
    "READY never comes": (
        "client.states",
        {"client_session": client_session(plays=False, pauses=False, show=lambda n: None)},
        ["Play was clicked", "no PLAY", "READY"],
    ),
    "the two do not go together": (
        "both.movie",
        {"both": by_hand.both(shown=0, stderr="IndexError: list index out of range")},
        ["0 frames of the 20", "IndexError"],
    ),
}


@pytest.mark.parametrize("mistake", RECORDED)
def test_mistakes_in_programs(mistake: str) -> None:
    check, changed, words = RECORDED[mistake]
    one_cause(verdicts(core(**changed)), check, words)


def one_cause(found: dict[str, Verdict], check: str, words: list[str]) -> None:
    """Exactly this check fails, and says all that, in the form that every sentence has."""
    told = {name: found[name].sentence for name in failures(found)}
    assert list(told) == [check], told
    verdict = found[check]
    said = f"{verdict.sentence} {verdict.advice}"
    assert not lacks(said, *words), said
    assert "expected" in verdict.sentence.lower() and verdict.sentence.endswith((".", "?"))
    causes = {v.blocked_by for v in found.values() if v.outcome is Outcome.BLOCKED}
    assert all(found[cause].outcome is not Outcome.PASSED for cause in causes), causes


def test_the_wrong_bytes_are_marked() -> None:
    (evidence,) = verdicts({"packet": packet(changed_header(2, 0))})["packet.sequence"].evidence
    assert [evidence.data[start:end].hex() for start, end in evidence.wrong] == ["00"]
    assert evidence.wrong == ((2, 3),)


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (by_hand.jittered(), []),
        (by_hand.jittered(kept=0), ["1 frame", "at least 2"]),
        (by_hand.jittered(gap=0.2), ["200 ms"]),
    ],
)
def test_pre_buffering(recording: Recording, words: list[str]) -> None:
    verdict = verdicts({"extend.cache": recording})["extend.cache"]
    assert not lacks(verdict.sentence, *words), verdict.sentence
    assert bool(words) is (verdict.outcome is Outcome.FAILED)


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize(
    ("events", "facts"),
    [
        ([("sample", {"threads": 1, "cpu": 9.4, "fds": 3})], ("running", "9.4 s", "loop")),
        ([("sample", {"threads": 1, "cpu": 0.1, "fds": 3})], ("running", "waited")),
        (
            [
                ("process.stdout", {"data": b"Usage: PORT\n\n"}),
                ("process.exit", {"status": 0}),
            ],
            ("status 0", "Usage: PORT"),
        ),
        (
            [("process.stderr", {"data": b"EOFError: EOF when reading a line\n"})],
            ("EOFError", "stdin", "arguments"),
        ),
        (
            [("process.stderr", {"data": b"ModuleNotFoundError: No module named 'cv2'\n"})],
            ("cv2", "Install"),
        ),
    ],
    ids=["endless loop", "waits", "usage", "question", "missing package"],
)
def test_what_a_program_did_instead_of_starting(
    role: str, events: list[tuple[str, dict[str, Any]]], facts: tuple[str, ...]
) -> None:
    story = by_hand.Story(f"{role}.session").step("start").add("process.start", role=role, pid=9)
    story.wait(10)
    for kind, fields in events:
        story.add(kind, role=role, **fields)
    word = f"{role}_session"
    verdict = verdicts(core(**{word: story.step("end").recording()}))[f"{role}.starts"]
    assert verdict.outcome is Outcome.FAILED
    for fact in facts:
        assert fact in f"{verdict.sentence} {verdict.advice}"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("the import gave no answer in 10 s", "loop"),
        ("ModuleNotFoundError: No module named 'numpy'", "Install"),
        ("AttributeError: module has no attribute 'RtpPacket'", "class"),
    ],
)
def test_why_a_packet_can_t_be_loaded(error: str, advice: str) -> None:
    verdict = verdicts(core(packet=by_hand.packet(loaded=error)))["packet.loads"]
    assert error in verdict.sentence and advice in verdict.advice
