"""`--loop`: a movie begins again at its end, without a break."""

from __future__ import annotations

import pytest
from lab_clients import PythonLabClient
from movies import frames_of, write_movie
from processes import ServerProcess
from standard_clients import StandardClient, goodbyes, read_rtp

from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import open_movie
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.headers import Range
from rtplab.serving.media.playback import Playback

FRAMES = 7
FPS = 50
STEP = 90_000 // FPS


@pytest.fixture(scope="module")
def short_movie(tmp_path_factory, small_movie):
    folder = tmp_path_factory.mktemp("short")
    path = write_movie(folder / "movie.Mjpeg", frames_of(small_movie)[:FRAMES])
    opened = open_movie(path)  # all tests share it: none leaves it open
    yield path
    del opened


def numbers(playback, count):
    return [playback.advance() for _ in range(count)]


# --- Where a session stands ----------------------------------------------------------------------


@pytest.fixture
def endless(short_movie):
    return Playback(MovieCursor(open_movie(short_movie)), 1.0, loop=True)


def test_the_first_frame_follows_the_last(endless):
    assert numbers(endless, 16) == [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1, 2]
    assert not endless.at_end


def test_at_double_speed_the_round_begins_with_the_first_frame(endless):
    endless.set_pace(2.0, 1.0)
    assert numbers(endless, 6) == [1, 3, 5, 7, 1, 3]


def test_what_is_still_to_be_played_has_no_end(endless):
    assert endless.range == Range(0.0, None)
    endless.select(Range(3.0, None))
    assert endless.range.serialise() == "npt=3.000-"


def test_an_explicit_end_ends_and_is_said(endless):
    endless.select(Range(5.0, 7.0))
    assert endless.range == Range(5.0, 7.0)
    assert numbers(endless, 3) == [6, 7, None]
    endless.select(Range(5.0, None))
    assert numbers(endless, 3) == [6, 7, 1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Range(7.0, None), Range(0.0, None)),
        (Range(16.0, None), Range(2.0, None)),
        (Range(16.0, 18.0), Range(2.0, 4.0)),
        (Range(5.0, 9.0), Range(5.0, 9.0)),
        (Range(5.0, 14.0), Range(5.0, 14.0)),
        (Range(16.0, 23.0), Range(2.0, 9.0)),
    ],
)
def test_a_time_of_a_later_round_is_the_place_in_the_movie(endless, asked, said):
    endless.select(asked)
    assert endless.range == said


@pytest.mark.parametrize("rounds", [0, 1, 3])
@pytest.mark.parametrize("last", range(1, FRAMES + 1))
def test_an_end_in_a_later_round_is_played_to(endless, rounds, last):
    end = rounds * FRAMES + last
    endless.select(Range(0.0, float(end)))
    assert numbers(endless, end) == [1 + number % FRAMES for number in range(end)]
    assert endless.at_end
    assert endless.advance() is None
    endless.rewind_at_end()
    endless.select(Range(None, None))
    assert numbers(endless, FRAMES + 1)[-1] == 1, "without an end, it has none"


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("end", [None, 3.0, 6.0, 7.0, 9.0, 14.0, 15.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.1, 1.5, 2.0, 2.75, 4.0])
def test_what_comes_next_can_be_known_before(short_movie, loop, end, scale):
    playback = Playback(MovieCursor(open_movie(short_movie)), 1.0, loop)
    playback.set_pace(scale, 1.0)
    playback.select(Range(2.0, end))
    for _ in range(20):
        upcoming = list(playback.upcoming(5))
        place = playback.cursor.number, playback._rounds, playback._rest
        following = [number for number in numbers(playback, len(upcoming) + 1) if number]
        assert upcoming == following[: len(upcoming)]
        assert len(upcoming) in (5, len(following)) or len(upcoming) >= FRAMES // scale
        playback.cursor.number, playback._rounds, playback._rest = place
        playback.advance()


def test_a_pause_at_the_very_end_goes_on_with_the_first_frame(endless):
    numbers(endless, FRAMES)
    endless.rewind_at_end()
    endless.select(Range(None, None))
    assert numbers(endless, 2) == [1, 2]


def test_an_end_before_the_beginning_is_refused(endless):
    with pytest.raises(MessageError) as refusal:
        endless.select(Range(3.0, 3.0))
    assert refusal.value.status == 457


def test_without_loop_the_end_is_the_end(short_movie):
    playback = Playback(MovieCursor(open_movie(short_movie)), 1.0)
    assert numbers(playback, FRAMES + 2)[-3:] == [FRAMES, None, None]
    assert playback.range == Range(7.0, 7.0)


@pytest.mark.parametrize(("loop", "frame"), [(False, FRAMES), (True, 1)])
def test_a_time_a_hair_before_the_end_is_the_next_frame_that_there_is(short_movie, loop, frame):
    playback = Playback(MovieCursor(open_movie(short_movie)), 1.0, loop)
    playback.select(Range(6.9999999, None))
    assert playback.advance() == frame


# --- On the wire ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(short_movie):
    with ServerProcess(short_movie.parent, "--loop", "--fps", str(FPS)) as server:
        yield server


def test_standard_numbers_and_timestamps_go_on_over_the_wrap(server):
    with StandardClient(server.port) as viewer:
        description = viewer.ask("DESCRIBE", None, "Accept: application/sdp")
        assert b"\r\na=range:npt=0-\r\n" in description.body
        assert viewer.watch()["Range"] == "npt=0.000-"
        packets, frames = [], 0
        while frames < 3 * FRAMES:
            packets.append(viewer.next_packet())
            frames += packets[-1].marker
        assert not goodbyes(viewer)
    first = packets[0].sequence
    assert [packet.sequence for packet in packets] == [
        (first + index) & 0xFFFF for index in range(len(packets))
    ]
    times = [packet.timestamp for packet in packets if packet.marker]
    assert times == [(times[0] + index * STEP) & 0xFFFFFFFF for index in range(len(times))]
    payloads = [packet.payload for packet in packets]
    a_round = len(payloads) // 3
    assert payloads[:a_round] == payloads[a_round : 2 * a_round] == payloads[2 * a_round :]


def test_an_explicit_end_is_followed_by_bye(server):
    with StandardClient(server.port) as viewer:
        assert viewer.watch(span="npt=0.02-0.08")["Range"] == "npt=0.020-0.080"
        assert viewer.wait(lambda: goodbyes(viewer))
        assert viewer.pictures == 3
        assert viewer.play("Range: npt=0-")["Range"] == "npt=0.000-"


def test_lab_clients_see_frame_numbers_go_on(server, short_movie):
    with PythonLabClient(server.address) as client:
        client.setup()
        client.play()
        frames = frames_of(short_movie)
        for number, data in enumerate(client.rtp.wait_for_packets(2 * FRAMES + 2), 1):
            packet = read_rtp(data)
            assert packet.sequence == number
            assert packet.timestamp == (number - 1) * STEP
            assert packet.payload == frames[(number - 1) % FRAMES]
