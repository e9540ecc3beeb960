"""Short sessions, to find out which single change makes a submission work."""

from __future__ import annotations

from rtplab.grading.model.recording import Recording
from rtplab.grading.record import clients, servers
from rtplab.grading.record.movie import draw_movie
from rtplab.grading.record.run import Run

FRAMES = 16  # of a client's trial: in 0.8 s
SMALL = (1_100, 1_390)  # bytes of a frame that no buffer is too small for
SMALL_WIDTH = 128  # pixels
PATIENCE = 1.5  # seconds


def client_trial(run: Run) -> None:
    """Setup, Play; the fact "small" asks for small frames."""
    if run.recorder.facts.get("small"):
        run.use(draw_movie(run.seed, 2 * FRAMES, SMALL, SMALL_WIDTH))
    client = clients.started(run)
    if client is None:
        return
    run.recorder.step("setup")
    client.ask("Setup")
    clients.settle(client)
    run.recorder.step("play")
    clients.play(client, FRAMES)
    run.recorder.step("end")


def server_trial(run: Run) -> None:
    """SETUP alone: whoever does not answer is waited for."""
    client = servers.connected(run)
    if client is None:
        return
    run.recorder.step("setup")
    client.ask("SETUP", limit=PATIENCE)
    run.recorder.step("end")


def has_asked_to_play(recording: Recording) -> bool:
    """Whether a client has understood the reply to SETUP."""
    return b"PLAY" in recording.received()


def has_answered(recording: Recording) -> bool:
    """Whether a server has understood SETUP."""
    return b" 200" in recording.received().partition(b"\n")[0]
