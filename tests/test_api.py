"""The library: `rtplab.play`, `rtplab.serve` and `publish`, as a program uses them."""

from __future__ import annotations

import gc
import hashlib
import io
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from movies import MOVIE, ROOT, frames_of, write_movie
from PIL import Image, ImageChops, ImageStat
from standard_clients import StandardClient
from systems import needs_signals
from waiting import wait_until

import rtplab

HOST = "127.0.0.1"
LIMIT = 10.0
EVERY = 0.02  # seconds from picture to picture
WAYS = ["udp", "tcp", "lab"]


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:30]


@pytest.fixture
def server() -> Iterator[rtplab.Serving]:
    with rtplab.serve(port=0, host=HOST) as server:
        yield server


@pytest.fixture
def cam(server: rtplab.Serving) -> Iterator[rtplab.Publication]:
    with server.publish("cam", fps=50) as cam:
        yield cam


class Producer:
    """Sends pictures again and again, in a thread of its own."""

    def __init__(self, cam: rtplab.Publication, pictures: list, every: float = EVERY) -> None:
        self._cam = cam
        self._every = every
        self._pictures = pictures
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(self._every):
            self._cam.send(self._pictures[count % len(self._pictures)])
            count += 1

    def __enter__(self) -> Producer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


def play(server: rtplab.Serving, way: str, name: str = "cam", **options: object) -> rtplab.Frames:
    if way == "lab":
        return rtplab.play(HOST, server.port, name, **options)
    return rtplab.play(server.url(name), transport=way, **options)


def take(frames: rtplab.Frames, count: int) -> list[rtplab.PlayedFrame]:
    return [next(frames) for _ in range(count)]


def pixels(jpeg: bytes) -> str:
    """What stands for the pixels of a picture."""
    return hashlib.sha256(Image.open(io.BytesIO(jpeg)).convert("RGB").tobytes()).hexdigest()


def assert_consecutive(found: list[rtplab.PlayedFrame], sent: list[bytes]) -> None:
    """None of the pictures, which were sent again and again, is missing between two others."""
    known = [pixels(frame) for frame in sent]
    places = [known.index(pixels(frame.jpeg)) for frame in found]
    assert places == [(places[0] + step) % len(sent) for step in range(len(found))]


# --- Published and played ------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_what_is_published_is_played(server, cam, frames, way) -> None:
    with Producer(cam, frames), play(server, way) as played:
        found = take(played, 20)
    assert_consecutive(found, frames)
    numbers = [frame.number for frame in found]
    assert numbers == sorted(set(numbers))
    times = [frame.time for frame in found]
    assert times == sorted(times) and times[-1] - times[0] > 15 * EVERY
    assert found[0].image().size == (384, 288)


@pytest.mark.parametrize("way", WAYS)
def test_who_comes_in_the_middle_sees_the_newest_picture_at_once(server, cam, frames, way) -> None:
    """No other picture is sent after it: what was shown before must be enough."""
    with play(server, way) as first:
        cam.send(frames[0])
        next(first)
        cam.send(frames[1])
        next(first)
        with play(server, way) as second:
            assert pixels(next(second).jpeg) == pixels(frames[1])
            cam.send(frames[2])
            assert pixels(next(second).jpeg) == pixels(frames[2])


def test_all_viewers_of_the_standard_get_the_same_packets(server, cam, frames) -> None:
    """Cut, numbered and stamped once: what each gets differs by where it began alone."""
    with (
        StandardClient(server.port, "cam") as one,
        StandardClient(server.port, "cam") as other,
        Producer(cam, frames),
    ):
        for client in (one, other):
            client.set_up("udp")
            client.play()

        def seen_by_both() -> list[tuple[object, object]]:
            first, second = ({p.sequence: p for p in c.rtp_packets} for c in (one, other))
            return [(first[number], second[number]) for number in first.keys() & second.keys()]

        def take() -> bool:
            one.take()
            return len(seen_by_both()) > 50

        assert other.wait(take)
        assert all(mine == yours for mine, yours in seen_by_both())


def test_play_tells_the_numbers_with_which_a_viewer_begins(server, cam, frames) -> None:
    with Producer(cam, frames), StandardClient(server.port, "cam") as client:
        client.set_up("udp")
        wait_until(lambda: cam.viewers == 0)
        info = client.play()["RTP-Info"]
        assert client.wait(lambda: client.rtp_packets)
        first = client.rtp_packets[0]
    assert f"seq={first.sequence};" in info
    assert info.endswith(f"rtptime={first.timestamp}")


def test_pictures_of_every_kind_are_taken(server, cam, frames) -> None:
    picture = Image.open(io.BytesIO(frames[3])).convert("RGB")
    grey = picture.convert("L")
    progressive = io.BytesIO()
    picture.save(progressive, "JPEG", progressive=True, quality=95)
    kinds = [
        (frames[3], picture),
        (bytearray(frames[3]), picture),
        (memoryview(frames[3]), picture),
        (picture, picture),
        (grey, grey),
        (picture.convert("RGBA"), picture),
        (progressive.getvalue(), picture),
    ]
    with play(server, "udp") as standard, play(server, "lab") as lab:
        for sent, wanted in kinds:
            cam.send(sent)
            assert differs_little(next(standard).image(), wanted)
            assert differs_little(next(lab).image(), wanted)


def noise(sigma: int) -> bytes:
    output = io.BytesIO()
    Image.effect_noise((960, 544), sigma).convert("RGB").save(output, "JPEG", quality=90)
    return output.getvalue()


def differs_little(one: Image.Image, other: Image.Image) -> bool:
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return max(ImageStat.Stat(difference).mean) < 4


@pytest.mark.peers  # as numpy is none of our own needs
def test_arrays_of_numpy_are_taken(server, cam) -> None:
    import numpy

    colours = numpy.zeros((64, 96, 3), "uint8")
    colours[:, :48, 0], colours[:, 48:, 2] = 255, 255
    with play(server, "tcp") as played:
        cam.send(colours)
        image = next(played).image()
        assert image.size == (96, 64)
        assert image.getpixel((10, 10))[0] > 240 and image.getpixel((90, 10))[2] > 240
        cam.send(colours[:, ::-1, 2])
        assert next(played).image().convert("L").getpixel((10, 10)) > 240
    for wrong, why in (((4, 4, 4), "(4, 4, 4)"), ((4,), "(4,)"), ((0, 4, 3), "(0, 4, 3)")):
        with pytest.raises(ValueError) as caught:
            cam.send(numpy.zeros(wrong, "uint8"))
        assert why in str(caught.value)
    with pytest.raises(ValueError, match="float32"):
        cam.send(numpy.zeros((4, 4, 3), "float32"))


@pytest.mark.parametrize(
    ("picture", "error", "why"),
    [(b"GIF89a", ValueError, "FFD8"), ("cam.jpg", TypeError, "str"), (None, TypeError, "None")],
)
def test_what_is_no_picture_is_told_to_the_sender(cam, picture, error, why) -> None:
    with pytest.raises(error) as caught:
        cam.send(picture)
    assert why in str(caught.value)


def test_a_damaged_picture_is_skipped_and_the_stream_goes_on(server, cam, frames) -> None:
    cam.send(frames[0])
    with play(server, "udp") as played:
        next(played)
        cam.send(frames[1][:2000])
        wait_until(lambda: cam.skipped == 1)
        cam.send(frames[2])
        assert pixels(next(played).jpeg) == pixels(frames[2])


def test_nothing_is_encoded_while_nobody_watches(cam) -> None:
    class Picture:
        encoded = 0

        def copy(self):
            return self

        def convert(self, mode):
            Picture.encoded += 1
            return Image.new("RGB", (16, 16))

    for _ in range(20):
        cam.send(Picture())
        time.sleep(0.005)
    assert Picture.encoded == 0


@pytest.mark.alone
def test_a_sender_is_never_held_up(server, cam) -> None:
    """A picture of 12 million pixels takes a tenth of a second to encode, and is only copied."""
    large = Image.linear_gradient("L").resize((4000, 3000)).convert("RGB")
    with play(server, "lab", timeout=LIMIT) as played:
        cam.send(large)
        next(played)
        copying, sending = [], []
        for _ in range(5):  # in turn, as a busy machine holds up both
            cam.send(large)
            time.sleep(0.02)  # it is being encoded now
            sending.append(seconds(lambda: cam.send(large)))
            copying.append(seconds(large.copy))
    assert min(sending) < 3 * min(copying) + 0.01


def seconds(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def test_a_viewer_who_does_not_read_loses_frames_and_the_others_do_not(server, cam, frames) -> None:
    with StandardClient(server.port, "cam") as slow, Producer(cam, frames):
        slow.set_up("tcp")
        slow.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.play()
        with play(server, "tcp") as played:
            assert_consecutive(take(played, 100), frames)


def test_large_pictures_are_spread_and_come_whole(server, cam) -> None:
    """150 packets and more: a socket's buffer holds some 90."""
    pictures = [noise(sigma) for sigma in (80, 90, 100)]
    with Producer(cam, pictures, every=0.1), play(server, "udp") as played:
        found = take(played, 6)
    assert min(len(frame.jpeg) for frame in found) > 150 * 1400
    assert_consecutive(found, pictures)


# --- The end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_the_end_of_the_stream_ends_the_iteration(server, frames, way) -> None:
    cam = server.publish("short", fps=50)
    cam.send(frames[0])
    played = play(server, way, "short")
    next(played)
    cam.close()
    assert list(played) == []
    with pytest.raises(rtplab.ServeError):
        cam.send(frames[0])
    with server.publish("short", fps=50) as again:
        again.send(frames[1])
        with play(server, way, "short") as played:
            assert pixels(next(played).jpeg) == pixels(frames[1])


def test_break_with_and_the_garbage_collector_end_the_session(server, cam, frames) -> None:
    def played_a_little() -> None:
        for _ in play(server, "udp"):
            break

    with Producer(cam, frames):
        played_a_little()
        wait_until(lambda: cam.viewers == 0)
        with play(server, "tcp") as played:
            next(played)
            assert cam.viewers == 1
        wait_until(lambda: cam.viewers == 0)
        forgotten = play(server, "udp")
        next(forgotten)
        del forgotten
        gc.collect()
        wait_until(lambda: cam.viewers == 0)


@pytest.mark.parametrize("way", WAYS)
def test_close_in_another_thread_ends_the_iteration(server, cam, frames, way) -> None:
    """Also that of a lab client, whose server says nothing at the end."""
    cam.send(frames[0])
    played = play(server, way)
    next(played)
    found: list[rtplab.PlayedFrame] = []
    reader = threading.Thread(target=lambda: found.extend(played), daemon=True)
    reader.start()
    played.close()
    reader.join(LIMIT)
    assert not reader.is_alive() and not found


@pytest.mark.parametrize("name", ["two words", "100%25", "a+b", "é"])
def test_the_address_of_a_stream_leads_to_it_whatever_its_name(server, frames, name) -> None:
    with server.publish(name) as cam:
        cam.send(frames[0])
        with rtplab.play(server.url(name)) as played:
            assert next(played).number == 1


@needs_signals
def test_ctrl_c_ends_the_iteration(server, cam, frames) -> None:
    loop = f"for frame in rtplab.play({server.url('cam')!r}): print(frame.number, flush=True)"
    with Producer(cam, frames):
        process = subprocess.Popen(
            [sys.executable, "-c", f"import rtplab\n{loop}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=LIMIT)[1]
        assert errors.rstrip().endswith("KeyboardInterrupt")
        wait_until(lambda: cam.viewers == 0)


def test_a_program_that_just_ends_ends(tmp_path, frames) -> None:
    """Whatever it has left open."""
    write_movie(tmp_path / "movie.Mjpeg", frames)
    program = (
        "import rtplab\n"
        f"server = rtplab.serve(port=0, media={str(tmp_path)!r}, host='127.0.0.1', http=0)\n"
        "cam = server.publish('cam')\n"
        "frames = rtplab.play(server.url('movie.Mjpeg'))\n"
        "print(next(frames).number)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_a_program_that_keeps_no_server_ends_too() -> None:
    program = (
        "import gc, rtplab\n"
        "cam = rtplab.serve(port=0, host='127.0.0.1', http=0).publish('cam')\n"
        "gc.collect()\n"
        "print('at its end')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "at its end\n", "")


# --- Movies, and what goes wrong -----------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_movie_is_played_to_its_end(tmp_path, frames, way) -> None:
    write_movie(tmp_path / "movie.Mjpeg", frames)
    with rtplab.serve(port=0, media=str(tmp_path), host=HOST, fps=100) as server:
        played = play(server, way, "movie.Mjpeg")
        if way == "lab":  # which has no word for the end
            assert [frame.number for frame in take(played, len(frames))] == list(range(1, 31))
            played.close()
        else:
            assert [pixels(frame.jpeg) for frame in played] == [pixels(frame) for frame in frames]


def test_a_program_that_takes_frames_too_slowly_gets_the_newest(tmp_path, frames) -> None:
    write_movie(tmp_path / "movie.Mjpeg", frames * 4)
    with rtplab.serve(port=0, media=str(tmp_path), host=HOST, fps=200) as server:
        with play(server, "tcp", "movie.Mjpeg") as played:
            next(played)
            wait_until(lambda: played.dropped)
            rest = list(played)
            assert (len(rest) + 1 + played.dropped, rest[-1].number) == (120, 120)


def test_what_goes_wrong_is_one_sentence(server) -> None:
    with pytest.raises(rtplab.PlayError, match="nothing"):
        next(rtplab.play(server.url("nothing")))
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        port = closed.getsockname()[1]
    with pytest.raises(rtplab.PlayError, match=str(port)):
        next(rtplab.play(f"rtsp://{HOST}:{port}/cam"))
    for arguments in (("movie.Mjpeg",), ("rtsp://",), ("rtsp://host:999999/x",)):
        with pytest.raises(ValueError):
            rtplab.play(*arguments)
    with pytest.raises(ValueError, match="udp"):
        rtplab.play("rtsp://host/cam", transport="UDP")
    with pytest.raises(rtplab.ServeError, match=str(server.port)) as taken:
        rtplab.serve(port=server.port, host=HOST)
    assert "attempting" not in str(taken.value)
    with pytest.raises(rtplab.ServeError, match="nowhere"):
        rtplab.serve(port=0, media="/nowhere")
    with server.publish("one"), pytest.raises(rtplab.ServeError, match="one"):
        server.publish("one")
    for name in ("", "a/b", "a?b", "a\nb"):
        with pytest.raises(ValueError):
            server.publish(name)
    for fps in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="fps"):
            server.publish("slow", fps=fps)
        with pytest.raises(ValueError, match="fps"):
            rtplab.serve(port=0, host=HOST, fps=fps)
    for ports in ({"port": 65536}, {"port": -1}, {"port": 0, "http": 70000}):
        with pytest.raises(ValueError, match="65535"):
            rtplab.serve(host=HOST, **ports)
    for timeout in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout"):
            rtplab.play(server.url("cam"), timeout=timeout)


def test_a_server_that_is_closed_publishes_nothing() -> None:
    server = rtplab.serve(port=0, host=HOST)
    server.close()
    with pytest.raises(rtplab.ServeError, match="closed"):
        server.publish("cam")


def test_a_lost_stream_is_taken_up_again_if_asked_for(frames) -> None:
    first = rtplab.serve(port=0, host=HOST)
    first.publish("cam").send(frames[0])
    with play(first, "tcp", reconnect=True) as played:
        assert pixels(next(played).jpeg) == pixels(frames[0])
        first.close()
        with rtplab.serve(port=first.port, host=HOST) as again, again.publish("cam") as cam:
            cam.send(frames[1])
            assert pixels(next(played).jpeg) == pixels(frames[1])


def test_the_package_is_imported_quickly() -> None:
    """Nothing of the library is imported until it is used."""
    program = "import sys, rtplab; print([m for m in sys.modules if m.startswith('rtplab.')])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "['rtplab.version']\n"
