"""The viewer's wishes before a scripted client, by an injected clock."""

from __future__ import annotations

import os

import pytest

from rtplab.player.reconnecting import DELAYS, Backoff
from rtplab.player.viewing import STALL, Viewing, short_name
from rtplab.protocol.states import State
from rtplab.receiving.frames import Frame
from rtplab.receiving.playout import PlayoutBuffer
from VideoStream import VideoStream

JPEG = b"\xff\xd8picture\xff\xd9"


class ScriptedClient:
    """Answers nothing by itself: the test says when a request has been answered."""

    def __init__(self, movie: str = "movie.Mjpeg", duration: float | None = None) -> None:
        self.fileName = movie
        self.duration = duration
        self.state = State.INIT
        self.error = self.notice = ""
        self.ended = self.needsPassword = False
        self.onFrame = None
        self.playout = PlayoutBuffer(latency=0.0)
        self.asked: list[object] = []
        self._waiting = False

    def isWaiting(self) -> bool:
        return self._waiting

    def _ask(self, what: object) -> None:
        self.asked.append(what)
        self._waiting = True

    def setupMovie(self) -> None:
        self._ask("SETUP")

    def playMovie(self) -> None:
        self._ask("PLAY")

    def pauseMovie(self) -> None:
        self._ask("PAUSE")

    def exitClient(self) -> None:
        self._ask("TEARDOWN")

    def seekMovie(self, seconds: float) -> None:
        self.asked.append(("seek", seconds))

    def setSpeed(self, speed: float) -> None:
        self.asked.append(("speed", speed))

    def positionOf(self, frame: Frame) -> float:
        return frame.media_time

    def answer(self, state: State, error: str = "") -> None:
        self.state, self.error, self._waiting = state, error, False


def frame(number: int, arrival: float) -> Frame:
    return Frame(JPEG, number, 0, number * 0.05, arrival)


def playing(client: ScriptedClient) -> Viewing:
    viewing = Viewing(client)
    viewing.play()
    viewing.tick(0.0)
    client.answer(State.READY)
    viewing.tick(0.1)
    client.answer(State.PLAYING)
    viewing.tick(0.2)
    client.asked.clear()
    return viewing


def test_play_from_init_sets_up_and_plays():
    client = ScriptedClient()
    viewing = Viewing(client)
    viewing.toggle()
    viewing.tick(0.0)
    assert client.asked == ["SETUP"]
    client.answer(State.READY)
    viewing.tick(0.1)
    viewing.tick(0.2)
    assert client.asked == ["SETUP", "PLAY"]


def test_pause_holds_the_picture_at_once():
    client = ScriptedClient()
    viewing = playing(client)
    client.playout.put(frame(1, 1.0))
    assert viewing.tick(1.0).number == 1
    viewing.toggle()
    client.playout.put(frame(2, 1.05))
    assert viewing.tick(1.1) is None
    client.answer(State.READY)
    assert viewing.tick(1.2) is None
    assert client.asked == ["PAUSE"]
    viewing.toggle()
    viewing.tick(5.0)
    client.answer(State.PLAYING)
    viewing.tick(5.1)
    client.playout.put(frame(3, 5.2))
    shown = [taken.number for now in (5.15, 5.2) if (taken := viewing.tick(now)) is not None]
    assert shown[-1] == 3


def test_a_step_while_playing_pauses_and_the_next_shows_what_waits():
    client = ScriptedClient()
    viewing = playing(client)
    viewing.step()
    client.playout.put(frame(7, 1.0))
    client.playout.put(frame(8, 1.05))
    client.answer(State.READY)
    assert viewing.tick(2.0) is None
    viewing.step()
    assert viewing.tick(2.1).number == 7
    viewing.step()
    assert viewing.tick(2.2).number == 8
    assert client.asked == ["PAUSE"]


def test_a_step_with_nothing_left_has_one_frame_sent():
    client = ScriptedClient()
    viewing = playing(client)
    viewing.pause()
    client.answer(State.READY)
    viewing.tick(1.0)
    viewing.step()
    viewing.tick(1.1)
    assert client.asked == ["PAUSE", "PLAY"]
    client.answer(State.PLAYING)
    viewing.tick(1.2)
    client.playout.put(frame(9, 1.3))
    client.playout.put(frame(10, 1.35))
    assert viewing.tick(1.4).number == 9
    assert client.asked == ["PAUSE", "PLAY", "PAUSE"]
    client.answer(State.READY)
    assert viewing.tick(9.0) is None


def test_seeks_are_clamped_and_several_count_as_one():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    viewing = playing(client)
    client._waiting = True
    for _ in range(3):
        viewing.seek_by(5.0)
        viewing.tick(1.0)
    client._waiting = False
    assert viewing.position == 15.0
    viewing.tick(1.1)
    assert client.asked == [("seek", 15.0)]
    viewing.seek(99.0)
    viewing.tick(1.2)
    viewing.seek(-3.0)
    viewing.tick(1.3)
    assert client.asked == [("seek", 15.0), ("seek", 25.0), ("seek", 0.0)]


def test_the_position_stays_where_the_viewer_wants_it_until_it_is_shown():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    viewing = playing(client)
    client.playout.put(frame(20, 0.5))
    viewing.tick(0.5)
    assert viewing.position == 1.0
    viewing.seek(10.0)
    viewing.tick(1.0)
    client.playout.put(frame(21, 0.9))  # from before
    viewing.tick(1.1)
    assert viewing.position == 10.0
    client.playout.put(frame(200, 1.2))
    viewing.tick(1.2)
    client.playout.put(frame(201, 1.25))
    viewing.tick(1.25)
    assert viewing.position == pytest.approx(10.05)


def test_a_seek_while_paused_shows_where_it_went():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    viewing = playing(client)
    viewing.pause()
    client.answer(State.READY)
    viewing.tick(1.0)
    viewing.seek(10.0)
    viewing.tick(1.1)
    viewing.tick(1.2)
    assert client.asked == ["PAUSE", ("seek", 10.0), "PLAY"]


def test_a_lab_server_is_not_sought_in():
    client = ScriptedClient()
    viewing = playing(client)
    viewing.seek_by(5.0)
    viewing.tick(1.0)
    assert client.asked == []


def test_a_lost_standard_session_is_begun_anew_with_longer_and_longer_pauses():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    viewing = playing(client)
    client.playout.put(frame(100, 1.0))
    viewing.tick(1.0)
    trouble = "The server has closed the connection."
    client.answer(State.INIT, trouble)
    attempts, now = [], 10.0
    viewing.tick(now)
    while len(attempts) < 6:
        now += 0.01
        viewing.tick(now)
        assert viewing.situation(now).error == trouble
        if client.asked:
            attempts.append(now)
            client.asked.clear()
            client.answer(State.INIT, "No server listens.")
    after = [attempt - 10.0 for attempt in attempts]
    assert after == pytest.approx([1.0, 2.0, 4.0, 8.0, 12.0, 16.0], abs=0.1)
    while not client.asked:
        now += 0.01
        viewing.tick(now)
    client.answer(State.READY)
    viewing.tick(now + 0.1)
    viewing.tick(now + 0.2)
    assert client.asked == ["SETUP", ("seek", 5.0), "PLAY"]
    assert viewing.situation(now).reconnecting_in is None


@pytest.mark.parametrize(("number", "plays_on"), [(100, True), (499, False)])
def test_a_server_that_says_goodbye_in_the_middle_is_played_again(number, plays_on):
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    viewing = playing(client)
    client.playout.put(frame(number, 1.0))
    viewing.tick(1.0)
    client.answer(State.READY)
    client.ended = True
    viewing.tick(1.1)
    client.answer(State.INIT, "The server has closed the connection.")
    viewing.tick(1.2)
    viewing.tick(1.2 + DELAYS[0])
    client.answer(State.READY)
    client.ended = False
    viewing.tick(3.0)
    viewing.tick(3.1)
    client.answer(State.PLAYING)
    client.playout.put(frame(number, 3.2))
    viewing.tick(3.2)
    place = ("seek", pytest.approx(number * 0.05))
    to_show_it_only = [] if plays_on else ["PAUSE"]
    assert client.asked == ["SETUP", place, "PLAY", *to_show_it_only]


def test_a_lost_lab_session_waits_for_setup():
    client = ScriptedClient()
    viewing = playing(client)
    client.answer(State.INIT, "The server has closed the connection.")
    for now in range(10, 60):
        viewing.tick(float(now))
    assert client.asked == []
    assert viewing.situation(60.0).reconnecting_in is None


def test_teardown_ends_the_attempts():
    client = ScriptedClient("rtsp://host/m")
    viewing = playing(client)
    client.answer(State.INIT, "The connection is lost.")
    viewing.tick(10.0)
    viewing.tear_down()
    client.answer(State.INIT)
    client.asked.clear()
    for now in range(11, 60):
        viewing.tick(float(now))
    assert client.asked == []


def test_a_silence_while_playing_is_told_in_seconds():
    client = ScriptedClient()
    viewing = playing(client)
    client.playout.put(frame(1, 1.0))
    viewing.tick(1.0)
    assert viewing.situation(1.0 + STALL - 0.01).silence == 0
    assert viewing.situation(1.0 + STALL + 1.5).silence == int(STALL + 1.5)


def test_the_session_that_ended_leaves_no_picture():
    client = ScriptedClient()
    viewing = playing(client)
    client.playout.put(frame(1, 1.0))
    viewing.tick(1.0)
    assert viewing.situation(1.0).has_picture
    client.answer(State.INIT)
    viewing.tick(1.1)
    assert not viewing.situation(1.1).has_picture


@pytest.mark.parametrize("suffix", [".Mjpeg", ".mjpeg"])
def test_a_recording_can_be_served(tmp_path, small_movie, suffix):
    from movies import frames_of

    client = ScriptedClient()
    viewing = playing(client)
    viewing.record(tmp_path / f"taken{suffix}")
    jpegs = frames_of(small_movie)[:5]
    for number, jpeg in enumerate(jpegs, start=1):
        client.onFrame(Frame(jpeg, number, 0, number * 0.05, 1.0))
    recording = viewing.stop_recording()
    assert recording.frames == 5
    assert client.onFrame is None
    stream = VideoStream(tmp_path / f"taken{suffix}")
    assert [stream.nextFrame() for _ in range(6)] == [*jpegs, b""]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_fails_ends_the_recording_with_a_sentence(tmp_path):
    client = ScriptedClient()
    viewing = playing(client)
    path = tmp_path / "taken.Mjpeg"
    path.symlink_to("/dev/full")
    viewing.record(path)
    client.onFrame(frame(1, 1.0))
    assert viewing.recording_error == (
        f"The recording has failed (No space left on device): 0 frames saved in {path}"
    )
    assert client.onFrame is None
    assert not viewing.situation(1.0).recording
    assert viewing.stop_recording() is None


def test_backoff_repeats_its_longest_pause():
    backoff = Backoff()
    for delay in (*DELAYS, DELAYS[-1]):
        backoff.failed(100.0)
        assert backoff.remaining(100.0) == delay
    backoff.succeeded()
    assert not backoff.active


@pytest.mark.parametrize(
    ("movie", "name"),
    [("movie.Mjpeg", "movie.Mjpeg"), ("rtsp://h:1/a/b.Mjpeg", "b.Mjpeg"), ("rtsp://h/", "h")],
)
def test_short_names(movie, name):
    assert short_name(movie) == name
