"""The player's windows while servers die, are suspended, give sessions up, and disks are full.

Most of this is waiting, so all of it happens side by side, in as many windows of one process.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from disks import SmallDisk, small_disk
from display import Display, handle_events
from movies import MOVIE, frames_of, write_movie
from processes import HOST
from programs import Server
from raw_rtsp import running_server
from strip import frame_number_of_jpeg
from wording import lacks

from Client import Client
from rtplab.player.model.status import Headline
from rtplab.protocol.rtsp.states import State
from VideoStream import VideoStream

pytestmark = pytest.mark.peers

LIMIT = 20.0  # seconds for anything that is waited for
FPS = 5  # so that eight windows are no load, even for a busy machine
ABSENCE = 10.0  # seconds for which a server is dead, or suspended
BACK_WITHIN = 5.0  # seconds from its return to the first picture
AT_THE_SAME_PLACE = 1.5  # seconds: what was on its way, and what a busy machine looks up late
SESSION_TIMEOUT = 4.0  # seconds: a busy machine may hold up a sign of life
IDLE = 3 * SESSION_TIMEOUT + 0.5

Experiment = Generator["Wait", None, str]
"""Yields what it waits for, and returns what was measured."""


@dataclass(frozen=True)
class Wait:
    condition: Callable[[], object]
    what: str
    limit: float = LIMIT


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a long movie and one of two seconds."""
    frames = frames_of(MOVIE)
    folder = tmp_path_factory.mktemp("media")
    write_movie(folder / "short.Mjpeg", frames[: 2 * FPS])
    return write_movie(folder / "movie.Mjpeg", frames).parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """Where windows save what they save: a disk that is soon full."""
    folder = tmp_path_factory.mktemp("home")
    with small_disk(folder / "disk") as disk, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(disk.folder))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield disk


@pytest.fixture(scope="module")
def root(home: SmallDisk, tk_display: Display) -> Iterator[object]:
    """A Tk root on a screen of its own; it is not shown."""
    import tkinter

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", tk_display.name)
        root = tkinter.Tk()
        root.withdraw()
        yield root
        root.destroy()
        del root
        gc.collect()  # Tcl aborts when another thread happens to collect an interpreter


@pytest.fixture(scope="module")
def servers(media: Path) -> Iterator[ExitStack]:
    """Ends what the experiments have started."""
    with ExitStack() as stack:
        yield stack


class Player:
    """A window that plays."""

    def __init__(self, root: object, port: int, movie: str, transport: str = "auto") -> None:
        import tkinter

        self.toplevel = tkinter.Toplevel(root)  # type: ignore[arg-type]
        address = movie if transport == "lab" else f"rtsp://{HOST}:{port}/{movie}"
        kind = "auto" if transport == "lab" else transport
        self.client = Client(self.toplevel, HOST, port, 0, address, kind)
        self.window = self.client.window
        self.controller = self.window.controller
        self.said: list[str] = []  # the headlines so far: some are there only for a moment
        self._say = self.window.picture.say
        self.window.picture.say = self._note  # type: ignore[method-assign]
        self.window.play()

    def _note(self, headline: Headline) -> None:
        self.said.append(headline.title)
        self._say(headline)

    @property
    def shown(self) -> int:
        """The number of the frame in the picture; 0 without one."""
        jpeg = self.window.picture.jpeg
        return frame_number_of_jpeg(jpeg) if jpeg else 0

    @property
    def words(self) -> str:
        """All that is written upon the picture."""
        area = self.window.picture
        items = [item for item in area.find_all() if area.type(item) == "text"]
        return " / ".join(area.itemcget(item, "text") for item in items)

    def wait_for(self, first: int, last: int = 500) -> Wait:
        return Wait(lambda: first <= self.shown <= last, f"frames {first} to {last} are shown")

    def close(self) -> None:
        self.client.close()
        self.toplevel.destroy()


def pause(seconds: float) -> Wait:
    end = time.monotonic() + seconds
    return Wait(lambda: time.monotonic() >= end, "time goes by", seconds + LIMIT)


# --- The experiments -----------------------------------------------------------------------------


def killed(player_of: Callable[..., Player], servers: ExitStack, media: Path) -> Experiment:
    server = servers.enter_context(Server(media, "--fps", str(FPS)))
    players = [player_of(server.port, "movie.Mjpeg", kind) for kind in ("udp", "tcp")]
    for player in players:
        yield player.wait_for(FPS)
    positions = [player.controller.position for player in players]
    server.kill()
    for player in players:
        yield Wait(lambda p=player: "Reconnecting …" in p.said, "the loss is told")
    yield pause(ABSENCE)
    assert [player.shown for player in players] == [0, 0]
    again = partial(Server, media, "--fps", str(FPS), port=server.port)
    restart = threading.Thread(target=lambda: servers.enter_context(again()))
    restart.start()  # a thread of its own: the windows' loop must not be held up
    yield Wait(lambda: not restart.is_alive(), "the server is back")
    returned = time.monotonic()
    back: dict[int, tuple[float, float]] = {}  # by player: seconds, and position, at first
    yield Wait(lambda: all([_is_back(back, p, returned) for p in players]), "both are back")
    for player, position in zip(players, positions, strict=True):
        assert abs(back[id(player)][1] - position) < AT_THE_SAME_PLACE
        yield player.wait_for(player.shown + FPS)
        assert player.words == ""
    figures = [seconds for seconds, _ in back.values()]
    assert max(figures) < BACK_WITHIN
    return ", ".join(f"{seconds:.1f} s" for seconds in figures) + " after its return"


def _is_back(back: dict[int, tuple[float, float]], player: Player, since: float) -> bool:
    """Note when a player shows something again, and where it is then."""
    if player.shown and id(player) not in back:
        back[id(player)] = time.monotonic() - since, player.controller.position
    return id(player) in back


def suspended(player_of: Callable[..., Player], servers: ExitStack, media: Path) -> Experiment:
    server = servers.enter_context(Server(media, "--fps", str(FPS)))
    player = player_of(server.port, "movie.Mjpeg")
    yield player.wait_for(FPS)
    session = player.client.sessionId
    server.send_signal(signal.SIGSTOP)
    waking = threading.Timer(ABSENCE, server.send_signal, [signal.SIGCONT])
    waking.start()  # a thread of its own: the windows' loop may be held up
    returned = time.monotonic() + ABSENCE
    yield Wait(lambda: "Stalled" in player.said, "the stall is told")
    last = player.shown
    yield player.wait_for(last + 1)
    waking.join()
    seconds = time.monotonic() - returned
    yield player.wait_for(last + FPS)
    assert player.words == ""
    assert seconds < BACK_WITHIN
    assert player.client.sessionId == session
    assert player.client.reception.statistics.lost == 0
    return f"the next frame is shown {1000 * seconds:.0f} ms after"


def paused_with_keep_alive(
    player_of: Callable[..., Player], servers: ExitStack, media: Path
) -> Experiment:
    port = servers.enter_context(running_server(media, fps=FPS, session_timeout=SESSION_TIMEOUT))
    players = [player_of(port, "movie.Mjpeg", kind) for kind in ("udp", "tcp")]
    for player in players:
        yield player.wait_for(FPS)
    sessions = [player.client.sessionId for player in players]
    for player in players:
        player.controller.pause()
        yield Wait(lambda p=player: p.client.state is State.READY, "it is paused")
    yield pause(0.2)
    last = [player.shown for player in players]
    yield pause(IDLE)
    assert [player.client.sessionId for player in players] == sessions
    for player, number in zip(players, last, strict=True):
        assert (player.words, player.shown) == ("", number)
        player.controller.play()
        yield player.wait_for(number + 1, number + 2 * FPS)
        yield player.wait_for(number + FPS)
        assert player.client.reception.statistics.lost == 0
    return f"paused for {IDLE:.1f} s at a time-out of {SESSION_TIMEOUT} s"


def paused_without_keep_alive(
    player_of: Callable[..., Player], servers: ExitStack, media: Path
) -> Experiment:
    port = servers.enter_context(running_server(media, fps=FPS, session_timeout=SESSION_TIMEOUT))
    player = player_of(port, "movie.Mjpeg", "tcp")  # by UDP receiver reports keep the session
    yield player.wait_for(FPS)
    session = player.client.sessionId
    player.controller.pause()
    yield Wait(lambda: player.client.state is State.READY, "it is paused")
    player.client._watch.session_timeout = None  # so it keeps nothing alive
    number, paused_at = player.shown, time.monotonic()
    yield Wait(lambda: "Reconnecting …" in player.said, "the loss is told")
    seconds = time.monotonic() - paused_at
    assert SESSION_TIMEOUT * 0.5 < seconds
    yield pause(IDLE - seconds)
    yield Wait(lambda: player.client.state is State.READY, "there is a session again")
    assert player.client.sessionId != session
    yield player.wait_for(number - FPS, number + FPS)
    assert player.client.state is State.READY, "what was paused stays so"
    player.controller.play()
    yield player.wait_for(player.shown + FPS)
    return f"the session's end is told {seconds:.1f} s after the last word"


def ended(player_of: Callable[..., Player], servers: ExitStack, media: Path) -> Experiment:
    port = servers.enter_context(running_server(media, fps=FPS, session_timeout=SESSION_TIMEOUT))
    players = [player_of(port, "short.Mjpeg", kind) for kind in ("lab", "udp", "tcp")]
    for player in players:
        yield player.wait_for(2 * FPS)
    sessions = [player.client.sessionId for player in players]
    yield pause(IDLE)  # after five seconds a lab server's silence is taken for the end
    for player in players:
        assert "end" in player.words
    for player in players:
        if player.client.state is State.PLAYING:  # the lab has no word for the end
            player.controller.pause()
            yield Wait(lambda p=player: p.client.state is State.READY, "it is paused")
        player.controller.play()
        yield player.wait_for(1, 2 * FPS - 1)
        yield player.wait_for(2 * FPS)
    assert [player.client.sessionId for player in players] == sessions
    return "played twice in one session (lab, UDP, TCP)"


EXPERIMENTS = (killed, suspended, paused_with_keep_alive, paused_without_keep_alive, ended)


@pytest.fixture(scope="module")
def outcomes(root: object, servers: ExitStack, media: Path) -> dict[str, str | BaseException]:
    """What came of each experiment: its figures, or why it failed."""
    players: list[Player] = []

    def player_of(port: int, movie: str, transport: str = "auto") -> Player:
        players.append(Player(root, port, movie, transport))
        return players[-1]

    running = {one.__name__: one(player_of, servers, media) for one in EXPERIMENTS}
    try:
        return side_by_side(root, running)
    finally:
        for player in players:
            player.close()


def side_by_side(root: object, running: dict[str, Experiment]) -> dict[str, str | BaseException]:
    """Run the Tk main loop until all experiments are done."""
    found: dict[str, str | BaseException] = {}
    waits: dict[str, tuple[Wait, float]] = {}
    while running:
        handle_events(root)
        for name, experiment in list(running.items()):
            try:
                waits[name] = _step(experiment, waits.get(name))
            except StopIteration as stop:
                found[name] = stop.value
                del running[name]
            except Exception as error:
                found[name] = error
                del running[name]
    return found


def _step(experiment: Experiment, waiting: tuple[Wait, float] | None) -> tuple[Wait, float]:
    """Go on if what was waited for has come; return what is waited for now, and until when."""
    now = time.monotonic()
    if waiting is not None and not waiting[0].condition():
        if now > waiting[1]:
            experiment.throw(AssertionError(f"not in time: {waiting[0].what}"))
        return waiting
    wait = next(experiment)
    return wait, now + wait.limit


def check(outcomes: dict[str, str | BaseException], experiment: Callable[..., Experiment]) -> None:
    outcome = outcomes[experiment.__name__]
    if isinstance(outcome, BaseException):
        raise outcome
    print(f"{experiment.__name__}: {outcome}")


# --- What they must come to ----------------------------------------------------------------------


def test_a_server_killed_and_back_after_10_s(outcomes: dict) -> None:
    """Pass: the loss is told in words; both players, by UDP and by TCP, show pictures again within
    5 s of the server's return, from where they were, and without a word left upon the picture."""
    check(outcomes, killed)


def test_a_server_suspended_for_10_s(outcomes: dict) -> None:
    """Pass: the stall is told in words; within 5 s of its end it goes on with the next frame, none
    is lost, the session is the same, and the words are gone."""
    check(outcomes, suspended)


def test_a_pause_of_three_session_timeouts(outcomes: dict) -> None:
    """Pass: with keep-alive the session stays, by UDP and TCP, and goes on with the next frame."""
    check(outcomes, paused_with_keep_alive)


def test_a_pause_of_three_session_timeouts_without_keep_alive(outcomes: dict) -> None:
    """Pass: the server ends the session; the player says so, has another within the pause, shows
    where it was and stays paused; Play goes on from there."""
    check(outcomes, paused_without_keep_alive)


def test_the_end_of_the_movie_then_nothing_then_play(outcomes: dict) -> None:
    """Pass: three session time-outs after the end, in both dialects and by both transports, Play
    shows the movie again from its first frames to its last, in the same session."""
    check(outcomes, ended)


def test_a_disk_that_becomes_full(
    root: object, home: SmallDisk, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording, and then a snapshot, on a disk that has room for some frames.

    Pass: each is told in a plain sentence; the recording is a whole movie of the frames it tells;
    of the snapshot nothing is left; playing goes on as if nothing had been.
    """
    import resource

    if home.prefix:  # what other programs are started with, for this process
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (128 << 10, hard))
    with Server(media) as server:
        player = Player(root, server.port, "movie.Mjpeg")
        try:
            outcome = side_by_side(root, {"full": full(player, home)})["full"]
        finally:
            player.close()
            if home.prefix:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    if isinstance(outcome, BaseException):
        raise outcome


def full(player: Player, disk: SmallDisk) -> Experiment:
    yield player.wait_for(5)
    player.window.actions["record"]()
    yield Wait(lambda: "failed" in player.words, "the recording's end is told")
    (path,) = disk.folder.glob("*.Mjpeg")
    stream = VideoStream(path)
    frames = [stream.nextFrame() for _ in range(len(stream.movie.frames))]
    numbers = [frame_number_of_jpeg(frame) for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert stream.movie.damage == ""
    assert not lacks(player.words, "failed", disk.words, f"{len(frames)} frames", str(path))
    yield Wait(lambda: not player.window.state.recording, "it is no more shown as recording")
    if not disk.prefix:
        (disk.folder / "rest").write_bytes(bytes(_room(disk.folder)))
        player.window.actions["snapshot"]()
        yield Wait(lambda: not lacks(player.words, "snapshot", disk.words), "it is told")
        assert list(disk.folder.glob("*.png")) == []
    yield player.wait_for(player.shown + 20)
    assert player.client.state is State.PLAYING
    assert player.client.reception.statistics.lost == 0
    return f"{len(frames)} frames recorded"


def _room(folder: Path) -> int:
    """How many bytes still fit."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
