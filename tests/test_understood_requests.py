"""What a person would understand is understood, and nothing is met by silence.

Each request goes to a real server three ways: in one piece, byte by byte, and in two segments with
a pause between them. All are asked at the same time, so that those which wait for more wait
together.
"""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from cases import check_each
from raw_rtsp import HOST, LIMIT, Peer, running_server

from rtplab.protocol.rtsp.parser import USELESS_PERIOD
from rtplab.serving.rtsp.session import new_session_id

FIELDS = "CSeq: 1\nTransport: RTP/UDP; client_port= 25000"
SETUP = f"SETUP movie.Mjpeg RTSP/1.0\n{FIELDS}\n\n"
URL = "rtsp://127.0.0.1/movie.Mjpeg"
STANDARD_SETUP = f"SETUP {URL} RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;client_port=25000\r\n\r\n"


def with_version(text: str) -> str:
    return f"SETUP movie.Mjpeg {text}\n{FIELDS}"


def with_number(line: str) -> str:
    return f"SETUP movie.Mjpeg RTSP/1.0\n{line}\nTransport: RTP/UDP; client_port= 25000"


def with_transport(line: str) -> str:
    return f"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n{line}"


def with_name(name: str) -> str:
    return f"SETUP {name} RTSP/1.0\n{FIELDS}"


def with_session(line: str) -> str:
    return f"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1\n{line}"


def standard(method: str, *fields: str) -> str:
    return "\r\n".join([f"{method} {URL} RTSP/1.0", "CSeq: 1", *fields, "", ""])


# Requests of the lab on a new connection, and what is answered.
FIRST = {
    # public clients
    with_version("RTPS/1.0"): 200,
    with_version("RTSP/1"): 200,
    with_version("rtsp/1.0"): 200,
    with_version("RTP/1.0"): 200,
    with_number("CSeq: 1 RTSP/1.0"): 200,
    with_transport("Transport: RTP/UDP; client_port 25000"): 200,
    with_transport("Transport: RTP/UDP 25000"): 200,
    with_transport('Transport: RTP/UDP; client_port= "25000"'): 200,
    SETUP.replace("\n", "\r"): 200,
    SETUP.rstrip().replace("\n", "\r"): 200,
    "SETUP movie.Mjpeg\n1\n RTSP/1.0 RTP/UDP 25000": 200,
    with_name("/movie.Mjpeg"): 200,
    with_name('"movie.Mjpeg"'): 200,
    with_name(".\\movie.Mjpeg"): 200,
    with_name("videos/movie.Mjpeg"): 200,
    # what else a program may send that is being written, or a person who types
    with_version(""): 200,
    with_version("RTSP 1.0"): 200,
    with_version("RTSP1.0"): 200,
    with_version("RTSP/1,0"): 200,
    with_version("RTSP"): 200,
    with_version("HTTP/1.1"): 200,
    with_version("RTSP/1.0 # a remark"): 200,
    with_version("RTSP/1.0;"): 200,
    f"SETUP movie.MjpegRTSP/1.0\n{FIELDS}": 200,
    f"SETUP: movie.Mjpeg RTSP/1.0\n{FIELDS}": 200,
    SETUP.lower().replace("mjpeg", "Mjpeg"): 200,
    SETUP.replace(" ", "  "): 200,
    SETUP.replace(" ", "\t"): 200,
    SETUP.replace("\n", "\n    "): 200,
    f" {SETUP}".replace("\n", "\n "): 200,
    SETUP.replace("\n", "\n\r"): 200,
    SETUP.replace("\n", "\\n"): 200,  # what `echo` of most shells makes of it
    SETUP.replace("\n", "\\r\\n") + "\n": 200,
    SETUP.replace("\n", ", "): 200,
    SETUP.replace("\n", " ") + "\n": 200,
    f"\ufeff{SETUP}": 200,
    f"SETUP rtsp://localhost:5678/movie.Mjpeg RTSP/1.0\n{FIELDS}": 200,
    with_number("CSeq=1"): 200,
    with_number("CSeq : 1"): 200,
    with_number('CSeq: "1"'): 200,
    with_number("CSeq: 1,"): 200,
    with_number("CSeq: #1"): 200,
    with_number("CSeq: 1.0"): 200,
    with_number("CSeq: 1 # a remark"): 200,
    with_number("Seq=1"): 200,
    with_number("Sequence number: 1"): 200,
    with_transport("Transport: 25000"): 200,
    with_transport("Transport=RTP/UDP; client_port=25000;"): 200,
    with_transport("RTP port 25000"): 200,
    with_transport("Transport: RTP/UDP; client port = <25000>"): 200,
    with_transport("Transport: RTP/AVP;unicast;client_port=25000-25001"): 200,
    # what can't be carried out
    with_transport("Transport: RTP/UDP; client_port="): 400,
    "SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1": 400,
    with_transport("Transport: RTP/UDP; client_port= 80"): 400,
    f"SETUPmovie.Mjpeg RTSP/1.0\n{FIELDS}": 400,
    f"movie.Mjpeg SETUP RTSP/1.0\n{FIELDS}": 400,
    with_name("missing.Mjpeg"): 404,
    "SETUP2 movie.Mjpeg RTSP/1.0\nCSeq: 1": 501,
    "M-SEARCH movie.Mjpeg RTSP/1.0\nCSeq: 1": 501,
}
# The same of what says no number, so that none comes back.
WITHOUT_A_NUMBER = {
    "SETUP movie.Mjpeg RTSP/1.0\nTransport: RTP/UDP; client_port= 25000": 200,
    with_number("CSeq: one"): 200,
    "SETUP movie.Mjpeg RTSP/1.0": 400,
    "SETUP movie.Mjpeg": 400,
    "SETUP": 400,
    "PLAY movie.Mjpeg": 455,
    "TEARDOWN": 200,
    "CSeq: 1\n": 400,  # and so is one that stands before its request
    "help": 501,
    "quit\n": 501,
    "?": 400,
    "\x00\x01\x02\n": 400,
    "b'" + SETUP.replace("\n", "\\n") + "'": 400,
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n": 501,
}
# After SETUP, whose session is put in; a number that is none of ours stays wrong.
LATER = {
    "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 1": 200,
    "PAUSE movie.Mjpeg RTSP/1.0\nCSeq: 1": 200,
    "TEARDOWN movie.Mjpeg RTSP/1.0\nCSeq: 1": 200,
    with_session("Transport: RTP/UDP; client_port= 25000"): 200,
    "PLAY \nCseq: 1": 200,
    "PLAY\nCSeq: 1\n": 200,
    with_session('Session: "{}"'): 200,
    with_session("Session: None"): 200,
    with_session("Session: 0"): 200,
    with_session("Session: undefined"): 200,
    with_session("Session: "): 200,
    with_session("SessionId: {}"): 200,
    with_session("Session ID: {}"): 200,
    with_session("Session {}"): 200,
    with_session("Session={}"): 200,
    with_session("Session: <{}>"): 200,
    with_session("Session: {},"): 200,
    with_session("Session: {} # a remark"): 200,
    with_session("Session: {} RTSP/1.0"): 200,
    with_session("Session: {};timeout=60"): 200,
    with_session("Session: ['{}']"): 200,
    "PLAY movie.Mjpeg RTSP/1.0\nSession: {}\nCSeq: 1": 200,
    "PLAY movie.Mjpeg RTSP/1.0\\nCSeq: 1\\nSession: {}": 200,
    "play movie.Mjpeg\ncseq 1\nsession {}": 200,
    "PLAY: movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: {}": 200,
    "STOP movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: {}": 200,
    with_session("Session: 1{}"): 454,
    with_session("Session: abc"): 454,
    with_session("Session: {}\nRange: clock=20200101T000000Z-"): 501,
    with_session("Session: {}\nRange: rubbish"): 457,
    "RESUME movie.Mjpeg RTSP/1.0\nCSeq: 1\nSession: {}": 501,
}
STANDARD = {
    STANDARD_SETUP: 200,
    STANDARD_SETUP.replace("\r\n", "\n"): 200,
    STANDARD_SETUP.replace("\r\n", "\r"): 200,
    standard("SETUP", "Transport: RTP/AVP;client_port=99999, RTP/AVP/TCP;interleaved=0-1"): 200,
    standard("SETUP", "Transport: RTP/AVP/TCP;interleaved=x-y,RTP/AVP;client_port=25000"): 200,
    standard("SETUP", "Transport: RTP/AVP/TCP;interleaved=x-y"): 400,
    standard("SETUP", "Transport: RAW/RAW/UDP"): 461,
    standard("SETUP"): 400,
    standard("DESCRIBE", "Accept: Application/SDP"): 200,
    standard("DESCRIBE", "Accept: text/html"): 406,
    standard("M-SEARCH"): 501,
    standard("PLAY2"): 501,
    standard("PLAY"): 454,
    standard("GET_PARAMETER", "Content-Length: x"): 400,
    standard("OPTIONS").replace("/1.0", "/2.0"): 505,
    standard("OPTIONS").replace("RTSP/1.0", ""): 400,
}


class Case(NamedTuple):
    """What is said, if need be after a first request, and the number and status to expect."""

    request: str
    status: int
    number: str = "1"
    first: str = ""


CASES = [
    *(Case(*row) for row in FIRST.items()),
    *(Case(*row, number="0") for row in WITHOUT_A_NUMBER.items()),
    *(Case(*row, first=SETUP.replace("CSeq: 1", "CSeq: 7")) for row in LATER.items()),
    *(Case(*row) for row in STANDARD.items()),
]
WAYS = ["whole", "bytes", "segments"]
SEGMENT_PAUSE = 0.2  # seconds: as long as TCP takes at the least to repeat a lost one
BUSY = 1.5  # seconds that an answer may be late, on a machine that is asked for hundreds at once


class Answer(NamedTuple):
    text: str
    seconds: float


def asked(port: int, case: Case, way: str) -> Answer:
    with socket.create_connection((HOST, port), LIMIT) as control:
        control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = case.request
        if case.first:
            control.sendall(case.first.encode())
            session = re.search(r"Session: (\d+)", control.recv(4096).decode())
            assert session
            request = request.replace("{}", session[1])
        data = request.encode()
        if way == "bytes":
            for at in range(len(data)):
                control.sendall(data[at : at + 1])
        elif way == "segments":
            control.sendall(data[: len(data) // 2])
            time.sleep(SEGMENT_PAUSE)
            control.sendall(data[len(data) // 2 :])
        else:
            control.sendall(data)
        began = time.monotonic()
        try:
            text = control.recv(4096).decode()
        except OSError as error:
            text = repr(error)
        return Answer(text, time.monotonic() - began)


def test_all_requests_are_answered(small_movie: Path) -> None:
    rows = [(case, way) for way in WAYS for case in CASES]
    with running_server(small_movie.parent) as port, ThreadPoolExecutor(100) as pool:
        asking = {row: pool.submit(asked, port, *row) for row in rows}
        check_each(rows, lambda case, way: assert_answered(case, asking[case, way].result()))


def assert_answered(case: Case, answer: Answer) -> None:
    text, seconds = answer
    lines = text.split("\n")
    assert lines[0].startswith(f"RTSP/1.0 {case.status} "), text
    assert seconds < USELESS_PERIOD + BUSY
    if "\r" not in text:  # as the clients of the lab in Python read it
        assert int(lines[1].split(" ")[1]) == int(case.number)
        assert int(lines[2].split(" ")[1]) >= 0


@pytest.mark.parametrize(
    ("sent", "echoed"), [("5.25", "5.25"), ("7", "7"), ("now", ""), ("1" * 99, ""), ("", "")]
)
def test_a_timestamp_is_sent_back(small_movie: Path, sent: str, echoed: str) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        for method, uri in (("OPTIONS", "*"), ("DESCRIBE", f"{peer.base}/missing")):
            answer = peer.ask(method, uri, f"Timestamp: {sent}")
            assert answer.headers.get("Timestamp") == echoed
            assert ("Timestamp" in answer.headers) is bool(echoed)


def test_a_session_id_has_eight_digits_at_the_least_and_fits_31_bits() -> None:
    """RFC 2326 section 3.4; Java clients of the lab read it with Integer.parseInt."""
    ids = [new_session_id() for _ in range(2000)]
    assert min(map(len, ids)) >= 8
    assert max(map(int, ids)) < 2**31
    assert len(set(ids)) > 1990
