"""The optional exercises that have a common form on the wire or on the screen."""

from __future__ import annotations

import re

from rtplab.grading.judge.seen import (
    Packet,
    blocked,
    crash,
    exchange,
    frame_numbers,
    packets,
    pictures,
    quoted,
    request,
    seen_enough,
    several,
    spaced,
    starved,
    transcript,
    whole_frames,
)
from rtplab.grading.model.checks import Evidence, Verdict, failed, not_checked, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Event, Recording, Recordings
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp import sdp

ORDER = "robust.order"
LOSS = "extend.loss"
BUTTONS = "extend.buttons"
DESCRIBE = "extend.describe"
FRAGMENT = "extend.fragment"
REASSEMBLE = "extend.reassemble"
CACHE = "extend.cache"

MTU = 1500
"""Bytes of Ethernet; 20 of IPv4 and 8 of UDP go off for a datagram."""
LARGEST_DATAGRAM = MTU - 28
LOSS_TOLERANCE = 2.0
"""Points of per cent."""
RATE_TOLERANCE = 0.1
RATE_UNITS = (1.0, 1e3, 1e6, 8.0, 8e3, 8e6, 8192.0)
"""Bits a second of what a program may count in: bits, k, M, and bytes with the same."""
FEW = 5
"""Frames on the screen, of which can be said that they are shown."""
JITTERED = 2.5
"""Intervals: the scenario has every seventh frame come after four; evenly shown ones take less."""


def statistics(recordings: Recordings, edition: Edition) -> Verdict:
    """Words on stdout or in the window, read as a person would."""
    recording = recordings[LOSS]
    loss, rate = float(recording.facts["loss"]) * 100, float(recording.facts["rate"])
    numbers = _figures(recording)
    has_loss = any(
        abs(number * scale - loss) <= LOSS_TOLERANCE for number in numbers for scale in (1, 100)
    )
    has_rate = any(
        abs(number * unit - rate) <= RATE_TOLERANCE * rate
        for number in numbers
        for unit in RATE_UNITS
    )
    if has_loss and has_rate:
        return passed()
    if not numbers:
        sentence = "No number was written to the terminal or shown in the window"
    elif not has_loss:
        sentence = f"{loss:.0f} % of the packets were lost, and no number showed it"
    else:
        sentence = f"{rate / 1000:,.0f} kbit/s came, and no number showed it within 10 %"
    return failed(
        f"{sentence}; expected loss rate and data rate (the first exercise of the assignment).",
        "The missing sequence numbers are the lost packets; the rate is bits divided by seconds.",
        transcript(recording),
        share=0.5 if has_loss or has_rate else 0.0,
    )


def _figures(recording: Recording) -> list[float]:
    """The numbers that it wrote or showed, except those that count packets."""
    labels = [str(x) for e in recording.of("hook") if e["name"] == "labels" for x in e["texts"]]
    text = "\n".join([recording.said("stdout", "client"), *labels])
    lines = [line for line in text.splitlines() if not re.search(r"seq|cseq|session", line, re.I)]
    return [float(x) for x in re.findall(r"\d+(?:\.\d+)?", "\n".join(lines)[-20_000:])]


def buttons(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[BUTTONS]
    setup, play = request(recording, "SETUP"), request(recording, "PLAY")
    clicks = {event["button"]: event.get("found", True) for event in recording.of("click")}
    if setup is None or play is None or play.time < setup.time:
        sent = ", ".join(m.method for m in (setup, play) if m) or "nothing"
        return failed(
            f"Play was clicked in the state INIT, and {sent} was sent; expected SETUP, and PLAY"
            " when it is answered (the exercise with three buttons).",
            "With no Setup button, Play does what is still missing.",
            transcript(recording),
        )
    if clicks.get("Setup"):
        return failed(
            "The window still has a Setup button; expected Play, Pause and Teardown or Stop.",
            transcript=transcript(recording),
            share=0.5,
        )
    return passed()


def describe(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[DESCRIBE]
    one = exchange(recording, "DESCRIBE")
    if one is None:
        return not_checked("DESCRIBE was not sent")
    advice = "Status line, CSeq, Content-Type: application/sdp, Content-Length, blank line, text."
    if one.reply is None or one.reply.status != 200:
        seen = quoted(one.reply.line(1)) if one.reply else "nothing"
        return failed(
            f"DESCRIBE was answered {seen}; expected RTSP/1.0 200 OK and a description (RFC 2326"
            " section 10.2).",
            advice,
            transcript(recording),
        )
    head, *rest = re.split(rb"\r?\n\r?\n", one.reply.data, maxsplit=1)
    body = rest[0] if rest else b""
    evidence = (Evidence(one.reply.data[:300], note="the reply"),)
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    if length is None or int(length[1]) != len(body):
        said = f"said {int(length[1])}" if length else "was missing"
        return failed(
            f"Content-Length {said}, and {several(len(body), 'byte')} of description came; expected"
            " the two to be the same (RFC 2326 section 12.14).",
            advice,
            transcript(recording),
            evidence,
        )
    try:
        media = sdp.parse(body).media
    except MessageError as error:
        return failed(
            f"The reply to DESCRIBE carries no session description: {error}. Expected one that"
            " begins with v=0 (RFC 8866).",
            advice,
            transcript(recording),
            evidence,
        )
    if not any(m.media == "video" and "26" in m.formats and m.protocol == "RTP/AVP" for m in media):
        return failed(
            "The description has no line m=video 0 RTP/AVP 26; expected the movie's medium, JPEG"
            " over RTP.",
            advice,
            transcript(recording),
            evidence,
        )
    return passed()


def late(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[ORDER]
    shown = pictures(recording)
    if not shown:
        return blocked("client.shows")
    for before, after in zip(shown, shown[1:], strict=False):
        if after < before:
            return failed(
                f"After number {before} came {after} and was shown; expected the picture never to"
                " jump back.",
                "Skip a packet if its number is not greater than the last one's.",
                transcript(recording),
            )
    return passed()


def fragment(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[FRAGMENT]
    received = packets(recording)
    advice = (
        "Cut a frame into pieces below the MTU, each with the next number, all with the frame's"
        " timestamp, and the marker on the last."
    )
    largest = max(received, key=lambda packet: len(packet.data), default=None)
    error = crash(recording, "server")
    if largest is None or (error and "too long" in error.lower()):
        sizes = [frame["size"] for frame in recording.facts.get("frames", ())]
        count = len({packet.timestamp for packet in received}) if received else 0
        at = next((n for n, size in enumerate(sizes, 1) if size > 65_507), count + 1)
        size = f" ({sizes[at - 1]:,} bytes)" if at <= len(sizes) else ""
        return failed(
            f"{error or 'Nothing was sent'}; at frame {at}{size}: a datagram carries at most 65,507"
            f" bytes; expected pieces below the MTU of {MTU:,}.",
            advice,
            transcript(recording),
        )
    if len(largest.data) > LARGEST_DATAGRAM:
        return failed(
            f"A datagram had {len(largest.data):,} bytes; expected at most {LARGEST_DATAGRAM:,}, so"
            f" that it fits an MTU of {MTU:,}.",
            advice,
            transcript(recording),
            (Evidence(largest.header),),
        )
    if verdict := _numbered_apart(received, recording, advice):
        return verdict
    if not any(packet.marker for packet in received):
        return failed(
            "No packet had the marker; expected it on each frame's last one.",
            advice,
            transcript(recording),
            (Evidence(received[0].header, ((1, 2),), "the marker is the highest bit of byte 1"),),
        )
    whole = whole_frames(received)
    stamps = _stamps_of_frames(received)
    mixed = next((n for n, values in enumerate(stamps, 1) if len(values) > 1), None)
    if mixed is not None:
        return failed(
            f"The pieces of frame {mixed} carried {len(stamps[mixed - 1])} timestamps; expected one"
            " per frame.",
            advice,
            transcript(recording),
        )
    frames = frame_numbers(recording, whole)
    if frames and 0 in frames:
        at = frames.index(0)
        return failed(
            f"The pieces of frame {at + 1} put together have {len(whole[at].payload):,} bytes and"
            " are not a frame of the movie; expected each frame byte for byte.",
            advice,
            transcript(recording),
        )
    return passed()


def _numbered_apart(received: list[Packet], recording: Recording, advice: str) -> Verdict | None:
    for position, (before, packet) in enumerate(zip(received, received[1:], strict=False), 2):
        if packet.number == (before.number + 1) & 0xFFFF:
            continue
        if packet.number == before.number:
            same = sum(other.number == packet.number for other in received)
            sentence = (
                f"{same} datagrams carried number {packet.number}: loss cannot be seen, and"
                f" receivers drop {same - 1} of them. Expected each to have the next number"
            )
        else:
            sentence = f"Packet {position} had number {packet.number} after {before.number}"
            sentence += f"; expected {before.number + 1}"
        return failed(
            f"{sentence} (RFC 3550 section 5.1).",
            advice,
            transcript(recording),
            (Evidence(packet.header, ((2, 4),), "bytes 2 and 3 are the number"),),
        )
    return None


def _stamps_of_frames(received: list[Packet]) -> list[set[int]]:
    """The timestamps of each frame's packets, where frames end with the marker."""
    found: list[set[int]] = [set()]
    for packet in received:
        found[-1].add(packet.timestamp)
        if packet.marker:
            found.append(set())
    return found


def reassemble(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[REASSEMBLE]
    whole = spaced(whole_frames(packets(recording, "udp.out")), edition.interval)
    all_sent = {number for number in frame_numbers(recording, whole) if number}
    shown = set(pictures(recording))
    if not all_sent:
        return not_checked("no frame was sent")
    # The last frames may still be in a cache.
    sent = {number for number in all_sent if number <= max(shown, default=0)} or all_sent
    if len(shown) >= FEW and seen_enough(recording, edition.interval, sent, shown):
        return passed()
    error = crash(recording, "client", recording.step("teardown") or 1e9)
    return failed(
        f"{len(shown & sent)} of {len(sent)} frames that came in pieces were on the screen;"
        " expected nearly all." + (f" The client wrote: {error}." if error else ""),
        "Put payloads together up to the packet with the marker, and then show the frame.",
        transcript(recording),
    )


def cache(recordings: Recordings, edition: Edition) -> Verdict:
    """Frames are shown only after some have come, and evenly although they come unevenly."""
    recording = recordings[CACHE]
    sent = packets(recording, "udp.out")
    seen = [event for event in recording.of("picture") if event["frame"] is not None]
    if not sent or len(seen) < 3:
        return blocked("client.shows")
    wanted = int(recording.facts.get("prebuffer", 2))
    early = [packet for packet in sent if packet.time < seen[0].time]
    arrived = sum(packet.marker for packet in early) if edition.fragments else len(early)
    if arrived < wanted:
        return failed(
            f"The first picture was shown when {several(arrived, 'frame')} had come; expected at"
            f" least {wanted} to be kept before (the exercise on client-side caching).",
            "Put frames into a queue, and begin to show them when enough are there.",
            transcript(recording),
        )
    interval = float(recording.facts.get("interval", edition.interval))
    late = float(recording.facts.get("noise", 0.0)) + starved(recording) * interval
    limit = JITTERED * interval + late
    worst = _worst_gap(seen)
    if worst > limit:
        return failed(
            f"Frames came unevenly, and the picture stood for {worst * 1000:.0f} ms; expected one"
            f" every {interval * 1000:.0f} ms out of the cache.",
            "Take a frame from the queue by a timer, and not when a packet comes.",
            transcript(recording),
        )
    return passed()


def _worst_gap(seen: list[Event]) -> float:
    """The longest time that a picture stood, without the worst tenth: a screen is sampled."""
    gaps = sorted(after.time - one.time for one, after in zip(seen, seen[1:], strict=False))
    return gaps[int(len(gaps) * 0.9)] if gaps else 0.0
