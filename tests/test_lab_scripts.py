"""The scripted lab programs play with each other, and fail at what the real ones fail at.

Without this a fault in a script could pass for a fault, or a strength, of our programs.
"""

from __future__ import annotations

import pytest
from lab_clients import (
    CRLF_BLANK,
    FORMS,
    JAVA,
    LF_BLANK,
    USUAL,
    JavaLabClient,
    PythonLabClient,
    RtpReceiver,
    connection,
    parse_int,
)
from lab_servers import IMPAIRED, RTP_KINDS, JavaLabServer, PythonLabServer, rtp
from movies import frames_of, jpeg_of_size, write_movie

FRAMES = [jpeg_of_size(4000 + 100 * number, number) for number in range(6)]


@pytest.mark.parametrize("form", [USUAL, LF_BLANK], ids=lambda form: form.name)
def test_python_client_and_python_server(form):
    with PythonLabServer(FRAMES) as server:
        with PythonLabClient(("127.0.0.1", server.port), form) as client:
            assert client.setup().session == 123456
            client.play()
            assert client.rtp.wait_for_frames(len(FRAMES)) == FRAMES
            assert client.pause().status == client.teardown().status == 200
    assert server.faults == []


def test_java_client_and_java_server():
    with JavaLabServer(FRAMES) as server:
        with JavaLabClient(("127.0.0.1", server.port), JAVA) as client:
            client.setup()
            client.play()
            assert client.rtp.wait_for_frames(len(FRAMES)) == FRAMES
            client.teardown()


def test_pause_and_play_go_on_with_the_next_frame():
    with PythonLabServer(FRAMES, fps=20) as server:
        with PythonLabClient(("127.0.0.1", server.port), USUAL) as client:
            client.setup()
            client.play()
            client.rtp.wait_for_frames(2)
            client.pause()
            assert client.rtp.quiet(0.2)
            client.play()
            assert client.rtp.wait_for_frames(len(FRAMES)) == FRAMES


def test_python_server_dies_of_a_port_without_space():
    tight = next(form for form in FORMS if form.name == "LF, no space before the port")
    with PythonLabServer(FRAMES) as server:
        with PythonLabClient(("127.0.0.1", server.port), tight) as client:
            with pytest.raises(IndexError):
                client.setup()
    assert server.faults == ["IndexError('list index out of range')"]


def test_java_server_takes_a_blank_line_for_a_request():
    with JavaLabServer(FRAMES) as server, connection(("127.0.0.1", server.port)) as control:
        control.sendall(CRLF_BLANK.request("SETUP", 1, rtp_port=9))
        assert control.recv(1024)
        control.sendall(CRLF_BLANK.request("PLAY", 2, session=123456))
        assert control.recv(1024) == b""  # its thread has died
    assert server.faults


def test_java_server_waits_for_the_end_of_the_last_line():
    with JavaLabServer(FRAMES) as server, connection(("127.0.0.1", server.port)) as control:
        control.settimeout(0.3)
        control.sendall(USUAL.request("SETUP", 1, rtp_port=9))
        with pytest.raises(TimeoutError):
            control.recv(1024)


def test_java_client_crashes_on_a_random_start():
    with JavaLabServer(FRAMES, packets=RTP_KINDS["whole frames, random start"]) as server:
        with JavaLabClient(("127.0.0.1", server.port), JAVA) as client:
            client.setup()
            client.play()
            with pytest.raises(AssertionError, match="first sequence number 40321"):
                client.rtp.wait_for_frames(1)


def test_java_client_reads_32_bits():
    assert parse_int("2147483647") == 2**31 - 1
    for text in ("2147483648", "123456;timeout=60", "abc", ""):
        with pytest.raises(ValueError):
            parse_int(text)


def test_client_that_waits_for_the_marker_shows_nothing_without():
    with PythonLabServer(FRAMES) as server:
        address = "127.0.0.1", server.port
        with PythonLabClient(address, USUAL, wait_for_marker=True) as client:
            client.setup()
            client.play()
            client.rtp.wait_for_packets(len(FRAMES))
            assert client.rtp.shown == []


def test_client_drops_what_is_not_newer():
    receiver = RtpReceiver(20480)
    try:
        for number in (1, 2, 2, 1, 4, 3, 5):
            receiver._take(number, rtp(b"%d" % number, number, 0))
        assert receiver.shown == [b"1", b"2", b"4", b"5"]
    finally:
        receiver.close()


@pytest.mark.parametrize("kind", RTP_KINDS)
def test_every_kind_of_rtp_carries_every_byte(kind):
    datagrams = [packet for frame in RTP_KINDS[kind](FRAMES) for packet in frame]
    assert b"".join(packet[12:] for packet in datagrams) == b"".join(FRAMES)


@pytest.mark.parametrize("kind", IMPAIRED)
def test_impairments_lose_nothing_and_are_seen_on_the_wire(kind):
    def payloads(packets):
        return [packet[12:] for frame in packets(FRAMES) for packet in frame]

    impaired = payloads(IMPAIRED[kind])
    whole = payloads(RTP_KINDS["fragments, marker" if "frag" in kind else "whole frames"])
    assert set(impaired) == set(whole)
    assert impaired != whole


def test_forms_have_names_of_their_own_and_complete_requests():
    assert len({form.name for form in FORMS}) == len(FORMS)
    assert len({form.request("SETUP", 1) + form.request("TEARDOWN", 2) for form in FORMS}) == len(
        FORMS
    )
    for form in FORMS:
        setup = form.request("SETUP", 7, rtp_port=25000)
        assert b"movie.Mjpeg" in setup and b"25000" in setup
        assert (b"7" in setup) == form.counts


def test_the_usual_forms_to_the_byte():
    assert USUAL.request("SETUP", 1, rtp_port=25000) == (
        b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= 25000"
    )
    assert USUAL.request("PLAY", 2, session=123456) == (
        b"PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: 123456"
    )
    assert JAVA.request("TEARDOWN", 3, session=9) == (
        b"TEARDOWN movie.Mjpeg RTSP/1.0\r\nCSeq: 3\r\nSession: 9\r\n"
    )


@pytest.mark.parametrize("size", [65495, 65496, 90000])
def test_jpeg_of_exact_size(size, tmp_path):
    jpeg = jpeg_of_size(size)
    assert len(jpeg) == size
    assert frames_of(write_movie(tmp_path / "one.Mjpeg", [jpeg, jpeg])) == [jpeg, jpeg]
