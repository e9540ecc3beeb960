"""The scenarios of the optional exercises: loss, buttons, DESCRIBE, fragments, pre-buffering."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtplab.grading.record import clients, servers
from rtplab.grading.record.labserver import PIECE
from rtplab.grading.record.movie import SecretMovie, draw_movie
from rtplab.grading.record.run import Run

LARGE = (85_000, 95_000)  # bytes of a frame: too large for a datagram, within five digits
LARGE_FRAMES = 40
PLAYED = 60  # frames, in three seconds
LOST = 10  # one frame in this many is lost
JITTER = 7  # one frame in this many is late
PATIENCE = 5.0  # seconds
SEEN = 15  # large frames
SHOWN_AFTER = 0.5  # seconds in which what was received is shown


def _large_movie(run: Run) -> SecretMovie:
    return draw_movie(run.seed, LARGE_FRAMES, LARGE)


def describe(run: Run) -> None:
    """SETUP, then DESCRIBE."""
    client = servers.connected(run)
    if client is None:
        return
    run.recorder.step("setup")
    client.ask("SETUP")
    run.recorder.step("describe")
    client.ask("DESCRIBE")
    run.recorder.step("end")


def fragment(run: Run) -> None:
    """The server plays frames of 90 KB."""
    run.use(_large_movie(run))
    client = servers.connected(run)
    if client is None:
        return
    run.recorder.step("setup")
    client.ask("SETUP")
    run.recorder.step("play")
    client.ask("PLAY")
    run.recorder.wait_for("udp.in", PATIENCE / 2, SEEN * LARGE[0] // PIECE)
    run.recorder.step("teardown")
    client.ask("TEARDOWN")
    run.recorder.step("end")


def loss(run: Run) -> None:
    """One frame in ten is left out; then the window's labels are read."""
    client = clients.started(run)
    if client is None:
        return
    recorder = run.recorder
    client.packets.left_out = lambda number: number % LOST == LOST // 2
    recorder.step("setup")
    client.ask("Setup")
    clients.settle(client)
    recorder.step("play")
    began = time.monotonic()
    clients.play(client, PLAYED)
    seconds = time.monotonic() - began
    client.pause()
    arrived = sum(len(event["data"]) for event in recorder.recording("", "").of("udp.out"))
    recorder.facts.update(loss=1 / LOST, rate=8 * arrived / seconds)
    client.hook.ask_labels()
    recorder.step("teardown")
    clients.tear_down(client)
    recorder.step("end")


def buttons(run: Run) -> None:
    """Play is clicked in INIT: a player of three buttons sets up by itself."""
    client = clients.started(run)
    if client is None:
        return
    recorder = run.recorder
    client.hook.ask_labels()
    recorder.step("play")
    client.ask("Play")
    client.reply(client.request())
    client.play()
    recorder.wait_for("udp.out", PATIENCE, SEEN)
    recorder.step("pause")
    client.ask("Pause")
    recorder.step("teardown")
    clients.tear_down(client)
    recorder.step("end")


def reassemble(run: Run) -> None:
    """Our lab server sends frames of 90 KB in pieces, with the marker on the last of each."""
    run.use(_large_movie(run))
    client = clients.started(run)
    if client is None:
        return
    client.packets.piece = PIECE
    _play_all(run, client.ask, lambda: clients.play(client, 2 * SEEN))
    clients.tear_down(client)
    run.recorder.step("end")


def cache(run: Run) -> None:
    """Frames come with jitter."""
    client = clients.started(run)
    if client is None:
        return
    client.packets.jitter = JITTER
    _play_all(run, client.ask, lambda: clients.play(client, PLAYED))
    clients.tear_down(client)
    run.recorder.step("end")


def _play_all(run: Run, ask: Callable[[str], bytes], play: Callable[[], None]) -> None:
    run.recorder.step("setup")
    ask("Setup")
    time.sleep(clients.NOTHING_SENT)
    run.recorder.step("play")
    play()
    time.sleep(SHOWN_AFTER)
    run.recorder.step("teardown")


EXTENSIONS: dict[str, Callable[[Run], None]] = {
    "extend.describe": describe,
    "extend.fragment": fragment,
    "extend.loss": loss,
    "extend.buttons": buttons,
    "extend.reassemble": reassemble,
    "extend.cache": cache,
}
