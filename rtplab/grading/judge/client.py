"""What the submission's client says and shows, as our lab server and the screen saw it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rtplab.grading.judge import packet
from rtplab.grading.judge.seen import (
    FORMS,
    METHODS,
    SHOWN_AT_LEAST,
    Message,
    blocked,
    crash,
    frame_numbers,
    not_started,
    packets,
    pictures,
    quoted,
    request,
    requests,
    seen_enough,
    several,
    spaced,
    transcript,
    whole_frames,
)
from rtplab.grading.model.checks import Evidence, Outcome, Verdict, failed, not_checked, passed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Event, Recording, Recordings
from rtplab.protocol.rtsp.lab import client_port, is_executable

SESSION = "client.session"
SLOW = "client.slow-reply"
ERROR = "client.error"

START_LIMIT = 10.0
"""Seconds from the start to the connection and the window: twice what is fair, if nobody else works
on the machine."""
STILL_AFTER = 0.3
"""Seconds after the reply to PAUSE for which a picture may still change: one that was received."""
BEING_DRAWN = 1
"""Pictures that may come later still, if the threads that draw them had to wait, as Java's may."""
TORN_DOWN_WITHIN = 3.0
LATE_AT_MOST = 0.2
"""Seconds by which we may be late to see the end of a process."""
RESPONSIVE_WITHIN = 0.5
"""Seconds in which a window answers that doesn't wait for the network."""
SHORT_TIMEOUT_WAKES = 10
"""A listener that wakes so often in 0.3 s without a packet has a time-out of some 30 ms or less."""

TRANSPORT = {
    "python": "Transport: RTP/UDP; client_port= {port}",
    "java": "Transport: RTP/UDP; client_port= {port}",
}
"""The form of the handout, by the edition's request form."""

WHERE = "the client's requests in the assignment"


def starts(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    accepted, shown = recording.of("tcp.accepted"), _window(recording, True)
    if accepted and shown is not None:
        return passed()
    port = recording.facts.get("rtsp_port")
    if not accepted:
        sentence = (
            f"No connection came to port {port} within {START_LIMIT:.0f} s of the start; expected"
            " one before any button is pressed"
        )
        advice = "connectToServer is called when the client is made, and connects rtspSocket."
    else:
        sentence = f"No window was there {START_LIMIT:.0f} s after the start; expected one"
        advice = "ClientLauncher makes the window and starts its main loop."
    what, where = not_started(recording, "client")
    if what:
        sentence += f". {what}"
    advice = where or advice
    return failed(f"{sentence}.", advice, transcript(recording))


def header(recordings: Recordings, edition: Edition) -> Verdict:
    """First line, CSeq and Session by name and place; SETUP's third line is judged elsewhere."""
    recording = recordings[SESSION]
    asked = requests(recording)
    movie = recording.facts.get("movie")
    if not asked:
        return _silent(recording)
    for message in asked:
        problem = _wrong_line(message, str(movie))
        if not problem:
            continue
        number, seen, expected = problem
        tolerable = is_executable(message.lines)
        evidence = (Evidence(message.data[:160], _line_range(message, number), "the request"),)
        return failed(
            f"{_ordinal(number)} line of {message.method or 'the request'} reads {quoted(seen)},"
            f" expected {quoted(expected)} ({WHERE}).",
            "The given server reads by position and did not notice; others will not know it."
            if tolerable
            else "Three lines: METHOD file RTSP/1.0, then CSeq: number, then Transport or Session.",
            transcript(recording, message.time),
            evidence,
            share=0.5 if tolerable else 0.0,
        )
    return passed()


def _wrong_line(message: Message, movie: str) -> tuple[int, str, str] | None:
    """Number, text and expected text of the first line that differs from the handout."""
    first = message.line(1).rstrip()
    method = message.method if message.method in METHODS else "METHOD"
    if first != f"{method} {movie} RTSP/1.0":
        return 1, first, f"{method} {movie} RTSP/1.0"
    second = message.line(2).rstrip()
    if not re.fullmatch(r"CSeq: -?\d+", second):
        return 2, second, f"CSeq: {message.number if message.number is not None else 1}"
    third = message.line(3).rstrip()
    if method != "SETUP" and not re.fullmatch(r"Session: \S+", third):
        return 3, third, "Session: and the session's number"
    return None


def transport(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    setup = request(recording, "SETUP")
    if setup is None:
        return _silent(recording)
    port = recording.facts.get("rtp_port")
    expected = TRANSPORT[edition.request_form].format(port=port)
    line_number = next(
        (n for n, line in enumerate(setup.lines, 1) if "transport" in line.lower()), 3
    )
    seen = setup.line(line_number).rstrip()
    evidence = (Evidence(setup.data[:160], _line_range(setup, line_number), "the request"),)
    if seen != expected or line_number != 3:
        named = client_port(setup.lines)
        if named is not None and named != port:
            reason, share = f"; the port that it was started with is {port}, not {named}", 0.0
        elif named is None:
            reason, share = "", 0.0
        else:
            reason, share = "", 0.5
        advice = "Write the line character by character as the handout has it."
        if len(seen.split(" ")) < 4:
            advice += (
                " The given server takes the fourth word as the port, and dies with an IndexError"
                " without the space after client_port=."
            )
        return failed(
            f"Line {line_number} of SETUP reads {quoted(seen)}, expected {quoted(expected)}: your"
            f" handout's form{reason}.",
            advice,
            transcript(recording, setup.time),
            evidence,
            share,
        )
    for later in requests(recording):
        repeated = [n for n, x in enumerate(later.lines, 1) if x.lower().startswith("transport")]
        if later.method != "SETUP" and repeated:
            return failed(
                f"{later.method} carried {quoted(later.line(repeated[0]))}, expected no such line:"
                ' "You must not put the Transport header in this request" (the assignment).',
                "Only SETUP has a Transport header.",
                transcript(recording, later.time),
                (Evidence(later.data[:160], _line_range(later, repeated[0]), "the request"),),
                0.5,
            )
    return passed()


def cseq(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    asked = requests(recording)
    if not asked:
        return _silent(recording)
    for position, message in enumerate(asked, 1):
        if message.number == position:
            continue
        seen = "no CSeq" if message.number is None else f"CSeq {message.number}"
        before = asked[position - 2] if position > 1 else None
        if before is None:
            sentence = f"First CSeq was {seen.removeprefix('CSeq ')}; expected 1: it starts at 1"
        elif message.number == before.number:
            sentence = (
                f"{message.method} carried {seen} like {before.method}, expected {position}:"
                " it counts each request"
            )
        else:
            sentence = (
                f"{message.method} carried {seen} after {before.number}, expected {position}:"
                " it counts each request by one"
            )
        return failed(
            f"{sentence} ({WHERE}).",
            "Add 1 to rtspSeq in every branch of sendRtspRequest, before the request is written;"
            " it is 0 before the first.",
            transcript(recording, message.time),
            (Evidence(message.data[:160], _line_range(message, 2), "the request"),),
        )
    return passed()


def session(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    given = str(recording.facts.get("session"))
    asked = requests(recording)
    at = next((i for i, message in enumerate(asked) if message.method == "SETUP"), 0)
    later = [message for message in asked[at:] if message.method != "SETUP"]
    if not later:
        return blocked("client.states", "nothing was sent after SETUP")
    for message in later:
        named = message.header("session")
        if named is None:
            found = re.findall(r"\d+", message.line(3))
            named = found[-1] if found else ""
        if named != given:
            return failed(
                f"{message.method} said Session {quoted(named)}; the reply to SETUP said {given},"
                f" which was expected in each later request ({WHERE}).",
                "Take it from line 3 of the reply to SETUP, in parseRtspReply.",
                transcript(recording, message.time),
                (Evidence(message.data[:160], _line_range(message, 3), "the request"),),
            )
    return _reply_form(recording, edition)


def _reply_form(recording: Recording, edition: Edition) -> Verdict:
    """The ladder: the form of replies from which the client could take the session."""
    form = str(recording.facts.get("reply", edition.reply_form))
    if recording.facts.get("pieces", 1) != 1:
        return failed(
            "The reply was understood only in two segments; expected one in one segment, as the"
            " handout's server sends it, to be understood, too.",
            "Call recv once more only if the reply's third line has not come yet.",
            transcript(recording),
            share=0.5,
        )
    if form == edition.reply_form:
        return passed()
    return failed(
        f"The reply was understood only with {FORMS.get(form, form)}; expected that of the"
        f" handout's server, {FORMS[edition.reply_form]}, to be understood, too.",
        "parseRtspReply must take lines and words by position, whatever ends the lines.",
        transcript(recording),
        share=0.5,
    )


def port(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    number = recording.facts.get("rtp_port")
    setup = request(recording, "SETUP")
    if setup is not None and client_port(setup.lines) not in (None, number):
        return blocked("client.transport", "SETUP named another port")
    first = next(iter(packets(recording, "udp.out")), None)
    if first is None:
        return blocked("client.states", "PLAY was not reached")
    asked = [e for e in recording.of("port") if e["port"] == number and e.time <= first.time + 0.1]
    refused = [e for e in recording.of("udp.refused") if e.time <= first.time + 0.5]
    bound = asked[-1]["bound"] if asked else not refused
    if bound:
        return passed()
    return failed(
        f"SETUP named port {number}, but nobody listened there when the first frame came; expected"
        " a datagram socket bound to it (openRtpPort in the assignment).",
        "openRtpPort binds rtpSocket to rtpPort, the one in client_port, after the 200 to SETUP.",
        transcript(recording, first.time),
    )


def timeout(recordings: Recordings, edition: Edition) -> Verdict:
    """Judged by threads: the listener is gone 1.5 s after PAUSE. Its wake-ups show the rest.

    A listener that is still there but wakes up has a time-out and ignores its event, which
    client.resume judges. One that sleeps on is right only if it was there before PLAY, is the only
    one for the whole session, and ends with it.
    """
    recording = recordings[SESSION]
    if request(recording, "PAUSE") is None:
        return blocked("client.pause")
    expected = f"{edition.receive_timeout:g} s"
    wakes = _wakes(_samples(recording, "play")[:2], _listener(recording))
    if wakes is not None and wakes > SHORT_TIMEOUT_WAKES and edition.receive_timeout >= 0.1:
        return failed(
            f"Before the first frame a thread woke {several(wakes, 'time')} in 0.3 s; expected"
            f" it to sleep on: its time-out should be {expected} (openRtpPort in the"
            " assignment).",
            f"Set the time-out once, on rtpSocket: settimeout({edition.receive_timeout:g}).",
            transcript(recording, recording.step("play") or 1e9),
        )
    lingering = _lingering(recording)
    if lingering is None:
        return not_checked("the client's threads could not be counted")
    if not lingering or _wakes_in_pause(recording) or _is_the_only_one(recording, edition):
        return passed()
    where = _stack(recording, "recv") or "the listening thread still waited in recv"
    return failed(
        f"1.5 s after PAUSE {where}; expected it to be gone: its time-out should be {expected}"
        " (openRtpPort in the assignment).",
        f"Set a time-out of {expected} on rtpSocket, so that the listener wakes and sees that its"
        " event is set.",
        transcript(recording, recording.step("resume") or 1e9),
    )


def resume(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    if request(recording, "PLAY", 2) is None:
        return failed(
            "Play was clicked after PAUSE and no second PLAY came; expected the movie to go on.",
            "After the reply to PAUSE the state is READY.",
            transcript(recording),
        )
    playing, again = _threads(recording, "play"), _threads(recording, "resume")
    if playing is not None and again is not None and again > playing:
        return failed(
            f"After PAUSE, 1.5 s, PLAY the client had {several(again, 'thread')}, before"
            f" {playing}; expected one listener at a time.",
            "The reply to PAUSE sets playEvent, on which listenRtp ends; PLAY starts a new one.",
            transcript(recording),
        )
    start, end = recording.step("resume") or 0.0, recording.step("teardown") or 1e9
    if not pictures(recording, start, end):
        return failed(
            "No new picture came after the second PLAY; expected the movie to go on.",
            "PLAY starts listenRtp again, with a new event that is not set.",
            transcript(recording),
        )
    return passed()


def shows(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    setup = request(recording, "SETUP")
    port = recording.facts.get("rtp_port")
    if setup is not None and client_port(setup.lines) not in (None, port):
        return blocked("client.transport", "the frames went to the port that it named")
    if request(recording, "PLAY") is None:
        return blocked("client.states", "no PLAY was sent")
    start = recording.step("play") or 0.0
    end = recording.step("pause") or recording.step("end") or 1e9
    sent = [one for one in packets(recording, "udp.out") if start <= one.time < end]
    if not sent:
        return not_checked("no frame was sent")
    seen = pictures(recording, start, end + STILL_AFTER)
    if not seen:
        if packet.SCENARIO in recordings:
            if packet.decode(recordings, edition).outcome is Outcome.FAILED:
                return blocked("packet.decode")
        return _dark(recording, [len(one.data) for one in sent], port)
    whole = whole_frames(sent) if edition.fragments else sent
    numbers = set(frame_numbers(recording, spaced(whole, edition.interval)))
    if _kept_up(recording, end):
        numbers = {number for number in numbers if number <= max(seen)}
    if not seen_enough(recording, edition.interval, numbers, set(seen)):
        return failed(
            f"{len(numbers & set(seen))} of {len(numbers)} frames were on the screen; expected at"
            f" least {SHOWN_AT_LEAST:.0%}.",
            "Show each frame as soon as it comes: the listener must not wait for anything else.",
            transcript(recording, end),
        )
    for before, after in zip(seen, seen[1:], strict=False):
        if after < before:
            return failed(
                f"After frame {before} frame {after} was shown; they came in order.",
                "Show a frame only if its number is greater than that of the last one.",
                transcript(recording, end),
            )
    return passed()


def _kept_up(recording: Recording, end: float) -> bool:
    """Whether the picture moved to the end: the last frames may wait in a cache."""
    moved = [event.time for event in recording.of("picture") if event.time <= end]
    return bool(moved) and moved[-1] > end - STILL_AFTER


def _dark(recording: Recording, sizes: list[int], port: object) -> Verdict:
    """The verdict if no picture was seen at all, and what the hook says about it."""
    sentence = (
        f"No picture was shown, though {several(len(sizes), 'frame')} came to port {port}; expected"
        " each of them in the window"
    )
    advice = "listenRtp receives, RtpPacket.decode cuts off 12 bytes, updateMovie shows the rest."
    received = [e for e in recording.of("hook") if e["name"] == "received"]
    cut = [e for e in received if e.get("size") == e.get("asked") and e["size"] < max(sizes)]
    stop = recording.step("pause") or 1e9
    error = crash(recording, "client", stop)
    if cut:
        sentence += (
            f". They came as {cut[0]['size']:,} bytes and did not decode: the largest has"
            f" {max(sizes):,}"
        )
        advice = "Receive at least as many bytes as a frame can have: recv(20480)."
    elif received and not error:
        sentence += ". They were received"
        advice += " The marker is 0 in this lab, so do not wait for it."
    if error:
        sentence += f". The client wrote: {error}"
    first = next(iter(packets(recording, "udp.out")), None)
    evidence = (Evidence(first.data[:20], note="the first packet"),) if first else ()
    return failed(f"{sentence}.", advice, transcript(recording, stop), evidence)


def pause(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    paused = request(recording, "PAUSE")
    start, end = recording.step("pause") or 0.0, recording.step("resume") or 1e9
    if paused is None:
        went_on = len(set(pictures(recording, start + STILL_AFTER, end)))
        return failed(
            "Pause was clicked while the movie played, and no PAUSE came; expected one"
            + (f". The picture went on for {several(went_on, 'frame')}." if went_on else "."),
            "pauseMovie calls sendRtspRequest(self.PAUSE) in the state PLAYING.",
            transcript(recording, end),
        )
    answered = _reply_time(recording, paused.time)
    busy = float(recording.facts.get("noise_worst", 0.0)) + _waited_in_pause(recording)
    if len(pictures(recording, answered + STILL_AFTER + busy, end)) > BEING_DRAWN:
        went_on = len(pictures(recording, answered, end))
        return failed(
            f"PAUSE was answered; the picture went on for {several(went_on, 'frame')}. Expected"
            " it to stand.",
            "The reply to PAUSE sets the event on which the listener ends.",
            transcript(recording, end),
        )
    return passed()


def states(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    asked = requests(recording)
    setup_step = recording.step("setup")
    early = [m for m in asked if setup_step is not None and m.time < setup_step]
    if early:
        return failed(
            f"{early[0].method} went out before SETUP; expected nothing: the state was INIT"
            " (the state diagram in the assignment).",
            "sendRtspRequest looks at the state before it sends.",
            transcript(recording, early[0].time),
            (Evidence(early[0].data[:160], note="the request"),),
        )
    if request(recording, "SETUP") is None:
        return _silent(recording)
    ready, play = recording.step("ready"), recording.step("play")
    if ready is not None and play is not None:
        for message in asked:
            if ready <= message.time < play:
                return failed(
                    f"{message.method} went out in the state READY, when Pause was clicked;"
                    " expected nothing (the state diagram in the assignment).",
                    "pauseMovie sends in the state PLAYING only.",
                    transcript(recording, message.time),
                )
    if request(recording, "PLAY") is None:
        error = crash(recording, "client")
        return failed(
            "SETUP was answered with 200, Play was clicked, and no PLAY came; expected one: the"
            " state is READY." + (f" The client wrote: {error}." if error else ""),
            "parseRtspReply sets the state to READY at the 200 to SETUP.",
            transcript(recording, recording.step("pause") or 1e9),
        )
    if SLOW in recordings and not recordings[SLOW].unable:
        return _states_wait(recordings[SLOW])
    return passed()


def _states_wait(recording: Recording) -> Verdict:
    """Whether nothing is sent before the reply to SETUP."""
    setup = request(recording, "SETUP")
    answered = _reply_time(recording, setup.time if setup else 0.0)
    for message in requests(recording):
        if setup is not None and message is not setup and message.time < answered:
            if message.method == "SETUP":
                continue
            return failed(
                f"{message.method} went out {message.time - setup.time:.1f} s after SETUP, before"
                ' its reply; expected nothing: the state changes "when it receives a reply".',
                "Set the state in parseRtspReply, and not where the request is sent.",
                transcript(recording, message.time),
            )
    return passed()


def error(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[ERROR]
    status = recording.facts.get("status", 404)
    setup = request(recording, "SETUP")
    if setup is None:
        return _silent(recording)
    answered = _reply_time(recording, setup.time)
    for message in requests(recording):
        if message.time > answered and message.method in ("PLAY", "PAUSE"):
            return failed(
                f"The reply to SETUP was {status}, yet the state became READY: {message.method}"
                " went out when it was clicked. Expected nothing.",
                "parseRtspReply changes the state only if the status is 200.",
                transcript(recording, message.time),
            )
    return passed()


def teardown(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SESSION]
    ended = request(recording, "TEARDOWN")
    start = recording.step("teardown") or 0.0
    if ended is None:
        crashed = crash(recording, "client")
        return failed(
            "Teardown was clicked, and no TEARDOWN came; expected one."
            + (f" The client wrote: {crashed}." if crashed else ""),
            "exitClient calls sendRtspRequest(self.TEARDOWN).",
            transcript(recording),
        )
    left = what_is_left(recording, start)
    if not left:
        return passed()
    lingering = _lingering(recording)
    if lingering and set(left) <= {"the process still lived", _port_words(recording)}:
        cause = timeout(recordings, edition)
        if cause.outcome is Outcome.FAILED:
            return blocked("client.timeout")
    stack = _stack(recording)
    if stack and "the process still lived" in left:
        left[left.index("the process still lived")] = f"the process still lived, in {stack}"
    return failed(
        f"{TORN_DOWN_WITHIN:.0f} s after TEARDOWN {' and '.join(left)}; expected the connection"
        " closed, the port free and the window gone.",
        "The reply to TEARDOWN ends recvRtspReply, which closes the socket; the listener ends at"
        " its time-out and closes its own; exitClient destroys the window.",
        transcript(recording),
    )


def what_is_left(recording: Recording, start: float) -> list[str]:
    """What is still there some time after TEARDOWN, in words.

    A window may stay if nothing else of the session does, and Setup begins another.
    """
    asked = [m.time for m in requests(recording) if m.method == "TEARDOWN" and m.time >= start]
    limit = TORN_DOWN_WITHIN + LATE_AT_MOST + float(recording.facts.get("noise", 0.0))
    exited = [e for e in recording.of("process.exit") if e["role"] == "client"]
    if exited and exited[0].time <= (asked[0] if asked else start) + limit:
        return []
    bound = [e["bound"] for e in recording.of("port") if e.time >= start]
    is_open = not [e for e in recording.of("tcp.closed") if e["by"] != "us"]
    is_bound = bool(bound) and bool(bound[-1])
    sets_up = any(event["connected"] for event in recording.of("again"))
    if not is_open and not is_bound and sets_up:
        return []
    left = []
    if _window(recording, False, start) is None:
        left.append("the window was still there")
    left.append("the process still lived")
    if is_open:
        left.append("the connection was open")
    if is_bound:
        left.append(_port_words(recording))
    return left


def _port_words(recording: Recording) -> str:
    return f"UDP port {recording.facts.get('rtp_port')} was still bound"


def responsive(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SLOW]
    asked = [float(event["seconds"]) for event in recording.of("responsive")]
    if not asked:
        return not_checked("the window's main loop could not be asked")
    limit = RESPONSIVE_WITHIN + float(recording.facts.get("noise", 0.0))
    if max(asked) <= limit:
        return passed()
    return failed(
        f"The window did not react for {max(asked):.1f} s while the reply was late; expected it to"
        " react at once.",
        "Receive replies in a separate thread (recvRtspReply), never in a button's command.",
        transcript(recording),
    )


# --- What the recording has of threads ------------------------------------------------------------


def _samples(recording: Recording, step: str) -> list[Event]:
    return [event for event in recording.during(step) if event.kind == "sample"]


def _threads(recording: Recording, step: str) -> int | None:
    """How many threads the client had at the end of a step."""
    counted = [event["threads"] for event in _samples(recording, step)]
    return int(counted[-1]) if counted else None


def _lingering(recording: Recording) -> bool | None:
    """Whether the listener was still there 1.5 s after PAUSE; None if nobody counted."""
    playing, paused = _threads(recording, "play"), _threads(recording, "paused")
    if playing is None or paused is None:
        return None
    return paused >= playing


def _listener(recording: Recording) -> set[str]:
    """Threads that did not exist before PLAY. Tk has one or two of its own."""
    before = _samples(recording, "ready")
    playing = _samples(recording, "play")
    if not before or not playing:
        return set()
    return set(playing[0].get("tasks") or {}) - set(before[-1].get("tasks") or {})


def _wakes(samples: list[Event], threads: set[str]) -> int | None:
    """How often the busiest of these threads began to run between the first and last sample."""
    if len(samples) < 2:
        return None
    first: Mapping[str, int] = samples[0].get("tasks") or {}
    last: Mapping[str, int] = samples[-1].get("tasks") or {}
    both = threads & set(first) & set(last)
    return max((last[name] - first[name] for name in both), default=None)


def _is_the_only_one(recording: Recording, edition: Edition) -> bool:
    """Whether neither PLAY started a listener, and TEARDOWN ends the only one.

    In Java, PLAY starts a timer, whose thread may stay: it listens in the window's thread.
    """
    playing, again = _threads(recording, "play"), _threads(recording, "resume")
    adds_none = playing is not None and again is not None and again <= playing
    begins_none = edition.language == "java" or not _listener(recording)
    return (
        adds_none and begins_none and not what_is_left(recording, recording.step("teardown") or 0.0)
    )


def _waited_in_pause(recording: Recording) -> float:
    """Seconds for which the client could have drawn a picture since Pause, but others had the CPU.

    The grader's own threads may have had one at once. Those of the client are added up.
    """
    samples = [*_samples(recording, "pause")[:1], *_samples(recording, "paused")[:1]]
    waited = [float(sample.get("waited", 0.0)) for sample in samples]
    return waited[-1] - waited[0] if waited else 0.0


def _wakes_in_pause(recording: Recording) -> bool:
    """Whether a listener that PLAY started and PAUSE did not end wakes up by itself."""
    wakes = _wakes(_samples(recording, "paused"), _listener(recording))
    return wakes is not None and wakes > 0


# --- Small questions ------------------------------------------------------------------------------


def _silent(recording: Recording) -> Verdict:
    """The verdict if Setup was clicked and nothing came."""
    missing = [e["button"] for e in recording.of("click") if not e.get("found", True)]
    error_text = crash(recording, "client")
    if missing:
        sentence = f"The window has no button {quoted(missing[0])}; expected Setup, Play, Pause and"
        return failed(f"{sentence} Teardown.", "The grader finds buttons by their text.")
    return failed(
        "Setup was clicked, and no request came; expected SETUP."
        + (f" The client wrote: {error_text}." if error_text else ""),
        "sendRtspRequest writes the request and sends it by rtspSocket.",
        transcript(recording),
    )


def _window(recording: Recording, shown: bool, start: float = 0.0) -> float | None:
    end = recording.step("end") or 1e9  # then it is killed
    seen = [event.time for event in recording.of("window") if event["shown"] is shown]
    return next((time for time in seen if start <= time < end), None)


def _reply_time(recording: Recording, asked: float) -> float:
    """When our server answered that request."""
    return next((e.time for e in recording.of("tcp.out") if e.time >= asked), 1e9)


def _stack(recording: Recording, word: str = "") -> str:
    """Where the student's threads were, according to the hook: function and line."""
    for event in reversed(recording.of("hook")):
        if event["name"] != "stack":
            continue
        places = [str(place) for place in dict(event.get("threads") or {}).values()]
        chosen = [place for place in places if place.strip() and word in place]
        return " and ".join(sorted(set(chosen))[:2])
    return ""


def _line_range(message: Message, number: int) -> tuple[tuple[int, int], ...]:
    """Where a line is in a message."""
    start = 0
    for index, line in enumerate(message.data.splitlines(keepends=True), 1):
        if index == number:
            return ((start, start + len(line.rstrip(b"\r\n"))),)
        start += len(line)
    return ()


def _ordinal(number: int) -> str:
    names = {1: "The first", 2: "The second", 3: "The third"}
    return names.get(number, f"Line {number}:")
