"""Recordings written by hand, for the checks: what a faithful program does, with one thing changed.

Each scenario has a function that tells its whole story; its arguments are what may go wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rtplab.grading.judge.registry import CHECKS
from rtplab.grading.judge.seen import blocked
from rtplab.grading.model.checks import Check, Outcome, Verdict
from rtplab.grading.model.editions import PYTHON, Edition
from rtplab.grading.model.recording import Event, Recording, Recordings

WALL = 1_764_430_000
MOVIE = "qwertyu.Mjpeg"
RTP_PORT = 40112
RTSP_PORT = 40800
SESSION = "48151623"
FRAMES = tuple(b"\xff\xd8" + bytes([n]) * (300 + n) + b"\xff\xd9" for n in range(1, 121))
PLAIN = {
    **{"version": 2, "padding": 0, "extension": 0, "cc": 0},
    **{"seqnum": 1, "marker": 0, "pt": 26, "ssrc": 0},
}
CASES: tuple[dict[str, int], ...] = (
    {},
    {"version": 1},
    {"padding": 1},
    {"extension": 1},
    {"cc": 5},
    {"marker": 1},
    {"pt": 127},
    {"seqnum": 255},
    {"seqnum": 256},
    {"seqnum": 258},
    {"seqnum": 65535},
    {"ssrc": 0x01020304},
)


class Story:
    """Events, one after the other; `at` is the time in seconds."""

    def __init__(self, scenario: str, **facts: Any) -> None:
        self.scenario = scenario
        self.at = 0.0
        self.facts: dict[str, Any] = {
            **{"wall": float(WALL), "noise": 0.002, "movie": MOVIE, "rtp_port": RTP_PORT},
            **{"rtsp_port": RTSP_PORT, "session": SESSION, "interval": 0.05},
            "frames": [{"size": len(f), "sha256": hashlib.sha256(f).hexdigest()} for f in FRAMES],
            **facts,
        }
        self.events: list[Event] = []

    def add(self, kind: str, **fields: Any) -> Story:
        self.events.append(Event(round(self.at, 6), kind, fields))
        return self

    def wait(self, seconds: float) -> Story:
        self.at += seconds
        return self

    def step(self, name: str) -> Story:
        return self.add("step", name=name)

    def says(self, data: bytes | str, connection: int = 1) -> Story:
        """The submission sends this."""
        raw = data.encode() if isinstance(data, str) else data
        return self.add("tcp.in", connection=connection, data=raw) if raw else self

    def told(self, data: bytes | str, connection: int = 1) -> Story:
        """We send this."""
        raw = data.encode() if isinstance(data, str) else data
        return self.add("tcp.out", connection=connection, data=raw)

    def recording(self) -> Recording:
        return Recording(self.scenario, "python", self.facts, tuple(self.events))


# --- RtpPacket ------------------------------------------------------------------------------------


def header_of(
    version: int = 2,
    padding: int = 0,
    extension: int = 0,
    cc: int = 0,
    seqnum: int = 1,
    marker: int = 0,
    pt: int = 26,
    ssrc: int = 0,
    timestamp: int = WALL,
) -> bytes:
    """Twelve bytes as they should be."""
    return bytes([version << 6 | padding << 5 | extension << 4 | cc, marker << 7 | pt]) + b"".join(
        value.to_bytes(size, "big") for value, size in ((seqnum, 2), (timestamp, 4), (ssrc, 4))
    )


Encode = Callable[[dict[str, int], bytes], bytes]


def good_encode(inputs: dict[str, int], payload: bytes) -> bytes:
    return header_of(**inputs) + payload


def packet(
    encode: Encode = good_encode,
    loaded: str = "",
    changes: Mapping[str, Any] | None = None,
    shared: bool = False,
    decode_error: str = "",
) -> Recording:
    """`encode` may raise: ValueError's second argument is the source's line."""
    story = Story("packet")
    story.add("packet.loaded", ok=not loaded, error=loaded)
    for case in CASES:
        inputs = {**PLAIN, **case}
        payload = bytes(range(60))
        try:
            data, error = encode(inputs, payload), ""
        except ValueError as fault:
            data, error = None, f"ValueError: {fault.args[0]} (line 27: {fault.args[1]})"
        story.add(
            "packet.encode",
            case="x",
            inputs={**inputs, "payload": payload},
            packet=data,
            error=error,
        )
    data = header_of(seqnum=258, marker=1) + b"frame"
    fields = {
        "version": 2,
        "seqNum": 258,
        "timestamp": WALL,
        "payloadType": 26,
        "payload": b"frame",
    }
    story.add(
        "packet.decode",
        case="one",
        packet=data,
        fields=None if decode_error else {**fields, **(changes or {})},
        error=decode_error,
    )
    first, second = header_of(seqnum=300) + b"one", header_of(seqnum=301) + b"one"
    story.add("packet.pair", before=first, after=second if shared else first, error="")
    return story.recording()


# --- Servers --------------------------------------------------------------------------------------


def asked(method: str, number: int, session: str = SESSION, movie: str = MOVIE) -> str:
    third = f"Transport: RTP/UDP; client_port= {RTP_PORT}"
    if method != "SETUP":
        third = f"Session: {session}"
    return f"{method} {movie} RTSP/1.0\nCSeq: {number}\n{third}"


def reply(number: int, session: str = SESSION, status: str = "200 OK") -> str:
    return f"RTSP/1.0 {status}\nCSeq: {number}\nSession: {session}"


def rtp(number: int, frame: int = 0, **fields: int) -> bytes:
    return header_of(seqnum=number, **fields) + FRAMES[(frame or number) - 1]


def server_session(
    answer: Callable[[str, int], str] = lambda method, number: reply(number),
    send: Callable[[int], bytes] = rtp,
    interval: float = 0.05,
    after_pause: int = 0,
    resumed_from: int = 21,
    after_teardown: int = 0,
    listens: bool = True,
    stderr: str = "",
    waited: float = 0.0,
) -> Recording:
    """Twenty frames, PAUSE, ten frames more, TEARDOWN.

    `waited` is the share of the time for which others had the CPU, while the first are sent.
    """
    story = Story("server.session").step("start")
    if stderr:
        story.add("process.stderr", role="server", data=stderr.encode())
    if not listens:
        return story.add("process.exit", role="server", status=1).step("end").recording()
    story.add("tcp.listening", port=RTSP_PORT).add("tcp.connected", connection=1)

    def ask(method: str, number: int) -> None:
        story.told(asked(method, number)).wait(0.01)
        story.says(answer(method, number))

    def frames(numbers: Iterator[int] | range) -> None:
        for number in numbers:
            story.wait(interval)
            if data := send(number):
                story.add("udp.in", port=RTP_PORT, source=50000, data=data)

    story.step("setup")
    ask("SETUP", 1)
    story.step("play")
    ask("PLAY", 2)
    sample = {"role": "server", "threads": 3, "fds": 7}
    story.add("sample", **sample, cpu=0.1, waited=0.0)
    frames(range(1, 21))
    story.add("sample", **sample, cpu=0.2, waited=20 * interval * waited).step("pause")
    ask("PAUSE", 3)
    story.wait(0.3)
    frames(range(21, 21 + after_pause))
    story.wait(0.4).step("resume")
    ask("PLAY", 4)
    frames(range(resumed_from, resumed_from + 10))
    story.step("teardown")
    ask("TEARDOWN", 5)
    story.wait(0.3)
    frames(range(31, 31 + after_teardown))
    return story.wait(0.3).step("end").recording()


def server_second(first: str = SESSION, second: str = "777123") -> Recording:
    story = Story("server.second").step("start").step("setup")
    story.told(asked("SETUP", 1)).wait(0.01).says(reply(1, first)).step("setup-again")
    story.told(asked("SETUP", 1), 2).wait(0.01).says(reply(1, second), 2)
    return story.step("end").recording()


# --- Clients --------------------------------------------------------------------------------------


def tasks(listener: int | None = None, main: int = 900) -> dict[str, int]:
    """Wake-ups by thread: the window's, that for replies, and the listener's if there is one."""
    found = {"1": main, "2": 5}
    return found if listener is None else {**found, "3": listener}


def client_session(
    write: Callable[[str, int], str] = asked,
    early: str = "",
    ready: str = "",
    bound: bool = True,
    show: Callable[[int], int | None] = lambda number: number,
    shown_after_pause: int = 0,
    waited_in_pause: float = 0.0,
    wakes_early: int = 0,
    listens_from_setup: bool = False,
    lingers: bool = False,
    lingering_wakes: int = 0,
    resumed_threads: int = 3,
    plays: bool = True,
    pauses: bool = True,
    tears_down: bool = True,
    exits: bool = True,
    exits_after: float = 0.6,
    window_goes: bool = True,
    stays_for_more: bool | None = None,
    starts: bool = True,
    stderr: str = "",
    hooks: tuple[dict[str, Any], ...] = (),
    left: tuple[str, ...] = (),
) -> Recording:
    """Twenty frames, Pause for 1.5 s, ten frames more, Teardown."""
    story = Story("client.session").step("start").wait(0.5)
    if stderr:
        story.add("process.stderr", role="client", data=stderr.encode())
    if not starts:
        story.add("process.exit", role="client", status=1)
        return story.step("end").recording()
    story.add("tcp.accepted", connection=1).add("window", shown=True, title="RTPClient")
    story.step("too-early").add("click", button="Play", found=True).wait(0.1).says(early).wait(0.1)
    numbers = iter(range(2 if early else 1, 9))

    def asks(method: str, button: str, happens: bool = True) -> None:
        story.add("click", button=button, found=True).wait(0.02)
        if happens and (text := write(method, next(numbers))):
            story.says(text).wait(0.01)
            story.told(reply(story_number(text)))

    def frames(first: int, count: int) -> None:
        for number in range(first, first + count):
            story.wait(0.05)
            story.add("udp.out", port=RTP_PORT, source=50000, data=rtp(number))
            shown = show(number)
            if shown is not None:
                story.wait(0.01).add("picture", frame=shown).wait(-0.01)

    def sample(threads: int, listener: int | None = None, waited: float = 0.0) -> None:
        found = tasks(listener)
        story.add(
            "sample", role="client", threads=threads, cpu=0.1, fds=9, tasks=found, waited=waited
        )

    story.step("setup")
    asks("SETUP", "Setup")
    story.wait(0.1).step("ready").add("click", button="Pause", found=True).wait(0.1).says(
        ready
    ).wait(0.1)
    sample(3, 0) if listens_from_setup else sample(2)
    story.step("play")
    asks("PLAY", "Play", plays)
    story.wait(0.05)
    sample(3, 1)
    story.wait(0.33)
    sample(3, 1 + wakes_early)
    story.add("port", port=RTP_PORT, bound=bound)
    for hook in hooks:
        story.add("hook", **hook)
    if plays:
        frames(1, 20)
    story.wait(0.03)
    sample(3, 60)
    story.step("pause")
    sample(3, 60)
    asks("PAUSE", "Pause", pauses)
    story.wait(0.35)
    for number in range(21, 21 + shown_after_pause):
        story.wait(0.05).add("picture", frame=number)
    story.wait(0.6).step("paused")
    sample(3 if lingers else 2, 61 if lingers else None, waited_in_pause)
    story.wait(0.5)
    sample(3 if lingers else 2, 61 + lingering_wakes if lingers else None, waited_in_pause)
    story.step("resume")
    asks("PLAY", "Play", plays)
    frames(21, 10)
    sample(resumed_threads, 90)
    story.step("teardown")
    asks("TEARDOWN", "Teardown", tears_down)
    if stays_for_more is not None:
        story.wait(0.1).add("tcp.closed", connection=1, by="them")
        story.add("port", port=RTP_PORT, bound=False).add("responsive", seconds=0.02)
        story.add("again", connected=stays_for_more)
    elif exits:
        story.wait(exits_after).add("tcp.closed", connection=1, by="them").add(
            "window", shown=False, title=""
        )
        story.add("port", port=RTP_PORT, bound=False).add("process.exit", role="client", status=0)
    else:
        story.wait(0.6).add("tcp.closed", connection=1, by="them")
        if window_goes:
            story.add("window", shown=False, title="")
        story.wait(2.4).add("port", port=RTP_PORT, bound=True)
    return story.step("end").add("files", left=list(left)).recording()


def story_number(text: str) -> int:
    """The number in a request, for the reply to repeat."""
    digits = "".join(c for c in text.split("\n")[1] if c.isdecimal())
    return int(digits or 0)


def slow_reply(early_play: bool = False, slow: float = 0.02) -> Recording:
    """The reply to SETUP is withheld for 1.5 s, and Play clicked meanwhile."""
    story = Story("client.slow-reply").step("start").wait(0.5).add("tcp.accepted", connection=1)
    story.step("setup").add("click", button="Setup", found=True).wait(0.02).says(asked("SETUP", 1))
    story.wait(0.3).step("play").add("click", button="Play", found=True).wait(0.1)
    if early_play:
        story.says(asked("PLAY", 2, "0"))
    story.add("responsive", seconds=slow).wait(1.1).step("reply").told(reply(1)).wait(0.5)
    return story.step("end").recording()


def error_reply(plays: bool = False) -> Recording:
    """SETUP is answered 404, then Play is clicked."""
    story = Story("client.error", status=404).step("start").wait(0.5)
    story.step("setup").says(asked("SETUP", 1)).wait(0.01).told(reply(1, "0", "404 Not Found"))
    story.wait(0.3).step("play").add("click", button="Play", found=True).wait(0.05)
    if plays:
        story.says(asked("PLAY", 2))
    return story.wait(0.5).step("end").recording()


def both(shown: int = 20, stderr: str = "") -> Recording:
    story = Story("both").step("start").step("setup").step("play")
    if stderr:
        story.add("process.stderr", role="server", data=stderr.encode())
    for number in range(1, 21):
        story.wait(0.05).add("udp.in", port=1, source=2, data=rtp(number))
        if number <= shown:
            story.add("picture", frame=number)
    return story.step("teardown").step("end").recording()


# --- Grading --------------------------------------------------------------------------------------


def core(**changed: Recording) -> dict[str, Recording]:
    """All recordings of a faithful program, some replaced; names with _ for . and -."""
    good = {
        "packet": packet,
        "server.session": server_session,
        "server.second": server_second,
        "client.session": client_session,
        "client.slow-reply": slow_reply,
        "client.error": error_reply,
        "both": both,
    }
    by_word = {name.replace(".", "_").replace("-", "_"): name for name in good}
    replaced = {by_word[word]: recording for word, recording in changed.items()}
    return {name: replaced[name] if name in replaced else make() for name, make in good.items()}


def verdicts(recordings: Recordings, edition: Edition = PYTHON) -> dict[str, Verdict]:
    """What each check says, with its needs; checks whose scenario is not there are left out."""
    found: dict[str, Verdict] = {}
    for check in CHECKS:
        if all(name in recordings for name in check.scenarios):
            found[check.id] = _verdict(check, found, recordings, edition)
    return found


def _verdict(
    check: Check, found: dict[str, Verdict], recordings: Recordings, edition: Edition
) -> Verdict:
    bad = (Outcome.FAILED, Outcome.BLOCKED)
    for need in check.needs:
        if need in found and found[need].outcome in bad:
            return blocked(need)
    return check.judge(recordings, edition)


def failures(found: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in found.items() if verdict.outcome is Outcome.FAILED]


def jittered(kept: int = 10, gap: float = 0.05) -> Recording:
    """Frames that come unevenly; the client shows the first when `kept` have come."""
    story = Story("extend.cache").step("start").step("setup").step("play")
    due = story.at
    for number in range(1, 61):
        due += 0.05
        late = 0.15 if number % 7 == 0 else 0.0
        story.at = max(story.at, due + late)
        story.add("udp.out", port=RTP_PORT, source=1, data=rtp(number))
    start = 0.05 * (kept + 0.5)
    for number in range(1, 40):
        story.events.append(Event(start + gap * number, "picture", {"frame": number}))
    story.events.sort(key=lambda event: event.time)
    return story.step("end").recording()
