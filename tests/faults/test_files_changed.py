"""Movie files that are deleted, cut, replaced and overwritten while they are played."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
from audience import KINDS, TCP, UDP, Audience
from movies import MOVIE, ROOT, frames_of, jpeg_of_size, write_movie
from programs import Server
from raw_rtsp import Peer
from test_recoding import scene

FRAMES = 200
"""Ten seconds: nobody comes to the end while a test runs."""
VIEWERS = (*KINDS, TCP, UDP)
END = b"\xff\xd9"


@pytest.fixture(scope="module")
def frames():
    return frames_of(MOVIE)


@pytest.fixture
def media(tmp_path, frames):
    """A movie for each fault, and another one."""
    for name in ("deleted", "cut", "replaced", "overwritten", "appended"):
        write_movie(tmp_path / f"{name}.Mjpeg", frames[:FRAMES])
    write_movie(tmp_path / "other" / "other.Mjpeg", frames[FRAMES : FRAMES + 60])
    return tmp_path


def described(port: int, name: str) -> tuple[int, str]:
    """What a new viewer is told of a movie: the status, and its length."""
    with Peer(port) as peer:
        answer = peer.ask("DESCRIBE", f"{peer.base}/{name}")
        text = answer.body.decode()
        return answer.status, text.partition("a=range:npt=0-")[2].partition("\r\n")[0]


def assert_ended_in_order(audience: Audience) -> None:
    """Everybody is told by BYE, as far as the dialect has one, and can still be answered."""
    audience.wait(lambda v: v.kind == "lab" or len(v.goodbyes) == 1, "BYE has come")
    for viewer in audience.viewers:
        assert viewer.ended_at is None
        assert viewer.ask("TEARDOWN") == 200


def one_line(server: Server, words: str) -> None:
    """The log tells each viewer's end in one line, and no failure of ours."""
    assert len(server.log_lines(words)) == len(VIEWERS), server.errors()
    assert "Traceback" not in server.errors()


def test_a_movie_deleted_while_it_is_played(media):
    """Pass: who plays it goes on without a loss; a new viewer gets 404."""
    with Server(media) as server, Audience(server.port, VIEWERS, "deleted.Mjpeg") as audience:
        (media / "deleted.Mjpeg").unlink()
        audience.play_on(10)
        assert described(server.port, "deleted.Mjpeg")[0] == 404
        assert [viewer.lost for viewer in audience.viewers] == [0] * len(VIEWERS)


def test_a_movie_replaced_while_it_is_played(media, frames):
    """Another movie is moved to its place, as an operator should do it.

    Pass: who plays the old one goes on without a loss; a new viewer gets the new one.
    """
    with Server(media) as server, Audience(server.port, VIEWERS, "replaced.Mjpeg") as audience:
        os.replace(media / "other" / "other.Mjpeg", media / "replaced.Mjpeg")
        audience.play_on(10)
        assert described(server.port, "replaced.Mjpeg") == (200, "3.000")
        with Audience(server.port, ("lab",), "replaced.Mjpeg") as newcomers:
            assert newcomers.viewers[0].packets[0].payload == frames[FRAMES]
        assert [viewer.lost for viewer in audience.viewers] == [0] * len(VIEWERS)


def test_a_converted_movie_replaced_while_it_is_played(tmp_path, frames):
    """As before, but the old movie's pictures must be converted, all the time that it is played.

    Pass: who plays the old one goes on without a loss; a new viewer gets the new one.
    """
    progressive = [scene((96, 72), progressive=True, quality=30 + n) for n in range(50)] * 6
    path = write_movie(tmp_path / "movie.Mjpeg", progressive)
    with Server(tmp_path) as server, Audience(server.port, VIEWERS) as audience:
        os.replace(write_movie(tmp_path / "new", frames[:60]), path)
        with Audience(server.port, VIEWERS) as newcomers:
            assert described(server.port, path.name) == (200, "3.000")
            audience.play_on(10)
            newcomers.play_on(10)
        audience.play_on(10)
        assert [viewer.lost for viewer in audience.viewers] == [0] * len(VIEWERS)
        assert not any(viewer.goodbyes for viewer in audience.viewers)


def test_a_movie_overwritten_while_it_is_played(media, frames):
    """Another movie is copied over it: the same file has other bytes in it.

    Pass: nobody gets a frame that is neither the old movie's nor the new one's; who plays is told
    the end in good order and the log says why; a new viewer gets the new movie.
    """
    with Server(media) as server, Audience(server.port, VIEWERS, "overwritten.Mjpeg") as audience:
        audience.play_on(3)
        shutil.copyfile(media / "other" / "other.Mjpeg", media / "overwritten.Mjpeg")
        assert_ended_in_order(audience)
        for viewer in audience.viewers:
            if viewer.kind == "lab":
                known = set(frames[:FRAMES])
                assert all(packet.payload in known for packet in viewer.packets)
        one_line(server, "sending stopped")
        assert described(server.port, "overwritten.Mjpeg") == (200, "3.000")
        with Audience(server.port, KINDS, "overwritten.Mjpeg") as newcomers:
            newcomers.play_on(3)


def test_a_movie_that_grows_while_it_is_played(media, frames):
    """Frames are appended, as a recording does it.

    Pass: who plays it goes on without a loss; a new viewer gets the longer one.
    """
    with Server(media) as server, Audience(server.port, VIEWERS, "appended.Mjpeg") as audience:
        with open(media / "appended.Mjpeg", "ab") as file:
            file.write(b"%05d%s" % (len(frames[0]), frames[0]))
        audience.play_on(10)
        assert [viewer.lost for viewer in audience.viewers] == [0] * len(VIEWERS)
        assert described(server.port, "appended.Mjpeg") == (200, "10.050")


def test_a_movie_with_damaged_pictures(tmp_path, frames):
    """Junk and pictures that are cut short stand between the good ones, in both formats.

    Pass: the good ones come, and what there is of the one that has lost its end, in their order and
    without a gap in the numbers; the list and the length are theirs; nothing else is sent.
    """
    good = frames[:40]
    half = good[10][:-500]
    played = [*good[:10], half + END, *good[10:]]
    recorded = [*good[:10], half, *good[10:], good[0][:300]]
    (tmp_path / "bare.mjpeg").write_bytes(b"\0\n\xff".join(recorded))
    write_movie(tmp_path / "lab.Mjpeg", [frame + b"\0" for frame in recorded])
    # It ends as a picture does: that it is damaged is seen when it is due.
    hidden = good[5][:4] + b"\xff\xf0" + good[5][6:]
    write_movie(tmp_path / "hidden.Mjpeg", [*good[:5], hidden, *good[5:]])
    with Server(tmp_path, "--fps", "50") as server:
        for name, count in (("bare.mjpeg", 41), ("lab.Mjpeg", 41), ("hidden.Mjpeg", 41)):
            assert described(server.port, name) == (200, f"{count / 50:.3f}")
            with Audience(server.port, VIEWERS, name) as audience:
                sent = good if name == "hidden.Mjpeg" else played
                expected = len(sent)
                audience.wait(lambda viewer: viewer.frames >= expected, "all have come")  # noqa: B023
                for viewer in audience.viewers:
                    assert viewer.lost == 0
                    if viewer.kind == "lab":
                        seen = [packet.payload for packet in viewer.packets]
                        # How much of the junk behind it belonged to the half one, nobody knows.
                        assert [one for one in seen if one in good] == good
                        assert [one.startswith(half) for one in seen if one not in good] == (
                            [True] * (len(sent) - len(good))
                        )
        (line,) = server.log_lines("hidden.Mjpeg: frame 6")
        assert "is skipped" in line
        told = [line for line in server.log_lines("watches lab.Mjpeg") if "skipped" in line]
        assert len(told) == len(VIEWERS)


@pytest.mark.parametrize("size", [0, 100_000])
def test_a_movie_cut_while_it_is_played(media, size):
    """The file shrinks under the server that plays it.

    Pass: who plays it is told the end in good order and the log says why; PLAY after that is
    answered at once; a new viewer gets what is left, or 415; the server lives.
    """
    with Server(media) as server, Audience(server.port, VIEWERS, "cut.Mjpeg") as audience:
        audience.play_on(3)
        os.truncate(media / "cut.Mjpeg", size)
        audience.wait(lambda v: v.kind == "lab" or len(v.goodbyes) == 1, "BYE has come")
        for viewer in audience.viewers:
            started = time.monotonic()
            assert viewer.ask("PLAY") in (200, 404)
            assert time.monotonic() - started < 1
        status, _ = described(server.port, "cut.Mjpeg")
        assert status == (200 if size else 415)
        for viewer in audience.viewers:
            assert viewer.ask("TEARDOWN") == 200
        assert "Traceback" not in server.errors()


def test_movies_cut_at_every_moment(tmp_path):
    """A file is cut again and again, each time while five viewers play large frames of it.

    Pass: the server lives through twenty cuts.
    """
    large = [jpeg_of_size(60_000, seed) for seed in range(30)]
    original = write_movie(tmp_path / "original", large)
    path = tmp_path / "movie.Mjpeg"
    with Server(tmp_path, "--fps", "100", "--loop", "--log-level", "error") as server:
        for _ in range(20):
            shutil.copyfile(original, tmp_path / "new")
            os.replace(tmp_path / "new", path)
            with Audience(server.port, (TCP, TCP, TCP, UDP, UDP)):
                os.truncate(path, 0)
        assert described(server.port, "movie.Mjpeg")[0] == 415


HOLD_AND_CUT = """
import os, sys
from rtplab.movies.cursor import MovieCursor
from rtplab.movies.movie import open_movie
from rtplab.serving.media.playback import Playback
from rtplab.serving.media.store import MediaStore
movie = open_movie(sys.argv[1])
store = MediaStore(1400)
feed = store.rtp_jpeg(movie, Playback(MovieCursor(movie), 20))
feed.prepare(1400)
payloads = feed.frame(1, 1400)
os.truncate(sys.argv[1], 0)
print(len(b"".join(payloads)))
print(len(b"".join(feed.frame(1, 1400))))
store.close()
"""


def test_a_movie_cut_between_two_looks(tmp_path):
    """The file shrinks when its size has just been looked at.

    Pass: what was read before it was cut is still there; the process is not ended by SIGBUS.
    """
    path = write_movie(tmp_path / "movie.Mjpeg", [jpeg_of_size(60_000)])
    command = [sys.executable, "-c", HOLD_AND_CUT, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (done.returncode, done.stderr)
    first, second = map(int, done.stdout.split())
    assert first == second > 50_000
