"""What goes wrong around the programs: advice, without points.

Each scenario has the name of its check. The step "act" is the test itself; a step "after" shows
whether the program still works. GIVEN has the faults of the code that students are given, and every
sentence about them says so.
"""

from __future__ import annotations

from statistics import median

from rtplab.grading.judge import client
from rtplab.grading.judge.seen import (
    Message,
    Packet,
    crash,
    exchange,
    exchanges,
    frame_numbers,
    last_place,
    packets,
    pictures,
    quoted,
    request,
    requests,
    several,
    transcript,
)
from rtplab.grading.model.checks import Evidence, Verdict, failed, not_checked, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recording, Recordings

SPINS_FROM = 0.5
"""Of a core: a program that waits for its peer needs a few hundredths."""
GONE_AFTER = 1.0
"""Seconds for which a server may send to a client that has hung up."""
GOES_ON = 0.5
"""Of the frames that come in order: a listener that has died shows the first few alone."""
DOUBLED = 0.6
"""Of the interval: a median gap below it means that two threads send."""

BY_GIVEN_CODE, BY_CHANCE = "the given code does this", "the given code does this now and then"
GIVEN = {
    **dict.fromkeys(
        (
            *("robust.split", "robust.missing", "robust.path", "robust.early", "robust.hangup"),
            *("robust.garbage", "robust.unplayed", "robust.vanish", "robust.pieces"),
            "robust.double-click",
        ),
        BY_GIVEN_CODE,
    ),
    **dict.fromkeys(("robust.quick-resume", "robust.window", "robust.file"), BY_CHANCE),
}
"""Checks that a faithful completion of the skeleton fails, and how its sentence says so."""


def said(check: str, sentence: str) -> str:
    """A sentence, with a remark if the code was given to the student."""
    note = GIVEN.get(check)
    return f"{sentence} ({note})." if note else f"{sentence}."


# --- Servers --------------------------------------------------------------------------------------


def split(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.split"]
    act, after = recording.step("act") or 0.0, recording.step("after") or 1e9
    events = [e for e in recording.between(act, after) if e.kind in ("tcp.in", "tcp.out")]
    asked = [event.time for event in events if event.kind == "tcp.out"]
    told = [event for event in events if event.kind == "tcp.in"]
    if asked and told and told[0].time >= asked[-1]:
        if Message(0.0, 1, b"".join(event["data"] for event in told)).status == 200:
            return passed()
    error = crash(recording, "server")
    if any(event.kind == "tcp.in" for event in events):
        sentence = "A request in two segments was answered when the first of them had come"
    else:
        sentence = "A request in two segments was not answered"
    return failed(
        said(
            "robust.split",
            sentence
            + (f", and the server wrote: {error}" if error else "")
            + "; expected one reply to the whole request: TCP keeps no boundaries between messages",
        ),
        "Collect what recv returns until the request is whole.",
        transcript(recording),
    )


def missing(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.missing"]
    one = exchange(recording, "SETUP")
    if one is None:
        return not_checked("SETUP was not sent")
    name = one.request.name
    if one.reply is None:
        sentence = f"Asked for {name}, which is not there, and got no answer; expected 404"
    elif one.reply.status == 404:
        return passed()
    else:
        status = one.reply.status
        sentence = f"Asked for {name}, which is not there: {status}; expected 404 Not Found"
    return failed(
        said("robust.missing", sentence),
        "After except IOError the 404 goes to the terminal, and the 200 out on the connection:"
        " send the 404, and return.",
        transcript(recording),
    )


def path(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.path"]
    one = exchange(recording, "SETUP")
    received = packets(recording)
    if one is None:
        return not_checked("SETUP was not sent")
    if not received:
        return passed()
    return failed(
        said(
            "robust.path",
            f"{one.request.name} was played: {several(len(received), 'packet')} came; expected 404,"
            " or any file of the server's machine can be read",
        ),
        "Refuse names that lead out of the folder of the movies.",
        transcript(recording),
    )


def early(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.early"]
    one = exchange(recording, "TEARDOWN")
    if one is not None and one.ok:
        return passed()
    seen = "no reply" if one is None or one.reply is None else quoted(one.reply.line(1))
    error = crash(recording, "server")
    return failed(
        said(
            "robust.early",
            f"TEARDOWN after SETUP, before PLAY: {seen}"
            + (f"; {error}" if error else "")
            + "; expected 200",
        ),
        "PLAY makes the event and the RTP socket: check whether they exist.",
        transcript(recording),
    )


def hangup(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.hangup"]
    closed = next((e.time for e in recording.of("tcp.closed") if e["by"] == "us"), None)
    if closed is None:
        return not_checked("the connection was not closed")
    late = [packet for packet in packets(recording) if packet.time > closed + GONE_AFTER]
    load = _load(recording, closed)
    if not late and load < SPINS_FROM:
        return passed()
    span = max((packet.time for packet in late), default=closed) - closed - GONE_AFTER
    rate = len(late) / span if span > 0.2 else len(late)
    return failed(
        said(
            "robust.hangup",
            f"{GONE_AFTER:.0f} s after the client hung up: {rate:.0f} packets/s and {load:.0%} of a"
            " core; expected neither",
        ),
        "Once the client has hung up, recv returns b'' forever: then set the event, close, return.",
        transcript(recording),
    )


def idle(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.idle"]
    if packets(recording):
        return passed()
    return failed(
        "A second client was not served while a first was connected and said nothing; expected"
        " each to have a thread of its own.",
        "ServerWorker.run starts a thread and returns.",
        transcript(recording),
    )


def two_clients(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.two-clients"]
    by_port: dict[int, list[Packet]] = {}
    for packet in packets(recording):
        by_port.setdefault(packet.port, []).append(packet)
    if len(by_port) < 2:
        return failed(
            f"Two clients played, and packets came to {several(len(by_port), 'port')}; expected"
            " both to be served at once.",
            "Each ServerWorker has its own clientInfo.",
            transcript(recording),
        )
    for number, received in by_port.items():
        frames = frame_numbers(recording, received)
        wrong = [i for i, frame in enumerate(frames) if frame != i + 1]
        if wrong and not edition.fragments:
            return failed(
                f"With two clients, packet {wrong[0] + 1} to port {number} carried frame"
                f" {frames[wrong[0]]}; expected frame {wrong[0] + 1}: the two share nothing.",
                "VideoStream, event and socket belong to one client's clientInfo.",
                transcript(recording),
            )
    return passed()


def twice(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.twice"]
    again = exchange(recording, "PLAY", 2)
    start = again.request.time if again else 0.0
    end = recording.step("after") or recording.step("end") or 1e9
    received = [packet for packet in packets(recording) if start < packet.time < end]
    frames = [frame for frame in frame_numbers(recording, received) if frame]
    gap = _median_gap(received)
    if len(set(frames)) == len(frames) and (not gap or gap > DOUBLED * edition.interval):
        return passed()
    return failed(
        "After a second PLAY while the movie played"
        f" {several(len(frames) - len(set(frames)), 'frame')} came twice, one every"
        f" {gap * 1000:.0f} ms; expected the movie to go on as before.",
        "PLAY starts sendRtp in the state READY only.",
        transcript(recording),
    )


def replay(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.replay"]
    plays = [one for one in exchanges(recording) if one.request.method == "PLAY"]
    if len(plays) > 1 and plays[-1].ok:
        received = [p for p in packets(recording) if p.time > plays[-1].request.time]
        if received:
            return passed()
    return failed(
        "After TEARDOWN a new client was not served; expected the movie from its beginning.",
        "TEARDOWN ends one client's session, not the server.",
        transcript(recording),
    )


def end(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.end"]
    count = len(recording.facts.get("frames", ()))
    received = packets(recording)
    load = _load(recording, received[-1].time) if received else 0.0
    ended = exchange(recording, "TEARDOWN")
    if not edition.fragments and len(received) != count:
        sentence = (
            f"{several(len(received), 'packet')} came of a movie of {several(count, 'frame')};"
            " expected each frame once, and nothing after the last"
        )
    elif load > SPINS_FROM:
        sentence = f"After the last frame the server took {load:.0%} of a core; expected it to wait"
    elif ended is not None and not ended.ok:
        sentence = "TEARDOWN after the last frame was not answered with 200; expected it as always"
    else:
        return passed()
    error = crash(recording, "server")
    return failed(
        sentence + (f". It wrote: {error}." if error else "."),
        "At the end of the file nextFrame returns nothing: leave the loop.",
        transcript(recording),
        (Evidence(received[-1].header, note="the last packet"),) if received else (),
    )


def garbage(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.garbage"]
    one = exchange(recording, "SETUP")
    load = _load(recording, recording.step("act") or 0.0)
    if one is not None and one.ok and load < SPINS_FROM and not crash(recording, "server"):
        return passed()
    if one is None or not one.ok:
        sentence = "After bytes that are not a request, a new client got no 200; expected one"
    elif load >= SPINS_FROM:
        sentence = f"After bytes that are not a request the server used {load:.0%} of a core"
    else:
        error = crash(recording, "server")
        sentence = f"Bytes that are not a request ended its thread with {error}; expected a 400"
    return failed(
        said("robust.garbage", sentence),
        "Check how many lines and words there are before you take the third one.",
        transcript(recording),
    )


# --- Clients --------------------------------------------------------------------------------------


def unplayed(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.unplayed"]
    error = crash(recording, "client")
    ended = request(recording, "TEARDOWN")
    left = client.what_is_left(recording, ended.time if ended else recording.step("act") or 0.0)
    if not left and not error:
        return passed()
    what = error or " and ".join(left)
    if error.startswith("FileNotFoundError"):
        place = last_place(recording.said("stderr", "client"))
        what = f"FileNotFoundError in {place}: no cache file exists before the first frame"
    return failed(
        said(
            "robust.unplayed",
            f"Setup, then Teardown, and nothing played: {what}; expected the client to end",
        ),
        "Remove the cache file only if it exists.",
        transcript(recording),
    )


def pieces(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.pieces"]
    if request(recording, "PLAY") is not None and not crash(recording, "client"):
        return passed()
    error = crash(recording, "client")
    return failed(
        said(
            "robust.pieces",
            "A reply in two segments was not understood"
            + (f": {error}" if error else "; no PLAY came when Play was clicked")
            + "; expected it to be put together: TCP keeps no boundaries between messages",
        ),
        "Collect what recv returns until the three lines are there.",
        transcript(recording),
    )


def vanish(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.vanish"]
    closed = next((e.time for e in recording.of("tcp.closed") if e["by"] == "us"), 0.0)
    load = _load(recording, closed)
    if load < SPINS_FROM:
        return passed()
    return failed(
        said(
            "robust.vanish",
            f"After the server had hung up the client took {load:.0%} of a core; expected it to"
            " stop receiving",
        ),
        "Once the server has hung up, recv returns b'' forever: then return.",
        transcript(recording),
    )


def order(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.order"]
    sent = packets(recording, "udp.out")
    newest: list[int] = []
    for packet in sent:
        if not newest or packet.number > newest[-1]:
            newest.append(packet.number)
    shown = set(pictures(recording))
    if not sent:
        return not_checked("no packets were sent")
    if len(shown & set(newest)) >= GOES_ON * len(newest):
        return passed()
    return failed(
        f"With datagrams out of order {len(shown & set(newest))} of the {len(newest)} newest frames"
        " were shown; expected the movie to go on.",
        "Skip a packet if its number is not greater than the last one's, and go on.",
        transcript(recording),
    )


def busy_port(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.busy-port"]
    error = crash(recording, "client")
    if not error:
        return passed()
    return failed(
        f"The RTP port was somebody else's, and the client wrote: {error}; expected a message to"
        " the user.",
        "bind raises OSError: show a warning.",
        transcript(recording),
    )


def double_click(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.double-click"]
    asked = requests(recording)
    for method in ("SETUP", "PLAY"):
        count = sum(message.method == method for message in asked)
        if count > 1:
            return failed(
                said(
                    "robust.double-click",
                    f"{method} was clicked twice and sent {count} times; expected one, for the"
                    " first was not yet answered",
                ),
                "Remember that a reply is still to come, and send nothing until then.",
                transcript(recording),
            )
    return passed()


def quick_resume(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.quick-resume"]
    samples = recording.of("sample")
    resumed = request(recording, "PLAY", 2)
    if len(samples) < 2 or resumed is None:
        return not_checked("the client's threads could not be counted")
    before = [event["threads"] for event in samples if event.time < resumed.time]
    after = [event["threads"] for event in samples if event.time >= resumed.time]
    if not before or not after or after[-1] <= before[-1]:
        return passed()
    return failed(
        said(
            "robust.quick-resume",
            f"PLAY within half a second of PAUSE: {several(after[-1], 'thread')}, before"
            f" {before[-1]}; expected one listener at a time",
        ),
        "The old listener sees the new event, which is not set: give each listener its own.",
        transcript(recording),
    )


def window(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings["robust.window"]
    gone = [event for event in recording.of("process.exit") if event["role"] == "client"]
    closed = [event for event in recording.of("tcp.closed") if event["by"] != "us"]
    if gone and closed:
        return passed()
    left = "the process was still there" if not gone else "the connection was still open"
    return failed(
        said(
            "robust.window",
            f"3 s after the window had been closed {left}; expected TEARDOWN and the end",
        ),
        "handler asks, and then calls exitClient.",
        transcript(recording),
    )


def file(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[client.SESSION]
    event = next(iter(recording.of("files")), None)
    if event is None:
        return not_checked("its folder could not be read")
    left = [name for name in event["left"] if "cache" in str(name).lower()]
    if not left:
        return passed()
    return failed(
        said(
            "robust.file",
            f"{quoted(str(left[0]))} stayed in the folder; expected no file to be left",
        ),
        "exitClient removes the cache file.",
        transcript(recording),
    )


# --- Measures -------------------------------------------------------------------------------------


def _load(recording: Recording, start: float) -> float:
    """The share of a core that it used, or would have used: it ran or waited to run.

    Between the first sample after `start` and the last; 0 if there are not two.
    """
    samples = [event for event in recording.of("sample") if event.time >= start]
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    wanted = [float(one["cpu"]) + float(one.get("waited", 0.0)) for one in (first, last)]
    return min(1.0, (wanted[1] - wanted[0]) / max(last.time - first.time, 0.001))


def _median_gap(received: list[Packet]) -> float:
    times = [packet.time for packet in received]
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    return median(gaps) if gaps else 0.0
