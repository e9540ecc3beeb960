"""Our ends of the connections, on a machine that makes our own threads late."""

from __future__ import annotations

import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from rtplab.grading.model.editions import Edition
from rtplab.grading.record.labforms import REPLY_FORMS, ReplyForm
from rtplab.grading.record.labserver import FrameSender, Packets
from rtplab.grading.record.recorder import Recorder
from rtplab.grading.record.wire import HOST, RtpPort

INTERVAL = 0.05
LATE = 0.3
LIMIT = 10.0
LARGE = bytes(60_000)


@pytest.mark.timed
def test_frames_that_are_late_are_not_sent_all_at_once() -> None:
    """A client's socket has room for one frame of 90 KB, but not for two."""
    sent: list[float] = []

    def send(datagram: bytes) -> None:
        sent.append(time.monotonic())
        if len(sent) == 2:
            time.sleep(LATE)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
        taker.bind((HOST, 0))
        run = SimpleNamespace(recorder=Recorder(), edition=Edition("test", interval=INTERVAL))
        frames = FrameSender(run, taker.getsockname()[1], [b"frame"] * 6, Packets())  # type: ignore[arg-type]
        frames._sender.send = send  # type: ignore[method-assign]
        frames.start()
        assert frames.wait_for(6, LIMIT)
        frames.close()
    gaps = [after - before for before, after in zip(sent, sent[1:], strict=False)]
    assert min(gaps) > 0.9 * INTERVAL and max(gaps) > LATE


@pytest.mark.parametrize("form", REPLY_FORMS.values(), ids=REPLY_FORMS)
def test_a_reply_in_two_segments_has_the_form_of_one_in_one(form: ReplyForm) -> None:
    """A client of the older lab waits for the CR LF of the last line."""
    (whole,) = form.write(200, "1", "123456")
    pieces = form.write(200, "1", "123456", 2)
    assert len(pieces) == 2 and b"".join(pieces) == whole


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("reads", [True, False])
def test_datagrams_that_we_could_not_take_are_no_mistake_of_the_sender_s(reads: bool) -> None:
    recorder, may_read = Recorder(), threading.Event()
    if reads:
        may_read.set()

    def take(data: bytes) -> None:
        may_read.wait(LIMIT)

    with RtpPort(recorder, take) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(1 if reads else 200):
                sender.sendto(LARGE, (HOST, port.port))
        may_read.set()
    assert (recorder.facts.get("dropped", 0) > 0) is not reads
