"""What is forgiven is said once, in a sentence that is safe to print."""

from __future__ import annotations

import sys
import threading

import pytest

from rtplab.protocol.forgiveness import MAX_FOUND, Forgiveness


def test_each_kind_of_mistake_is_told_once_and_kept() -> None:
    told: list[str] = []
    forgiveness = Forgiveness(told.append)
    forgiveness.add("The version", "RTPS/1.0", "RTSP/1.0")
    forgiveness.add("The version", "RTP/1.0", "RTSP/1.0")
    forgiveness.add("The session", None, "a number")
    assert told == forgiveness.sentences
    assert len(told) == 2
    assert "RTPS/1.0" in told[0] and "RTSP/1.0" in told[0] and "missing" in told[1]


@pytest.mark.parametrize("found", ["a\r\nb\x1b[2J\udc80", b"a\r\nb\x1b[2J\x80", "x" * 5000, b""])
def test_what_a_peer_has_sent_can_be_printed_and_is_short(found) -> None:
    forgiveness = Forgiveness()
    forgiveness.add("It", found, "another")
    (sentence,) = forgiveness.sentences
    assert sentence.isprintable()
    assert sentence.encode()
    assert len(sentence) < 5 * MAX_FOUND


def test_two_threads_that_meet_the_same_mistake_tell_it_once() -> None:
    interval = sys.getswitchinterval()
    told: list[str] = []
    forgiveness = Forgiveness(told.append)
    kinds = [f"kind {number}" for number in range(2000)]

    def meet() -> None:
        for kind in kinds:
            forgiveness.add(kind, "x", "y")

    threads = [threading.Thread(target=meet) for _ in range(2)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(told) == len(kinds)
