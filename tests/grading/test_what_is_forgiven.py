"""What our own programs forgive costs points here, and the report names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recordings import asked, client_session, core, header_of, reply, rtp, server_session, verdicts

from rtplab.grading.judge.registry import BY_ID
from rtplab.grading.model.checks import Outcome, Verdict
from rtplab.grading.model.recording import Recording
from rtplab.protocol.rtsp.lab import mistakes, parse_request
from rtplab.protocol.rtsp.messages import Form

REQUESTS: dict[str, tuple[str, str]] = {
    "version": (" RTSP/1.0", " RTPS/1.0"),
    "no version": (" RTSP/1.0", ""),
    "method in small letters": ("PAUSE ", "pause "),
    "STOP": ("TEARDOWN ", "STOP "),
    "one line": ("\nCSeq", " CSeq"),
    "CSeq misspelt": ("CSeq:", "SEeq:"),
    "CSeq without a colon": ("CSeq: ", "CSeq "),
    "session 0": ("Session: 48151623", "Session: 0"),
    "no session": ("\nSession: 48151623", ""),
    "session in quotation marks": ("48151623", '"48151623"'),
    "transport without its name": ("Transport: RTP/UDP; ", ""),
    "port with a colon": ("client_port= ", "client_port: "),
}
"""By what is wrong, a part of a request and what a client writes for it."""


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_forgiven_of_a_client(name: str) -> None:
    right, wrong = REQUESTS[name]

    def write(method: str, number: int) -> str:
        return asked(method, number).replace(right, wrong)

    told = [write(method, 3).split("\n") for method in ("SETUP", "PLAY", "PAUSE", "TEARDOWN")]
    forgiven = [list(mistakes(lines, parse_request(lines, Form()))) for lines in told]
    assert any(forgiven)
    _costs_points(client_session=client_session(write))


REPLIES: dict[str, tuple[str, str]] = {
    "version": ("RTSP/1.0", "RTPS/1.0"),
    "no reason": (" 200 OK", " 200"),
    "CSeq misspelt": ("CSeq:", "Cseq"),
    "another number": ("CSeq: ", "CSeq: 1"),
    "no session": ("\nSession: 48151623", ""),
    "fields in another order": ("CSeq: 1\nSession: 48151623", "Session: 48151623\nCSeq: 1"),
    "a blank line between": ("\n", "\n\n"),
    "a line more": ("\nSession", "\nServer: mine\nSession"),
    "a line more at the end": ("Session: 48151623", "Session: 48151623\nServer: mine"),
    "text before": ("RTSP", "hello\nRTSP"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_is_forgiven_of_a_server(name: str) -> None:
    right, wrong = REPLIES[name]
    _costs_points(
        server_session=server_session(lambda _, number: reply(number).replace(right, wrong))
    )


PACKETS: dict[str, Callable[[int], bytes]] = {
    "digits before the JPEG": lambda n: header_of(seqnum=n) + b"00301" + rtp(n)[12:],
    "bytes behind the JPEG": lambda n: rtp(n) + b"\0\0",
    "version": lambda n: rtp(n, version=1),
    "payload type": lambda n: rtp(n, pt=96),
    "SSRC that changes": lambda n: rtp(n, ssrc=n),
    "numbers from 0": lambda n: header_of(seqnum=n - 1) + rtp(n)[12:],
    "numbers by 2": lambda n: header_of(seqnum=2 * n) + rtp(n)[12:],
}


@pytest.mark.parametrize("name", PACKETS)
def test_what_is_forgiven_of_a_stream(name: str) -> None:
    _costs_points(server_session=server_session(send=PACKETS[name]))


def _costs_points(**changed: Recording) -> None:
    found: dict[str, Verdict] = verdicts(core(**changed))
    lost = [
        verdict.sentence
        for name, verdict in found.items()
        if verdict.outcome is Outcome.FAILED and BY_ID[name].points and verdict.share < 1
    ]
    assert lost and all("xpected" in sentence for sentence in lost)
