"""What the submission's server says and sends, as our lab client saw it."""

from __future__ import annotations

from statistics import median

from rtplab.grading.judge import packet as packet_checks
from rtplab.grading.judge.seen import (
    FORMS,
    HEADER_SIZE,
    STRICT,
    Exchange,
    Packet,
    blocked,
    crash,
    exchange,
    exchanges,
    frame_numbers,
    hexed,
    not_started,
    packets,
    quoted,
    several,
    starved,
    transcript,
    whole_frames,
)
from rtplab.grading.model.checks import Evidence, Outcome, Verdict, failed, not_checked, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recording, Recordings

SESSION = "server.session"
SECOND = "server.second"
PACE_TOLERANCE = 0.25
"""Of the interval: the given code waits 50 ms, and then works for some ms before it waits again."""
FEW = 3
"""Packets that are too few for a median."""
JPEG = 26
JPEG_START = b"\xff\xd8"

WIRE = "section 3 of the assignment; RFC 3550 section 5.1"


def starts(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    port = recording.facts.get("rtsp_port")
    if recording.of("tcp.listening", "tcp.connected"):
        return passed()
    sentence = f"Nothing listened on port {port}; expected a server there, as in Server.py {port}"
    what, where = not_started(recording, "server")
    if what:
        sentence += f". {what}"
    return failed(
        f"{sentence}.",
        where or "The port is the first argument: take it from sys.argv[1], bind, listen, accept.",
        transcript(recording),
    )


def reply(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    for one in exchanges(recording):
        if one.request.method == "PLAY" and one.request.time > (recording.step("teardown") or 1e9):
            continue
        if verdict := _reply(recording, one):
            return verdict
    return _request_form(recording, edition)


def _request_form(recording: Recording, edition: Edition) -> Verdict:
    """The ladder: the form of requests that the server answered."""
    form = str(recording.facts.get("form", edition.request_form))
    if form == edition.request_form:
        return passed()
    return failed(
        f"Requests were answered only with {FORMS.get(form, form)}; expected those of the"
        f" handout's client, {FORMS[edition.request_form]}, to be answered, too.",
        "processRtspRequest must take lines and words by position, whatever ends the lines.",
        transcript(recording),
        share=0.5,
    )


def _reply(recording: Recording, one: Exchange) -> Verdict | None:
    method, number = one.request.method, one.request.number
    told = one.reply
    if told is None:
        sentence = f"{method} was not answered; expected RTSP/1.0 200 OK, CSeq: {number}, Session"
        if error := crash(recording, "server"):
            sentence += f". It wrote: {error}"
        return failed(
            f"{sentence}.", "Answer every request.", transcript(recording, one.request.time + 3)
        )
    evidence = (Evidence(told.data[:120], note="the reply"),)
    wanted = ("RTSP/1.0 200 OK", f"CSeq: {number}", "Session:")
    what = ("status line", "second line", "third line")
    for index, expected in enumerate(wanted):
        line = told.line(index + 1).rstrip()
        if line == expected or (index == 2 and line.startswith(expected) and line[8:].strip()):
            continue
        if expected == "Session:":
            expected = "Session: and the session's number"
        first = "The reply's " if method == "SETUP" else f"The reply to {method}: its "
        return failed(
            f"{first}{what[index]} was {quoted(line)}, expected {quoted(expected)}: textbook"
            " clients read it by its lines (the server's replies in the assignment).",
            "Send status line, CSeq and Session in this order, each on a line of its own; CSeq is"
            " the request's number.",
            transcript(recording, told.time),
            evidence,
        )
    if len(told.lines) > len(wanted):
        return failed(
            f"The reply to {method} went on after its third line with {quoted(told.line(4))};"
            " expected three lines (the server's replies in the assignment).",
            "The given client does not look there; a client that takes the rest for the next reply"
            " goes wrong.",
            transcript(recording, told.time),
            evidence,
            share=0.5,
        )
    return None


def session(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    seen = _sessions(recording)
    if not seen:
        return blocked("server.reply")
    if len(set(seen)) > 1:
        return failed(
            f"The session was {quoted(seen[0])} at first and {quoted(_other(seen))} later; expected"
            " one number from SETUP to TEARDOWN.",
            "Choose the number once, at SETUP, and keep it for this connection.",
            transcript(recording),
        )
    again = _sessions_by_connection(recordings[SECOND]) if SECOND in recordings else {}
    if len(again) > 1 and len(set(again.values())) == 1:
        given = next(iter(again.values()))
        return failed(
            f"Two connections were both given the session {quoted(given)}; expected a number"
            " of its own for each (the assignment draws it by chance).",
            "Draw it at each SETUP: randint(100000, 999999).",
            transcript(recordings[SECOND]),
        )
    if seen[0] in ("0", "None", ""):
        return failed(
            f"The session was {quoted(seen[0])}; expected a random number, chosen at SETUP.",
            "Draw it at each SETUP: randint(100000, 999999).",
        )
    return passed()


def _sessions(recording: Recording) -> list[str]:
    """The session of each reply that has one."""
    replies = [one.reply for one in exchanges(recording) if one.reply is not None]
    values = [told.header("session") for told in replies]
    return [value for value in values if value is not None]


def _sessions_by_connection(recording: Recording) -> dict[int, str]:
    """The session that each connection was given; one that was not answered has none."""
    replies = [one.reply for one in exchanges(recording) if one.reply is not None]
    values = {told.connection: told.header("session") for told in replies}
    return {connection: value for connection, value in values.items() if value is not None}


def _other(seen: list[str]) -> str:
    return next(value for value in seen if value != seen[0])


def header(recordings: Recordings, edition: Edition) -> Verdict:
    """Fields that `encode` itself gets wrong are reported there and excused here."""
    recording = recordings[SESSION]
    received = _played(recording)
    excused = _wrong_in_encode(recordings, edition)
    if not received:
        return blocked("server.frames")
    for packet in received:
        if len(packet.data) < HEADER_SIZE:
            return failed(
                f"A datagram of {several(len(packet.data), 'byte')} came; expected 12 bytes of"
                f" header and a frame ({WIRE}).",
                evidence=(Evidence(packet.data),),
            )
    first = received[0]
    tests = (
        ({"packet.version"}, 0, 0xC0, 0x80, "V is 2"),
        # The version may be in their place.
        ({"packet.flags", "packet.version"}, 0, 0x3F, 0x00, "P, X and CC are 0"),
        ({"packet.type"}, 1, 0x7F, JPEG, "PT is 26, JPEG"),
        ({"packet.type"}, 1, 0x80, 0x00, "M is 0"),
    )
    for owners, place, mask, expected, meaning in tests:
        if owners & excused or (mask == 0x80 and edition.fragments):
            continue
        wrong = [p for p in received if p.data[place] & mask != expected]
        if wrong:
            seen = wrong[0].data[place]
            should = seen & ~mask & 0xFF | expected
            return failed(
                f"Byte {place} of packet {received.index(wrong[0]) + 1} was {seen:02x}, expected"
                f" {should:02x}: {meaning} ({WIRE}).",
                "Check what makeRtp passes to encode, and encode itself.",
                evidence=(Evidence(wrong[0].header, ((place, place + 1),), meaning),),
            )
    if "packet.timestamp" not in excused and (verdict := _timestamps(received)):
        return verdict
    ssrcs = {packet.ssrc for packet in received}
    if len(ssrcs) > 1 and "packet.ssrc" not in excused:
        other = next(p for p in received if p.ssrc != first.ssrc)
        return failed(
            f"The SSRC changed from {first.ssrc:08x} to {other.ssrc:08x}; expected one for the"
            " whole stream (RFC 3550 section 3).",
            "Any number will do, but always the same.",
            evidence=(Evidence(other.header, ((8, 12),), "bytes 8 to 11 are the SSRC"),),
        )
    return passed()


def _timestamps(received: list[Packet]) -> Verdict | None:
    for before, packet in zip(received, received[1:], strict=False):
        if (packet.timestamp - before.timestamp) % 2**32 > 2**31:
            return failed(
                f"The timestamp fell from {before.timestamp} to {packet.timestamp}; expected one"
                f" that never falls ({WIRE}).",
                "Bytes 4 to 7 hold the time when the frame is sent.",
                evidence=(Evidence(packet.header, ((4, 8),), "bytes 4 to 7 are the timestamp"),),
            )
    if len(received) > FEW and not any(packet.timestamp for packet in received):
        return failed(
            f"The timestamp was 0 in all packets: bytes 4 to 7 hold the time ({WIRE}).",
            "Fill header[4] to header[7] with int(time()).",
            evidence=(Evidence(received[0].header, ((4, 8),), "bytes 4 to 7 are the timestamp"),),
        )
    return None


def _wrong_in_encode(recordings: Recordings, edition: Edition) -> set[str]:
    """The checks of `encode` that fail, if it could be called by itself."""
    if packet_checks.SCENARIO not in recordings:
        return set()
    judges = {
        "packet.version": packet_checks.version,
        "packet.flags": packet_checks.flags,
        "packet.type": packet_checks.payload_type,
        "packet.timestamp": packet_checks.timestamp,
        "packet.ssrc": packet_checks.ssrc,
    }
    wrong = (Outcome.FAILED, Outcome.BLOCKED)
    return {name for name, judge in judges.items() if judge(recordings, edition).outcome in wrong}


def _raised_in_encode(recordings: Recordings) -> str:
    """The check that reports an exception in `encode`; "" if it raised none."""
    if packet_checks.SCENARIO not in recordings:
        return ""
    return packet_checks.Encodings(recordings[packet_checks.SCENARIO]).blame()


def frames(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    played = exchange(recording, "PLAY")
    if played is None or not played.ok:
        return blocked("server.reply")
    received = _played(recording)
    if not received:
        if cause := _raised_in_encode(recordings):
            return blocked(cause)
        port = recording.facts.get("rtp_port")
        error = crash(recording, "server")
        return failed(
            f"No packet came to port {port} after the 200 to PLAY; expected a frame every"
            f" {edition.interval * 1000:.0f} ms." + (f" It wrote: {error}." if error else ""),
            "The port is the one that SETUP named in client_port; the frames are sent by sendRtp.",
            transcript(recording),
        )
    if edition.fragments:
        received = whole_frames(received)
    numbers = frame_numbers(recording, received)
    movie = recording.facts.get("movie")
    if not any(numbers) and (verdict := _own_header(recording, received[0])):
        return verdict
    if not any(numbers):
        first = received[0]
        size = recording.facts["frames"][0]["size"]
        return failed(
            f"Asked for {movie}, got the frames of something else: the first packet's payload has"
            f" {several(len(first.payload), 'byte')} and begins with {hexed(first.payload, 4)};"
            f" expected frame 1 of {movie}, {size:,} bytes.",
            "Open the file that the request names, and send each frame as it is.",
            transcript(recording),
            (Evidence(first.data[:40], ((12, min(40, len(first.data))),), "the payload"),),
        )
    wrong = numbers.index(0) if 0 in numbers else -1
    if wrong >= 0:
        return failed(
            f"Packet {wrong + 1} does not carry a frame of {movie}: its payload has"
            f" {several(len(received[wrong].payload), 'byte')}; expected each frame byte for byte.",
            "The payload is the frame as VideoStream returns it, after 12 bytes of header.",
            evidence=(Evidence(received[wrong].data[:40]),),
        )
    for position, number in enumerate(numbers):
        if number != position + 1:
            return failed(
                f"Packet {position + 1} carried frame {number} of {movie}, expected frame"
                f" {position + 1}: every frame once, in order.",
                "Call nextFrame once for each packet that is sent.",
                transcript(recording),
            )
    return passed()


def _own_header(recording: Recording, packet: Packet) -> Verdict | None:
    """The verdict if the frame is there, but the server put something before it."""
    at = packet.payload.find(JPEG_START)
    if at <= 0:
        return None
    shifted = Packet(packet.time, packet.header + packet.payload[at:], packet.port)
    if not frame_numbers(recording, [shifted])[0]:
        return None
    end = HEADER_SIZE + at
    return failed(
        f"The frame begins {several(at, 'byte')} into the payload: something else stands before it."
        " Expected it right behind the 12 bytes of header (the payload is the frame).",
        "Other clients show nothing then: whatever you have to say goes into the RTP header.",
        transcript(recording),
        (Evidence(packet.data[: end + 4], ((HEADER_SIZE, end),), "what stands before the JPEG"),),
    )


def numbers(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    received = _played(recording)
    if edition.fragments and len({packet.number for packet in received}) < len(received):
        return blocked("extend.fragment", "several packets have one number")
    for position, packet in enumerate(received, 1):
        if packet.number != position & 0xFFFF:
            what = "fragment" if edition.fragments else "frame"
            return failed(
                f"Packet {position} went out as number {packet.number}, expected {position}: the"
                f" sequence number counts the {what}s from 1 (makeRtp in the assignment).",
                "Pass the frame's number to encode as seqnum.",
                transcript(recording),
                (Evidence(packet.header, ((2, 4),), "bytes 2 and 3 are the number"),),
            )
    return passed()


def pace(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    received = _played(recording)
    whole = whole_frames(received) if edition.fragments else received
    times = [packet.time for packet in whole]
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    if len(gaps) < FEW:
        return blocked("server.frames", f"only {several(len(times), 'frame')} came")
    gap, noise = median(gaps), float(recording.facts.get("noise", 0.0))
    low = edition.interval * (1 - PACE_TOLERANCE) - noise
    # What it does between two waits takes as much longer as it must wait for a CPU.
    high = edition.interval * (1 + PACE_TOLERANCE + starved(recording)) + noise
    if low <= gap <= high:
        return passed()
    return failed(
        f"A frame came every {gap * 1000:.0f} ms in the median; expected"
        f" {edition.interval * 1000:.0f} ms ({1 / edition.interval:.0f} frames a second, the"
        " assignment's sendRtp).",
        f"Wait {edition.interval:g} s between two frames.",
        transcript(recording),
    )


def pause(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    paused = exchange(recording, "PAUSE")
    if paused is None or not paused.ok or paused.reply is None:
        return blocked("server.reply")
    start = paused.reply.time + STRICT + float(recording.facts.get("noise", 0.0))
    resumed = exchange(recording, "PLAY", 2)
    end = resumed.request.time if resumed else recording.step("teardown") or 1e9
    late = [packet for packet in packets(recording) if start < packet.time < end]
    if late:
        return failed(
            f"{several(len(late), 'packet')} came after the 200 to PAUSE; expected none after"
            " 0.2 s (PAUSE in the assignment).",
            "PAUSE sets the event that sendRtp checks before each frame.",
            transcript(recording, end),
            (Evidence(late[0].header),),
        )
    if resumed is None or not resumed.ok or resumed.reply is None:
        return blocked("server.reply")
    return _resumed(recording, edition, end)


def _resumed(recording: Recording, edition: Edition, start: float) -> Verdict:
    """Whether the movie goes on where it stopped."""
    before = [packet for packet in packets(recording) if packet.time < start]
    stop = recording.step("teardown") or 1e9
    after = [packet for packet in packets(recording) if start <= packet.time < stop]
    if edition.fragments:
        before, after = whole_frames(before), whole_frames(after)
    if not after:
        return failed(
            "No packet came after the second PLAY; expected the movie to go on with the frame"
            " after the last.",
            "PLAY after PAUSE starts sendRtp again, with a new event.",
            transcript(recording),
        )
    last, following = frame_numbers(recording, before[-1:] + after[:1])
    if following == last + 1:
        return passed()
    return failed(
        f"After PAUSE and PLAY frame {following} followed frame {last}; expected frame {last + 1}.",
        "Keep the VideoStream open during PAUSE.",
        transcript(recording),
    )


def teardown(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    ended = exchange(recording, "TEARDOWN")
    if ended is None:
        return not_checked("TEARDOWN was not reached")
    if not ended.ok or ended.reply is None:
        return blocked("server.reply")
    start = ended.reply.time + STRICT + float(recording.facts.get("noise", 0.0))
    late = [packet for packet in packets(recording) if packet.time > start]
    if late:
        return failed(
            f"{several(len(late), 'packet')} came after the 200 to TEARDOWN; expected none.",
            "TEARDOWN sets the event that sendRtp checks, and closes the RTP socket.",
            transcript(recording),
            (Evidence(late[0].header),),
        )
    return passed()


def _played(recording: Recording) -> list[Packet]:
    """What came from the first PLAY to PAUSE."""
    pause_time = recording.step("pause")
    end = 1e9 if pause_time is None else pause_time
    return [packet for packet in packets(recording) if packet.time < end]
