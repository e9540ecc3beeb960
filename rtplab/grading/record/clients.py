"""The scenarios in which the submission's client talks to our lab server."""

from __future__ import annotations

import time

from rtplab.grading.record.labserver import START_LIMIT, Stranger, started_client
from rtplab.grading.record.run import Run

PLAYED, RESUMED = 40, 15
"""Frames sent until Pause is clicked, and after the second Play: two seconds, and less than one."""
PAUSED = 1.5  # seconds, three of the time-outs that the assignment has
NOTHING_SENT = 0.25  # seconds in which a click in the wrong state would have caused a request
QUIET_START = 0.4  # seconds between the reply to PLAY and the first packet
TORN_DOWN = 3.0  # seconds for a client to end
LAST_FRAME = 0.1  # seconds in which the last frame is shown
REPLY_WITHHELD = 1.5  # seconds
PATIENCE = 4.0  # seconds for frames to be sent, twice what they take


def session(run: Run) -> None:
    """Setup, Play, Pause, Play, Teardown, each in its state, and some in wrong ones."""
    recorder = run.recorder
    client = started(run)
    if client is None:
        return
    recorder.step("too-early")
    for button in ("Play", "Pause"):
        client.hook.click(button)
    stray = client.request(NOTHING_SENT)
    recorder.step("setup")
    request = client.click("Setup") or stray
    client.reply(request)
    recorder.step("ready")
    settle(client)
    client.hook.click("Pause")
    client.request(NOTHING_SENT)
    client.program.sample()
    recorder.step("play")
    play(client, PLAYED, quiet=True)
    recorder.step("pause")
    client.program.sample()
    client.ask("Pause")
    client.pause()
    recorder.step("paused")
    time.sleep(PAUSED * 2 / 3)
    client.program.sample()
    time.sleep(PAUSED / 3)
    client.program.sample()
    client.is_port_bound()
    recorder.step("resume")
    play(client, RESUMED)
    recorder.step("teardown")
    tear_down(client)
    recorder.step("end")


def slow_reply(run: Run) -> None:
    """The reply to SETUP comes late; Play is clicked meanwhile, and the window is asked."""
    recorder = run.recorder
    client = started(run)
    if client is None:
        return
    recorder.step("setup")
    request = client.click("Setup")
    recorder.step("play")
    due = time.monotonic() + REPLY_WITHHELD

    def left() -> float:
        return max(NOTHING_SENT / 2, due - time.monotonic())

    client.hook.click("Play", left() / 2)
    client.hook.is_responsive(left())
    client.request(left() / 2)
    client.hook.is_responsive(left())
    time.sleep(max(0.0, due - time.monotonic()))
    recorder.step("reply")
    client.reply(request)
    client.request(NOTHING_SENT)
    recorder.step("end")


def error(run: Run) -> None:
    """SETUP is answered 404; then Play is clicked."""
    recorder = run.recorder
    recorder.facts["status"] = 404
    client = started(run)
    if client is None:
        return
    recorder.step("setup")
    client.reply(client.click("Setup"), 404, "0")
    settle(client)
    recorder.step("play")
    client.hook.click("Play")
    client.request(2 * NOTHING_SENT)
    client.is_port_bound()
    recorder.step("end")


def started(run: Run) -> Stranger | None:
    """The client, connected and with its window; None if either is missing, which is recorded."""
    run.recorder.step("start")
    client = started_client(run)
    connected = client.accept(START_LIMIT)
    if not connected or not client.wait_for_window(START_LIMIT):
        client.program.sample()
        client.hook.ask_stack()
        run.recorder.step("end")
        return None
    return client


def settle(client: Stranger) -> None:
    """Give the client the time to take a reply."""
    time.sleep(0.1)
    client.hook.is_responsive()


def play(client: Stranger, frames: int, quiet: bool = False) -> None:
    """Click Play, answer, and send that many frames; with `quiet`, none at first."""
    request = client.click("Play")
    client.reply(request)
    if not request:
        return
    if quiet:
        time.sleep(0.05)
        client.program.sample()
        time.sleep(QUIET_START - 0.07)
        client.program.sample()
        time.sleep(0.02)
    sender = client.play()
    start = sender.position
    sender.wait_for(start + frames // 2, PATIENCE)
    client.program.sample()
    sender.wait_for(start + frames, PATIENCE)
    client.keep_picture()


def tear_down(client: Stranger) -> None:
    """Click Teardown, answer, and record how the client ends, or what stays."""
    # With no frame on its way: one that arrives while the window closes is a different test.
    client.pause()
    time.sleep(LAST_FRAME)
    request = client.click("Teardown")
    deadline = time.monotonic() + TORN_DOWN
    client.reply(request)
    while time.monotonic() < deadline and not client.program.wait(0.1):
        is_free = not client.is_port_bound()
        if is_free and client.connection and client.connection.is_over:
            if client.hook.is_responsive(0.5):  # the window stays: for another session?
                if client.sets_up_again():
                    return
                break
    client.is_port_bound()
    if client.program.is_running:
        client.program.sample()
        client.hook.ask_stack()
