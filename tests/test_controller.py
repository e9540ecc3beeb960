"""The viewer's wishes before a scripted client, by an injected clock."""

from __future__ import annotations

import time

import pytest
from processes import HOST, ServerProcess
from systems import needs_full_disk
from wording import lacks

from Client import Client
from rtplab.player.model.controller import (
    DAMAGE,
    DELAYS,
    STALL,
    Backoff,
    PlaybackController,
    short_name,
)
from rtplab.player.model.loop import Loop
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.playout import PlayoutBuffer
from VideoStream import VideoStream

JPEG = b"\xff\xd8picture\xff\xd9"


class ScriptedClient:
    """Answers nothing by itself: the test says when a request has been answered."""

    def __init__(self, movie: str = "movie.Mjpeg", duration: float | None = None) -> None:
        self.movie_name = movie
        self.duration = duration
        self.frame_rate: float | None = None if duration is None else 20.0
        self.state = State.INIT
        self.error = self.notice = ""
        self.ended = self.is_lost = self.needs_password = False
        self.scale = 1.0
        self.on_frame = None
        self.playout = PlayoutBuffer(latency=0.0)
        self.asked: list[object] = []
        self._waiting = False

    def is_waiting(self) -> bool:
        return self._waiting

    def _ask(self, what: object) -> None:
        self.asked.append(what)
        self._waiting = True

    def wait_for(self, condition, timeout: float) -> bool:
        assert timeout == 0
        return condition()

    def set_up(self) -> None:
        self._ask("SETUP")

    def play_movie(self) -> None:
        self._ask("PLAY")

    def pause_movie(self) -> None:
        self._ask("PAUSE")

    def tear_down(self) -> None:
        self._ask("TEARDOWN")

    def seek(self, seconds: float) -> None:
        self.asked.append(("seek", seconds))

    def set_speed(self, speed: float) -> None:
        self.asked.append(("speed", speed))

    def position_of(self, frame: Frame) -> float:
        return frame.media_time

    def answer(self, state: State, error: str = "") -> None:
        self.state, self.error, self._waiting = state, error, False


def frame(number: int, arrival: float) -> Frame:
    return Frame(JPEG, number, 0, number * 0.05, arrival)


def playing(client: ScriptedClient) -> PlaybackController:
    controller = PlaybackController(client)
    controller.play()
    controller.tick(0.0)
    client.answer(State.READY)
    controller.tick(0.1)
    client.answer(State.PLAYING)
    controller.tick(0.2)
    client.asked.clear()
    return controller


def test_play_from_init_sets_up_and_plays():
    client = ScriptedClient()
    controller = PlaybackController(client)
    controller.toggle()
    controller.tick(0.0)
    assert client.asked == ["SETUP"]
    client.answer(State.READY)
    controller.tick(0.1)
    controller.tick(0.2)
    assert client.asked == ["SETUP", "PLAY"]


def test_pause_holds_the_picture_at_once():
    client = ScriptedClient()
    controller = playing(client)
    client.playout.put(frame(1, 1.0))
    assert controller.tick(1.0).number == 1
    controller.toggle()
    client.playout.put(frame(2, 1.05))
    assert controller.tick(1.1) is None
    client.answer(State.READY)
    assert controller.tick(1.2) is None
    assert client.asked == ["PAUSE"]
    controller.toggle()
    controller.tick(5.0)
    client.answer(State.PLAYING)
    controller.tick(5.1)
    client.playout.put(frame(3, 5.2))
    shown = [taken.number for now in (5.15, 5.2) if (taken := controller.tick(now)) is not None]
    assert shown[-1] == 3


def test_a_step_while_playing_pauses_and_the_next_shows_what_waits():
    client = ScriptedClient()
    controller = playing(client)
    controller.step()
    client.playout.put(frame(7, 1.0))
    client.playout.put(frame(8, 1.05))
    client.answer(State.READY)
    assert controller.tick(2.0) is None
    controller.step()
    assert controller.tick(2.1).number == 7
    controller.step()
    assert controller.tick(2.2).number == 8
    assert client.asked == ["PAUSE"]


def test_a_step_with_nothing_left_has_one_frame_sent():
    client = ScriptedClient()
    controller = playing(client)
    controller.pause()
    client.answer(State.READY)
    controller.tick(1.0)
    controller.step()
    controller.tick(1.1)
    assert client.asked == ["PAUSE", "PLAY"]
    client.answer(State.PLAYING)
    controller.tick(1.2)
    client.playout.put(frame(9, 1.3))
    client.playout.put(frame(10, 1.35))
    assert controller.tick(1.4).number == 9
    assert client.asked == ["PAUSE", "PLAY", "PAUSE"]
    client.answer(State.READY)
    assert controller.tick(9.0) is None


def test_seeks_are_clamped_and_several_count_as_one():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client._waiting = True
    for _ in range(3):
        controller.seek_by(5.0)
        controller.tick(1.0)
    client._waiting = False
    assert controller.position == 15.0
    controller.tick(1.1)
    assert client.asked == [("seek", 15.0)]
    controller.seek(99.0)
    controller.tick(1.2)
    controller.seek(-3.0)
    controller.tick(1.3)
    assert client.asked == [("seek", 15.0), ("seek", 24.95), ("seek", 0.0)]


def test_the_position_stays_where_the_viewer_wants_it_until_it_is_shown():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(20, 0.5))
    controller.tick(0.5)
    assert controller.position == 1.0
    controller.seek(10.0)
    controller.tick(1.0)
    client.playout.put(frame(21, 0.9))  # from before
    controller.tick(1.1)
    assert controller.position == 10.0
    client.playout.put(frame(200, 1.2))
    controller.tick(1.2)
    client.playout.put(frame(201, 1.25))
    controller.tick(1.25)
    assert controller.position == pytest.approx(10.05)


def test_a_seek_while_paused_shows_where_it_went():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    controller.pause()
    client.answer(State.READY)
    controller.tick(1.0)
    controller.seek(10.0)
    controller.tick(1.1)
    controller.tick(1.2)
    assert client.asked == ["PAUSE", ("seek", 10.0), "PLAY"]


@pytest.mark.parametrize(
    ("duration", "rate", "last"),
    [(25.0, 20.0, 24.95), (10.010, 30000 / 1001, 299 * 1001 / 30000), (20.0, 0.5, 18.0)]
    + [(25.0, None, 24.9), (0.4, 1e-9, 0.0)],
)
def test_a_seek_beyond_the_end_leads_to_the_start_of_the_last_frame(duration, rate, last):
    client = ScriptedClient("rtsp://host/m", duration)
    client.frame_rate = rate
    controller = playing(client)
    controller.seek_by(60.0)
    controller.tick(1.0)
    assert client.asked == [("seek", pytest.approx(last))] * (last > 0)
    client.asked.clear()
    for now in range(2, 20):  # held
        controller.seek_by(5.0)
        controller.tick(float(now))
    assert client.asked == []


def test_space_while_a_paused_seek_is_under_way_plays_from_there():
    """Whatever the seek has come to: not sent, sent, answered, its frame shown, paused again."""
    for moment in range(5):
        client = ScriptedClient("rtsp://host/m", duration=25.0)
        controller = playing(client)
        controller.pause()
        client.answer(State.READY)
        controller.tick(1.0)
        client.asked.clear()
        controller.seek(0.0)
        for step in range(5):
            if step == moment:
                assert not controller.wants_to_play
                controller.toggle()
                assert controller.wants_to_play
            controller.tick(1.1 + step / 100)
            if client._waiting:
                client.answer(State.PLAYING if client.asked[-1] == "PLAY" else State.READY)
            if client.state is State.PLAYING:
                client.playout.put(frame(1 + step, 1.1 + step / 100))
        settle(client, controller)
        assert client.asked[:2] == [("seek", 0.0), "PLAY"], moment
        assert client.state is State.PLAYING and controller.wants_to_play, moment


@pytest.mark.parametrize("shows", [True, False])
def test_a_pause_while_a_seek_is_under_way_shows_where_it_went(shows):
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(31, 1.0))
    controller.tick(1.0)
    controller.seek(0.0)
    controller.tick(1.1)
    controller.toggle()
    client.playout.put(frame(32, 1.05))
    for now in (1.2, 1.3):
        controller.tick(now)
    assert client.asked == [("seek", 0.0)] and controller.frame.number == 31
    if shows:
        client.playout.put(frame(1, 1.4))
        client.playout.put(frame(2, 1.45))
    for now in (1.5, 1.1 + STALL):
        controller.tick(now)
    assert controller.frame.number == (1 if shows else 31)
    assert client.asked == [("seek", 0.0), "PAUSE"] and not controller.wants_to_play
    settle(client, controller)
    assert client.state is State.READY and len(client.asked) == 2


def settle(client: ScriptedClient, controller: PlaybackController, now: float = 5.0) -> None:
    """Answer with yes until nothing more is asked for."""
    for step in range(10):
        controller.tick(now + step / 100)
        if client._waiting:
            client.answer(State.PLAYING if client.asked[-1] == "PLAY" else State.READY)


@pytest.mark.parametrize("begins_playing", [False, True])
@pytest.mark.parametrize("presses", range(1, 7))
@pytest.mark.parametrize("answered_after", range(1, 4))
def test_quick_presses_of_space_end_as_their_number_says(begins_playing, presses, answered_after):
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    if not begins_playing:
        controller.pause()
        settle(client, controller, 1.0)
    for press in range(presses):
        controller.toggle()
        controller.tick(2.0 + press / 100)
        if press % answered_after == 0 and client._waiting:
            client.answer(State.PLAYING if client.asked[-1] == "PLAY" else State.READY)
    settle(client, controller)
    plays = begins_playing == (presses % 2 == 0)
    assert client.state is (State.PLAYING if plays else State.READY)
    client.playout.put(frame(9, 6.0))
    client.playout.put(frame(10, 6.05))
    assert (controller.tick(7.0) is not None) is plays


def test_a_refused_play_or_pause_is_not_asked_for_again():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    for wish, state in ((controller.pause, State.PLAYING), (controller.play, State.READY)):
        client.answer(state)
        client.asked.clear()
        controller.tick(1.0)
        wish()
        controller.tick(1.1)
        assert len(client.asked) == 1
        client.answer(state, "The server refused.")
        for now in range(2, 9):
            controller.tick(float(now))
        assert len(client.asked) == 1
        assert controller.wants_to_play is (state is State.PLAYING)


def test_what_others_ask_of_the_client_is_left_alone():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    controller.pause()
    settle(client, controller, 1.0)
    client.asked.clear()
    for state in (State.PLAYING, State.READY, State.PLAYING):
        client.answer(state)
        settle(client, controller)
        assert controller.wants_to_play is (state is State.PLAYING)
    assert client.asked == []


def test_a_speed_that_is_chosen_while_an_answer_is_awaited_is_not_lost():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client._waiting = True
    controller.set_speed(2.0)
    controller.tick(1.0)
    controller.set_speed(4.0)
    client.answer(State.PLAYING)
    controller.tick(1.1)
    assert client.asked == [("speed", 4.0)]


@pytest.fixture
def near_the_end(small_movie):
    """A real session, and a function that runs it for so many seconds."""
    with ServerProcess(small_movie.parent) as server:
        client = Client(None, HOST, 0, 0, f"rtsp://{HOST}:{server.port}/{small_movie.name}")
        client.set_up()
        client.for_window = True
        controller = PlaybackController(client)
        errors = set()

        def run(seconds: float, until=lambda: False) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end and not until():
                controller.tick(time.monotonic())
                errors.add(client.error)
                time.sleep(0.005)

        controller.play()
        run(5, lambda: controller.frame is not None)
        yield client, controller, run
        client.close()
        assert errors == {""}


def test_a_held_key_goes_to_the_end_quietly(near_the_end):
    client, controller, run = near_the_end
    for _ in range(24):  # more than a second of key repeats
        controller.seek_by(0.5)
        run(0.05)
    run(5, lambda: client.ended)
    assert client.ended and controller.frame.number == round(client.duration * client.frame_rate)
    controller.seek_by(5.0)
    run(0.2)
    assert client.ended and not controller.wants_to_play


def test_home_and_at_once_space_plays_from_the_beginning(near_the_end):
    client, controller, run = near_the_end
    for pause in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15):
        controller.pause()
        run(1, lambda: client.state is State.READY and not client.is_waiting())
        controller.seek(1.0)
        run(0.2)
        controller.seek(0.0)
        run(pause)
        controller.toggle()
        run(3, lambda: client.state is State.PLAYING and 4 < controller.frame.number < 16)
        assert 4 < controller.frame.number < 16
        run(0.1)
        assert client.state is State.PLAYING and controller.wants_to_play


def test_one_frame_back_pauses_first_and_then_goes_back_by_frames():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(100, 1.0))
    controller.tick(1.0)
    controller.step_back()
    settle(client, controller)
    assert client.asked == ["PAUSE"]
    controller.step_back()
    controller.step_back()
    settle(client, controller)
    assert client.asked[1] == ("seek", pytest.approx(98 * 0.05))


def test_from_b_it_goes_on_at_a_until_the_marks_are_cleared():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    for number, now in ((40, 1.0), (60, 2.0)):
        client.playout.put(frame(number, now))
        controller.tick(now)
        controller.loop.mark(controller.position)
    client.playout.put(frame(61, 2.05))
    controller.tick(2.05)
    controller.tick(2.06)
    assert client.asked == [("seek", 2.0)]
    client.playout.put(frame(40, 2.5))
    controller.tick(2.5)
    assert controller.frame.number == 40
    controller.loop.mark(controller.position)
    assert not controller.loop.active
    client.playout.put(frame(62, 3.0))
    controller.tick(3.0)
    controller.tick(3.1)
    assert client.asked == [("seek", 2.0)]


@pytest.mark.parametrize("start", [None, 3.0])
def test_a_movie_that_is_repeated_begins_again_at_its_end(start):
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    controller.loop.whole = True
    controller.loop.start = start
    client.state, client.ended, client.notice = State.READY, True, "The movie has ended."
    controller.tick(30.0)
    now = controller.state_at(30.0)
    assert controller.wants_to_play and not now.ended and not now.notice
    controller.tick(30.1)
    assert client.asked == [("seek", start or 0.0), "PLAY"]


def test_b_is_after_a():
    loop = Loop()
    loop.mark(5.0)
    loop.mark(4.0)
    assert loop.start is None and loop.target(9.0) is None


def test_a_lab_server_is_not_sought_in():
    client = ScriptedClient()
    controller = playing(client)
    controller.seek_by(5.0)
    controller.tick(1.0)
    assert client.asked == []


def test_a_lost_standard_session_is_begun_anew_with_longer_and_longer_pauses():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(100, 1.0))
    controller.tick(1.0)
    trouble = "The server closed the connection."
    client.answer(State.INIT, trouble)
    attempts, now = [], 10.0
    controller.tick(now)
    while len(attempts) < 6:
        now += 0.01
        controller.tick(now)
        assert controller.state_at(now).error == trouble
        if client.asked:
            attempts.append(now)
            client.asked.clear()
            client.answer(State.INIT, "No server is listening.")
    after = [attempt - 10.0 for attempt in attempts]
    assert after == pytest.approx([1.0, 2.0, 4.0, 8.0, 12.0, 16.0], abs=0.1)
    while not client.asked:
        now += 0.01
        controller.tick(now)
    client.answer(State.READY)
    controller.tick(now + 0.1)
    controller.tick(now + 0.2)
    assert client.asked == ["SETUP", ("seek", 5.0), "PLAY"]
    assert controller.state_at(now).reconnecting_in is None


@pytest.mark.parametrize(("number", "plays_on"), [(100, True), (499, False)])
def test_a_server_that_says_goodbye_in_the_middle_is_played_again(number, plays_on):
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(number, 1.0))
    controller.tick(1.0)
    client.answer(State.READY)
    client.ended = True
    controller.tick(1.1)
    client.answer(State.INIT, "The server closed the connection.")
    controller.tick(1.2)
    controller.tick(1.2 + DELAYS[0])
    client.answer(State.READY)
    client.ended = False
    controller.tick(3.0)
    controller.tick(3.1)
    client.answer(State.PLAYING)
    client.playout.put(frame(number, 3.2))
    controller.tick(3.2)
    place = ("seek", pytest.approx(number * 0.05))
    to_show_it_only = [] if plays_on else ["PAUSE"]
    assert client.asked == ["SETUP", place, "PLAY", *to_show_it_only]


def test_a_movie_that_ends_by_hanging_up_is_not_played_again():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(499, 1.0))
    controller.tick(1.0)
    client.ended, client.notice = True, "The movie has ended."
    client.answer(State.INIT)
    for moment in range(2, 30):
        controller.tick(float(moment))
    assert client.asked == []
    state = controller.state_at(30.0)
    assert (state.reconnecting_in, state.ended) == (None, True)


def test_a_paused_session_that_the_server_ends_stays_paused():
    client = ScriptedClient("rtsp://host/m", duration=25.0)
    controller = playing(client)
    client.playout.put(frame(40, 1.0))
    controller.tick(1.0)
    controller.pause()
    client.answer(State.READY)
    controller.tick(1.1)
    client.ended = True  # by the goodbye of a session that has timed out
    controller.tick(3.0)
    client.answer(State.INIT, "The server closed the connection.")
    controller.tick(3.1)
    assert controller.state_at(3.1).reconnecting_in is not None
    assert not controller.wants_to_play and controller._goal is None


def test_a_lost_lab_session_waits_for_setup():
    client = ScriptedClient()
    controller = playing(client)
    client.answer(State.INIT, "The server closed the connection.")
    for now in range(10, 60):
        controller.tick(float(now))
    assert client.asked == []
    assert controller.state_at(60.0).reconnecting_in is None


def test_teardown_ends_the_attempts():
    client = ScriptedClient("rtsp://host/m")
    controller = playing(client)
    client.answer(State.INIT, "The connection is lost.")
    controller.tick(10.0)
    controller.tear_down()
    client.answer(State.INIT)
    client.asked.clear()
    for now in range(11, 60):
        controller.tick(float(now))
    assert client.asked == []


def test_a_silence_while_playing_is_told_in_seconds():
    client = ScriptedClient()
    controller = playing(client)
    client.playout.put(frame(1, 1.0))
    controller.tick(1.0)
    assert controller.state_at(1.0 + STALL - 0.01).silence == 0
    assert controller.state_at(1.0 + STALL + 1.5).silence == int(STALL + 1.5)


def test_frames_none_of_which_can_be_decoded_are_told_after_a_while():
    controller = playing(ScriptedClient())
    controller.decoded("broken", 1.0)
    controller.decoded("broken", 0.9 + DAMAGE)
    assert controller.state_at(9.0).damage == ""
    controller.decoded("broken", 1.0 + DAMAGE)
    controller.decoded("broken otherwise", 1.1 + DAMAGE)
    assert controller.state_at(9.0).damage == "broken", "words that change cannot be read"
    controller.decoded("", 1.2 + DAMAGE)
    controller.decoded("broken", 1.3 + DAMAGE)
    assert controller.state_at(9.0).damage == ""


def test_the_speed_that_is_shown_is_the_one_that_the_server_has_answered_with():
    client = ScriptedClient(duration=25.0)
    controller = playing(client)
    controller.set_speed(1.1)
    assert controller.state_at(1.0).speed == 1.1
    controller.tick(1.0)
    client.answer(State.READY)
    assert controller.state_at(1.1).speed == 1.1
    client.answer(State.PLAYING)  # of a server that knows no Scale
    assert controller.state_at(1.2).speed == 1.0


def test_the_session_that_ended_leaves_no_picture():
    client = ScriptedClient()
    controller = playing(client)
    client.playout.put(frame(1, 1.0))
    controller.tick(1.0)
    assert controller.state_at(1.0).has_picture
    client.answer(State.INIT)
    controller.tick(1.1)
    assert not controller.state_at(1.1).has_picture


def test_a_recording_can_be_served(tmp_path, small_movie):
    from movies import frames_of

    client = ScriptedClient()
    controller = playing(client)
    controller.recorder.start(tmp_path / "taken.Mjpeg")
    jpegs = frames_of(small_movie)[:5]
    for number, jpeg in enumerate(jpegs, start=1):
        client.on_frame(Frame(jpeg, number, 0, number * 0.05, 1.0))
    recording = controller.recorder.stop()
    assert recording.frames == 5
    assert client.on_frame is None
    stream = VideoStream(tmp_path / "taken.Mjpeg")
    assert [stream.nextFrame() for _ in range(6)] == [*jpegs, b""]


@needs_full_disk
def test_a_disk_that_fails_ends_the_recording_with_a_sentence(tmp_path):
    client = ScriptedClient()
    controller = playing(client)
    path = tmp_path / "taken.Mjpeg"
    path.symlink_to("/dev/full")
    controller.recorder.start(path)
    client.on_frame(frame(1, 1.0))
    error = controller.recorder.error
    assert not lacks(error, "recording", "No space left on device", "0 frames", str(path))
    assert client.on_frame is None
    assert not controller.state_at(1.0).recording
    assert controller.recorder.stop() is None


def test_backoff_repeats_its_longest_pause():
    backoff = Backoff()
    for delay in (*DELAYS, DELAYS[-1]):
        backoff.failed(100.0)
        assert backoff.remaining(100.0) == delay
    backoff.end()
    assert not backoff.active


@pytest.mark.parametrize(
    ("movie", "name"),
    [("movie.Mjpeg", "movie.Mjpeg"), ("rtsp://h:1/a/b.Mjpeg", "b.Mjpeg"), ("rtsp://h/", "h")],
)
def test_short_names(movie, name):
    assert short_name(movie) == name
