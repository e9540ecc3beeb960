"""What is said of exercises, and of what goes wrong around the programs: on recordings by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recordings import (
    FRAMES,
    MOVIE,
    RTP_PORT,
    SESSION,
    Story,
    asked,
    header_of,
    reply,
    rtp,
    verdicts,
)
from wording import lacks

from rtplab.grading.judge import extend, robust, together
from rtplab.grading.model.checks import Outcome, Verdict
from rtplab.grading.model.editions import HD
from rtplab.grading.model.recording import Recording

TRACE = 'Traceback (most recent call last):\n  File "{file}", line {line}, in {name}\n{error}\n'


def judged(recording: Recording) -> Verdict:
    """By the check of the scenario's name."""
    return verdicts({recording.scenario: recording})[recording.scenario]


def server(name: str) -> Story:
    return Story(name).step("start").add("tcp.listening", port=1).step("act").wait(0.1)


def client(name: str) -> Story:
    return Story(name).step("start").add("tcp.accepted", connection=1).step("act").wait(0.1)


def sends(story: Story, count: int, interval: float = 0.05, first: int = 1) -> Story:
    for number in range(first, first + count):
        story.wait(interval).add("udp.in", port=RTP_PORT, source=2, data=rtp(number))
    return story


def samples(story: Story, share: float) -> Story:
    """Two samples, a second apart, of a program that took this much of a core."""
    story.wait(0.2).add("sample", role="server", threads=2, cpu=1.0, fds=5, waited=0.0)
    return story.wait(1.0).add(
        "sample", role="server", threads=2, cpu=1.0 + share / 2, fds=5, waited=share / 2
    )


def unplayed() -> Recording:
    error = "FileNotFoundError: [Errno 2] No such file or directory: 'cache-1.jpg'"
    trace = TRACE.format(file="/x/Client.py", line=75, name="exitClient", error=error)
    story = client("robust.unplayed").says(asked("SETUP", 1)).told(reply(1))
    story.says(asked("TEARDOWN", 2)).told(reply(2))
    story.add("process.stderr", role="client", data=trace.encode())
    return story.wait(0.5).add("process.exit", role="client", status=0).step("end").recording()


def hangup(share: float, packets: int) -> Recording:
    story = server("robust.hangup").told(asked("SETUP", 1)).says(reply(1))
    sends(story.told(asked("PLAY", 2)).says(reply(2)), 5).add("tcp.closed", connection=1, by="us")
    samples(story, share)
    return sends(story, packets).step("after").step("end").recording()


def missing(status: str) -> Recording:
    story = server("robust.missing").told(asked("SETUP", 1, movie="nosuch.Mjpeg")).wait(0.1)
    return story.says(reply(1, "0", status)).step("after").step("end").recording()


def early(answered: bool) -> Recording:
    story = server("robust.early").told(asked("SETUP", 1)).wait(0.1).says(reply(1))
    story.told(asked("TEARDOWN", 2)).wait(0.1)
    if answered:
        story.says(reply(2))
    else:
        trace = TRACE.format(file="ServerWorker.py", line=81, name="run", error="KeyError: 'event'")
        story.add("process.stderr", role="server", data=trace.encode())
    return story.step("after").step("end").recording()


def split(whole: bool) -> Recording:
    half = len(asked("SETUP", 1)) // 2
    story = server("robust.split").told(asked("SETUP", 1)[:half]).wait(0.05)
    if not whole:
        story.says(reply(1))
    story.wait(0.15).told(asked("SETUP", 1)[half:]).wait(0.05)
    if whole:
        story.says(reply(1))
    return story.wait(0.1).step("after").step("end").recording()


def outside(packets: int) -> Recording:
    story = server("robust.path").told(asked("SETUP", 1, movie="../outside.Mjpeg")).wait(0.1)
    status = "200 OK" if packets else "404 Not Found"
    return sends(story.says(reply(1, status=status)), packets).step("after").step("end").recording()


def order(jumps_back: bool) -> Recording:
    """As FunkyServer of the Java handout sends: 352, 308, 308, ..., 359; with smaller numbers."""
    story = client("robust.order").says(asked("SETUP", 1)).told(reply(1))
    for number in (52, 8, 8, 53, 10, 54, 59):
        story.wait(0.05).add("udp.out", port=RTP_PORT, source=2, data=rtp(number))
        if jumps_back or number > 50:
            story.add("picture", frame=number)
    return story.step("after").step("end").recording()


ADVICE: dict[str, tuple[Recording, Recording, str, list[str]]] = {
    "24 nothing played": (
        client("robust.unplayed").add("process.exit", role="client", status=0).recording(),
        unplayed(),
        "robust.unplayed",
        ["FileNotFoundError in exitClient", "Client.py, line 75", "cache file"],
    ),
    "27 old frames": (order(False), order(True), "extend.late", ["52", "8"]),
    "35 hang-up": (
        hangup(0.01, 0),
        hangup(0.98, 20),
        "robust.hangup",
        ["1 s after", "hung up", "packets/s", "98% of a core"],
    ),
    "36 a missing file": (
        missing("404 Not Found"),
        missing("200 OK"),
        "robust.missing",
        ["Asked for nosuch.Mjpeg", "200; expected 404"],
    ),
    "37 TEARDOWN before PLAY": (
        early(True),
        early(False),
        "robust.early",
        ["no reply", "KeyError: 'event'"],
    ),
    "38 two segments": (
        split(True),
        split(False),
        "robust.split",
        ["in two segments", "one reply"],
    ),
    "39 another folder": (
        outside(0),
        outside(6),
        "robust.path",
        ["../outside.Mjpeg was played", "any file"],
    ),
}


@pytest.mark.parametrize("mistake", ADVICE)
def test_advice_is_given_where_it_is_due(mistake: str) -> None:
    right, wrong, check, words = ADVICE[mistake]
    assert verdicts({right.scenario: right})[check].outcome is Outcome.PASSED
    verdict = verdicts({wrong.scenario: wrong})[check]
    assert verdict.outcome is Outcome.FAILED
    said = f"{verdict.sentence} {verdict.advice}"
    assert not lacks(said, *words, "expected"), said
    if check in robust.GIVEN:
        assert robust.GIVEN[check] in verdict.sentence


def test_a_scenario_that_began_with_nothing_is_no_verdict() -> None:
    nothing = Story("robust.hangup").step("start").step("end").recording()
    assert judged(nothing).outcome is Outcome.NOT_CHECKED


# --- Exercises ------------------------------------------------------------------------------------


def fragments(number_of: Callable[[int, int], int], size: int = 100, error: str = "") -> Recording:
    """Three frames of four pieces; `number_of` a frame and a piece."""
    story = Story("extend.fragment").step("start").step("setup").step("play")
    if error:
        trace = TRACE.format(file="ServerWorker.py", line=9, name="sendRtp", error=error)
        story.add("process.stderr", role="server", data=trace.encode())
        return story.step("end").recording()
    for frame in range(3):
        data = rtp(frame + 1)[12:]
        step = -(-len(data) // 4)
        for piece in range(4):
            header = header_of(seqnum=number_of(frame, piece), marker=int(piece == 3))
            part = data[piece * step : (piece + 1) * step] + bytes(max(0, size - 100))
            story.wait(0.01).add("udp.in", port=RTP_PORT, source=2, data=header + part)
    return story.step("end").recording()


def in_order(frame: int, piece: int) -> int:
    return 4 * frame + piece + 1


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (fragments(in_order), ""),
        (fragments(lambda frame, piece: frame + 1), "4 datagrams carried number 1"),
        (fragments(in_order, size=2000), "expected at most 1,472"),
        (fragments(in_order, error="OSError: [Errno 90] Message too long"), "at most 65,507"),
    ],
)
def test_fragments(recording: Recording, words: str) -> None:
    verdict = verdicts({"extend.fragment": recording}, HD)["extend.fragment"]
    assert words in verdict.sentence and bool(words) is (verdict.outcome is Outcome.FAILED)


@pytest.mark.parametrize(("shown", "outcome"), [(20, Outcome.PASSED), (4, Outcome.FAILED)])
def test_datagrams_out_of_order_are_about_whole_frames(shown: int, outcome: Outcome) -> None:
    """In the HD edition a frame is some pieces, whose numbers are not the frame's."""
    story = client("robust.order").says(asked("SETUP", 1)).told(reply(1))
    for frame in range(1, 21):
        data = FRAMES[frame - 1]
        half = len(data) // 2
        for piece, payload in enumerate((data[:half], data[half:])):
            header = header_of(seqnum=2 * frame + piece, marker=piece)
            story.add("udp.out", port=RTP_PORT, source=2, data=header + payload)
        if frame <= shown:
            story.wait(0.05).add("picture", frame=frame)
    recording = story.step("after").step("end").recording()
    assert robust.order({"robust.order": recording}, HD).outcome is outcome


@pytest.mark.parametrize(
    ("facts", "waited", "shown_each", "outcome"),
    [
        ({"noise": 0.001}, 0.0, 1, Outcome.PASSED),
        ({"noise": 0.001}, 0.0, 4, Outcome.FAILED),  # three quarters of them
        ({"noise": 0.01}, 0.0, 4, Outcome.PASSED),  # of a machine that is a fifth of them late
        ({"noise": 0.001}, 0.4, 4, Outcome.PASSED),  # or leaves the client no more of the time
        ({"noise": 0.01}, 0.0, 2, Outcome.FAILED),
    ],
)
def test_frames_in_pieces_are_shown_as_far_as_a_machine_allows(
    facts: dict[str, float], waited: float, shown_each: int, outcome: Outcome
) -> None:
    """One frame in so many is not shown, or all of them are."""
    story = Story("extend.reassemble", **facts).add("process.start", role="client", pid=9)
    story.step("start").step("setup").step("play")
    for frame in range(1, 31):
        data = FRAMES[frame - 1]
        for piece, payload in enumerate((data[:100], data[100:])):
            header = header_of(seqnum=2 * frame + piece, marker=piece)
            story.add("udp.out", port=RTP_PORT, source=2, data=header + payload)
        story.wait(0.05)
        if shown_each == 1 or frame % shown_each:
            story.add("picture", frame=frame)
    tasks = {"role": "client", "threads": 3, "cpu": 0.1, "fds": 9, "waited": waited}
    recording = story.add("sample", **tasks).step("teardown").step("end").recording()
    assert extend.reassemble({"extend.reassemble": recording}, HD).outcome is outcome


def test_fragments_without_numbers_of_their_own_are_one_mistake() -> None:
    """What the submission's client makes of them is no other."""
    story = Story("both").step("start").step("play")
    for frame in (1, 1, 2, 2, 3, 3):
        story.wait(0.02).add("udp.in", port=RTP_PORT, source=2, data=header_of(seqnum=frame))
    verdict = together.movie({"both": story.step("teardown").step("end").recording()}, HD)
    assert (verdict.outcome, verdict.blocked_by) == (Outcome.BLOCKED, "extend.fragment")


def loss(text: str) -> Recording:
    story = Story("extend.loss", loss=0.1, rate=1_200_000.0).step("start").step("setup")
    story.add("process.stdout", role="client", data=text.encode())
    return story.step("end").recording()


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("loss 10.2 %, 1190 kbit/s\n", 1.0),
        ("Packet loss rate: 0.101\nData rate: 148000 bytes/s\n", 1.0),
        ("loss: 9.6 %\n", 0.5),
        ("Current Seq Num: 10\n", 0.0),
    ],
)
def test_loss_rate_and_data_rate(text: str, share: float) -> None:
    verdict = verdicts({"extend.loss": loss(text)})["extend.statistics"]
    assert verdict.share == share


SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n"


def described(body: str, length: int, status: str = "200 OK") -> Recording:
    head = f"RTSP/1.0 {status}\r\nCSeq: 2\r\nContent-Length: {length}\r\n\r\n"
    story = Story("extend.describe").step("start").step("setup").step("describe")
    story.told(f"DESCRIBE {MOVIE} RTSP/1.0\nCSeq: 2\nSession: {SESSION}").wait(0.1)
    return story.says(head + body).step("end").recording()


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (described(SDP, len(SDP)), ""),
        (described(SDP, 5), f"said 5, and {len(SDP)} bytes"),
        (described("<html>", 6), "no session description"),
        (described(SDP.replace("26", "96"), len(SDP)), "m=video 0 RTP/AVP 26"),
        (described("", 0, "501 Not Implemented"), '"RTSP/1.0 501 Not Implemented"'),
    ],
)
def test_describe(recording: Recording, words: str) -> None:
    verdict = verdicts({"extend.describe": recording})["extend.describe"]
    assert words in verdict.sentence and bool(words) is (verdict.outcome is Outcome.FAILED)


@pytest.mark.parametrize(("has_setup", "sets_up", "share"), [(0, 1, 1.0), (1, 1, 0.5), (1, 0, 0.0)])
def test_three_buttons(has_setup: int, sets_up: int, share: float) -> None:
    story = Story("extend.buttons").step("start").step("play")
    story.add("click", button="Play", found=True).wait(0.1)
    if sets_up:
        story.says(asked("SETUP", 1)).told(reply(1)).wait(0.1).says(asked("PLAY", 2))
    if has_setup:
        story.add("click", button="Setup", found=True)
    recording = story.step("end").recording()
    assert verdicts({"extend.buttons": recording})["extend.buttons"].share == share
