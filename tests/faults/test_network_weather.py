"""Loss, jitter, reordering and duplicates between a viewer and the server.

The viewers of this file watch one server, several at a time, and most of them through a relay with
bad weather of its own. Nothing of it is chance: the seed says what happens to the n-th packet.
"""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from frames import at_the_pace, complete, in_order, numbers_of, share_to_come
from movies import MOVIE, frames_of, write_movie
from peers import UDP, difference, ffmpeg, need_command, output_of, pictures
from PIL import Image
from processes import HOST, ClientRun, ServerProcess, run_client
from relay import Relay, Way
from strip import frame_number

from rtplab.receiving.rtp.impairment import Conditions

FRAMES = 100
FPS = 20  # a socket then holds more than a second, in which a busy machine may not come to read it
AT_ONCE = 7
SILENCE = 5.0  # seconds without a packet that end a movie in the lab dialect, which has no BYE
BUSY = 25.0  # seconds that a busy machine may need more; who misses BYE waits for 60
LIMIT = 60.0
POINT = 0.01
AS_ASKED = 0.04  # where a busy server leaves frames out, the seed's figure is not reached
CLOSE = 3.0  # of 255, from one decoder to another
PATIENCE = 2000  # milliseconds: longer than any delay here, so that nothing comes too late
FFMPEG_PATIENCE = 400  # milliseconds: it waits no longer than our BYE leaves it
BEGINNING = 6  # frames, 300 ms: more than any packet here is late

LAB, STANDARD, TCP, FFMPEG = "lab", "standard", "standard by TCP", "ffmpeg"
DIALECTS = (LAB, STANDARD)
LOSSES = (0.01, 0.05, 0.2)
RAIN_SEED = 84  # with it, 100 packets are enough to lose the share that was asked for
STORM = Conditions(delay=0.03, jitter=0.03, reorder=0.05, seed=5)
DOUBLES = Conditions(delay=0.02, jitter=0.01, duplicate=0.2, seed=5)


def rain(loss: float) -> Conditions:
    return Conditions(loss=loss, seed=RAIN_SEED)


@dataclass
class View:
    """What one viewer has seen: the frames' numbers in order, and the packets on their way."""

    shown: list[int]
    seconds: float
    way: Way | None
    run: ClientRun | None = None
    images: list[Image.Image] | None = None

    @property
    def unharmed(self) -> int:
        """How many frames came through with all their packets."""
        return FRAMES - len(self.way.harmed)


class Watching:
    """Watches the movie in all the ways that are asked for, some at a time."""

    def __init__(self, folder: Path) -> None:
        self.originals = frames_of(MOVIE)[:FRAMES]
        self._folder = folder
        media = write_movie(folder / "media" / "movie.Mjpeg", self.originals).parent
        self._server = ServerProcess(media, "--fps", str(FPS), "--log-level", "warning")

    def all(self, plans: dict[object, tuple[str, Conditions | None]]) -> dict[object, View]:
        with self._server as server, ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {
                name: pool.submit(self._watch, index, server.port, kind, conditions)
                for index, (name, (kind, conditions)) in enumerate(plans.items())
            }
            views = {name: future.result() for name, future in futures.items()}
            return views | {"log": server.errors()}

    def _watch(self, index: int, port: int, kind: str, conditions: Conditions | None) -> View:
        with ExitStack() as stack:
            relay = None
            if conditions is not None:
                relay = stack.enter_context(Relay(port, conditions))
                port = relay.port
            started = time.monotonic()
            watch = self._by_ffmpeg if kind == FFMPEG else self._by_our_client
            view = watch(self._folder / str(index), kind, port)
            view.seconds = time.monotonic() - started
            view.way = relay.rtp if relay else None
            return view

    def _by_our_client(self, folder: Path, kind: str, port: int) -> View:
        address = [HOST, port, 0, "movie.Mjpeg"]
        if kind != LAB:
            transport = "tcp" if kind == TCP else "udp"
            address = [f"rtsp://{HOST}:{port}/movie.Mjpeg", "--transport", transport]
        options = ("--headless", "--json", "--save", folder, "--latency", PATIENCE)
        run = run_client(*address, *options, limit=LIMIT)
        return View(numbers_of(folder, self.originals), 0, None, run=run)

    def _by_ffmpeg(self, folder: Path, kind: str, port: int) -> View:
        need_command("ffmpeg")
        patience = ("-max_delay", str(FFMPEG_PATIENCE * 1000))
        command = ffmpeg(f"rtsp://{HOST}:{port}/movie.Mjpeg", UDP, *patience)
        images = [image for _, image in pictures(output_of(command, LIMIT))]
        return View([frame_number(image) for image in images], 0, None, images=images)


def share(views: dict[object, View]) -> float:
    """The share of the frames that came whole that must be shown at least."""
    return share_to_come(views["log"]) - 0.1


def looks_like(view: View, originals: list[bytes]) -> bool:
    """Tell if ffmpeg's pictures, some of them, are those of the file."""
    for number, image in list(zip(view.shown, view.images, strict=True))[::10]:
        with Image.open(io.BytesIO(originals[number - 1])) as original:
            if difference(image, original) >= CLOSE:
                return False
    return True


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    return Watching(tmp_path_factory.mktemp("weather"))


@pytest.fixture(scope="module")
def views(watching):
    # Those of the lab dialect first, which take the longest, as only silence is an end there.
    plans = {(kind, loss): (kind, rain(loss)) for kind in DIALECTS for loss in LOSSES}
    plans |= {(FFMPEG, loss): (FFMPEG, rain(loss)) for loss in LOSSES[1:]}
    for kind in (*DIALECTS, FFMPEG):
        plans |= {(kind, "storm"): (kind, STORM), (kind, "doubles"): (kind, DOUBLES)}
    plans |= {(kind, "calm"): (kind, None) for kind in (LAB, TCP)}
    return watching.all(plans)


def ends_in_time(view: View, kind: str) -> bool:
    """Tell if the viewer has noticed by itself that the movie is over."""
    silence = SILENCE if kind == LAB else 0.0
    return view.seconds < FRAMES / FPS + silence + BUSY


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", DIALECTS)
class TestLoss:
    """1, 5 and 20 % of the packets are lost on their way to our client."""

    def test_every_frame_that_came_whole_is_shown_and_no_other(self, views, kind, loss):
        """Each is equal to the file's, in order; few more are missing than packets were lost of."""
        view = views[kind, loss]
        assert in_order(view.shown)
        assert share(views) * view.unharmed <= len(view.shown) <= view.unharmed
        assert view.run.status == 0

    def test_the_loss_is_measured(self, views, kind, loss):
        """Within one point of what was lost, which is about what was asked for."""
        view = views[kind, loss]
        assert view.run.report["loss_rate"] == pytest.approx(view.way.lost, abs=POINT)
        assert view.run.report["loss_rate"] == pytest.approx(loss, abs=AS_ASKED)

    def test_the_movie_ends_in_time(self, views, kind, loss):
        """Within a few seconds of its last frame, without an error, although BYE may be lost."""
        view = views[kind, loss]
        assert ends_in_time(view, kind)
        assert view.run.report["error"] is None


@pytest.mark.parametrize("kind", DIALECTS)
class TestStorm:
    """30 +- 30 ms of delay and 5 % of the packets overtaken, before a player that waits."""

    def test_every_frame_is_shown_once_and_in_order(self, views, kind):
        """But perhaps the very first: nobody misses what is overtaken before anything has come."""
        view = views[kind, "storm"]
        assert complete(view.shown, FRAMES - BEGINNING, views["log"])
        assert view.run.report["loss_rate"] < POINT

    def test_the_jitter_is_measured(self, views, kind):
        """From a third to three times the 30 ms: RFC 3550's figure is a mean of the last few."""
        assert 10 < views[kind, "storm"].run.report["jitter_ms"] < 90

    def test_the_movie_ends_in_time(self, views, kind):
        assert ends_in_time(views[kind, "storm"], kind)


@pytest.mark.parametrize("kind", DIALECTS)
class TestDoubles:
    """A fifth of the packets come twice."""

    def test_no_frame_is_shown_twice(self, views, kind):
        view = views[kind, "doubles"]
        assert complete(view.shown, FRAMES - BEGINNING, views["log"])

    def test_the_doubles_are_counted_and_make_up_for_no_loss(self, views, kind):
        view = views[kind, "doubles"]
        report = view.run.report
        assert report["duplicates"] + report["late"] >= view.way.impairment.duplicated > 0
        assert report["loss_rate"] < POINT
        assert ends_in_time(view, kind)


@pytest.mark.parametrize("weather", [*LOSSES[1:], "storm", "doubles"])
def test_ffmpeg_shows_right_pictures_in_order_and_ends(views, watching, weather):
    """No frame twice, none that did not come whole, and an end in time: BYE is said three times."""
    view = views[FFMPEG, weather]
    assert in_order(view.shown)
    assert share(views) * view.unharmed <= len(view.shown) <= view.unharmed
    assert looks_like(view, watching.originals)
    assert ends_in_time(view, FFMPEG)


@pytest.mark.parametrize("kind", [LAB, TCP])
def test_a_viewer_in_calm_weather_notices_nothing(views, kind):
    """All frames, and at the pace of the movie, while others have trouble."""
    view = views[kind, "calm"]
    assert complete(view.shown, FRAMES, views["log"])
    assert [view.run.report[name] for name in ("late", "duplicates")] == [0, 0]
    assert at_the_pace(view.run.report["fps"], FPS, views["log"])
