"""Our server, started as its users start it, against scripted clients of the public labs."""

from __future__ import annotations

import os
import random
import re
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab_clients import (
    CRLF_BLANK,
    FORMS,
    HOST,
    JAVA,
    LF_BLANK,
    LF_ENDED,
    OLDER,
    OLDER_FORMS,
    USUAL,
    Form,
    JavaLabClient,
    PythonLabClient,
    RtpReceiver,
    connection,
    lab_client,
)
from lab_servers import reset
from movies import MOVIE, frames_of, jpeg_of_size, write_movie
from processes import ServerProcess, free_udp_port
from waiting import settles

pytestmark = pytest.mark.long

FPS = 100
LARGEST_SESSION_ID = 2**31 - 1
LARGEST_WHOLE_FRAME = 65495
"""Bytes of JPEG that fit one UDP datagram behind the IP, UDP and RTP headers."""

PORT_ALONE = next(form for form in FORMS if form.name == "LF, port on a line of its own")
ENDINGS = (USUAL, LF_ENDED, LF_BLANK, JAVA, CRLF_BLANK)
ERROR_FORMS = (USUAL, LF_BLANK, JAVA, CRLF_BLANK, OLDER)


def by_name(forms):
    return pytest.mark.parametrize("form", forms, ids=[form.name for form in forms])


@pytest.fixture(scope="module")
def frames(small_movie):
    return frames_of(small_movie)


@pytest.fixture(scope="module")
def large_frames():
    sizes = (5000, LARGEST_WHOLE_FRAME, LARGEST_WHOLE_FRAME + 1, 90000, 5000, 99999, 6000)
    return [jpeg_of_size(size, seed) for seed, size in enumerate(sizes)]


@pytest.fixture(scope="module")
def media(tmp_path_factory, frames, large_frames):
    """What the server may serve, and beside it and in it what it may not."""
    outside = tmp_path_factory.mktemp("outside")
    media = outside / "media"
    write_movie(media / "movie.Mjpeg", frames)
    write_movie(media / "videos" / "movie.Mjpeg", frames)
    write_movie(media / "Two.Mjpeg", frames[:1])
    write_movie(media / "two.mjpeg", frames[1:2])
    write_movie(media / "long.Mjpeg", frames_of(MOVIE)[:200])
    write_movie(media / "large.Mjpeg", large_frames)
    write_movie(media / ".hidden.Mjpeg", frames)
    write_movie(outside / "secret.Mjpeg", frames)
    (media / "README.md").write_text("# Not a movie\n")
    return media


@pytest.fixture(scope="module")
def server(media):
    with ServerProcess(media, "--fps", str(FPS)) as process:
        yield process


@pytest.fixture(scope="module")
def marking_server(media):
    with ServerProcess(media, "--fps", str(FPS), "--marker") as process:
        yield process


@pytest.fixture(scope="module")
def sink():
    """An RTP port for those who ask and don't look: open, and never read from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unread:
        unread.bind((HOST, 0))
        yield unread.getsockname()[1]


# --- Every form of request -----------------------------------------------------------------------


@by_name(FORMS)
def test_replies_are_exact_and_come_in_one_piece(server, sink, form):
    with connection(server.address) as control:
        session = None
        for number, method in enumerate(("SETUP", "PLAY", "PAUSE", "PLAY", "TEARDOWN"), 1):
            control.sendall(
                form.request(
                    method, number, rtp_port=sink, session=session or 0, server=server.address
                )
            )
            reply = control.recv(1024)
            match = form.reply(200, number, session).fullmatch(reply)
            assert match, (method, reply)
            session = int(match[1])
        assert 1 <= session <= LARGEST_SESSION_ID
        assert nothing_more(control)


@by_name(FORMS)
def test_plays_the_movie_to_the_byte(server, frames, form):
    with lab_client(server.address, form) as client:
        assert client.setup().status == 200
        assert client.play().status == 200
        assert client.rtp.wait_for_frames(10) == frames[:10]
        assert client.teardown().status == 200
    assert sequence_numbers(client.rtp.packets)[:10] == list(range(1, 11))


@by_name(ERROR_FORMS)
def test_a_missing_file_is_answered_in_the_form_of_the_request(server, sink, form):
    with connection(server.address) as control:
        control.sendall(form.request("SETUP", 1, movie="missing.Mjpeg", rtp_port=sink))
        reply = control.recv(1024)
        assert form.reply(404, 1).fullmatch(reply), reply
        assert nothing_more(control)


@by_name(ERROR_FORMS)
def test_play_before_setup_is_refused_and_the_connection_lives(server, frames, form):
    with lab_client(server.address, form) as client:
        client.control.sendall(client.next_request("PLAY"))
        reply = client.control.recv(1024)
        assert form.reply(455, 1).fullmatch(reply), reply
        assert client.setup().status == 200
        assert client.play().status == 200
        assert client.rtp.wait_for_frames(3) == frames[:3]


@by_name((USUAL, JAVA))
def test_clients_of_both_generations_read_an_error_and_go_on(server, frames, form):
    with lab_client(server.address, form, movie="missing.Mjpeg") as client:
        assert client.setup().status == 404
        client.movie = "movie.Mjpeg"
        assert client.setup().status == 200
        assert client.play().status == 200
        assert client.rtp.wait_for_frames(3) == frames[:3]


def test_session_ids_differ(server):
    def session(_):
        with PythonLabClient(server.address, USUAL) as client:
            return client.setup().session

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(session, range(24)))) == 24


# --- Requests in pieces --------------------------------------------------------------------------

SPLIT_PAUSE = 0.005


def split_points(request: bytes) -> range:
    """Everywhere up to and including the beginning of the last line."""
    return range(1, request.rstrip(b"\r\n").rindex(b"\n") + 2)


def send_in_two(control: socket.socket, request: bytes, point: int) -> None:
    control.sendall(request[:point])
    time.sleep(SPLIT_PAUSE)
    control.sendall(request[point:])


@by_name((*ENDINGS, OLDER, PORT_ALONE))
def test_setup_split_anywhere_before_the_last_line(server, sink, form):
    def reply_when_split_at(point: int) -> bytes:
        with connection(server.address) as control:
            send_in_two(control, request, point)
            return control.recv(1024)

    request = form.request("SETUP", 1, rtp_port=sink)
    points = split_points(request)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(reply_when_split_at, points))
    wrong = {
        request[:point]: reply
        for point, reply in zip(points, replies, strict=True)
        if not form.reply(200, 1).fullmatch(reply)
    }
    assert not wrong


@by_name((*ENDINGS, OLDER))
def test_play_split_anywhere_before_the_last_line(server, sink, form):
    with connection(server.address) as control:
        session = set_up(control, form, sink)
        for number, point in enumerate(
            split_points(form.request("PLAY", 2, session=session)), start=10
        ):
            send_in_two(control, form.request("PLAY", number, session=session), point)
            reply = control.recv(1024)
            assert form.reply(200, number, session).fullmatch(reply), (point, reply)


@pytest.mark.timed
@by_name((*ENDINGS, OLDER))
def test_requests_byte_by_byte(server, frames, form):
    with lab_client(server.address, form) as client:
        client.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for method in ("SETUP", "PLAY"):
            for byte in client.next_request(method):
                client.control.sendall(bytes([byte]))
            reply = client.read_reply()
            assert (reply.status, reply.number) == (200, client.ordinal)
            client.session = reply.session
        assert client.rtp.wait_for_frames(5) == frames[:5]


@by_name((LF_ENDED, LF_BLANK, JAVA, CRLF_BLANK))
def test_two_requests_in_one_segment(server, sink, form):
    with connection(server.address) as control:
        session = set_up(control, form, sink)
        control.sendall(
            form.request("PLAY", 2, session=session) + form.request("PAUSE", 3, session=session)
        )
        expect_replies(control, form.reply(200, 2, session), form.reply(200, 3, session))


def test_setup_and_play_in_one_segment(server):
    form = OLDER_FORMS[1]  # needs no session id
    with RtpReceiverPort() as rtp, connection(server.address) as control:
        control.sendall(form.request("SETUP", 1, rtp_port=rtp.port) + form.request("PLAY", 2))
        expect_replies(control, form.reply(200, 1), form.reply(200, 2))
        rtp.wait_for_packets(3)


@by_name(ENDINGS)
def test_blank_lines_between_requests_are_skipped(server, sink, form):
    end = b"\r\n" if form.crlf else b"\n"
    with connection(server.address) as control:
        session = set_up(control, form, sink)
        if not form.request("SETUP", 1).endswith(end):
            control.sendall(end)
        control.sendall(end * 3)
        control.sendall(end + form.request("PLAY", 2, session=session))
        reply = control.recv(1024)
        assert form.reply(200, 2, session).fullmatch(reply), reply
        assert nothing_more(control)


# --- RTP -----------------------------------------------------------------------------------------


def test_rtp_header(server, frames):
    with PythonLabClient(server.address) as client:
        client.setup()
        client.play()
        packets = client.rtp.wait_for_packets(20)
    assert {packet[0] for packet in packets} == {0x80}  # version 2, no P, X or CC
    assert {packet[1] for packet in packets} == {26}  # no marker
    assert sequence_numbers(packets) == list(range(1, 21))
    assert [packet[12:] for packet in packets] == frames[:20]
    assert len({packet[8:12] for packet in packets}) == 1
    steps = {after - before for before, after in pairs(timestamps(packets))}
    assert steps == {90000 // FPS}


def test_marker_option(marking_server, frames):
    with PythonLabClient(marking_server.address, wait_for_marker=True) as client:
        client.setup()
        client.play()
        assert client.rtp.wait_for_frames(10) == frames[:10]
    assert {packet[1] for packet in client.rtp.packets} == {0x80 | 26}
    assert {packet[0] for packet in client.rtp.packets} == {0x80}


@pytest.mark.parametrize("marking", [False, True], ids=["plain", "--marker"])
def test_large_frames_are_split(marking, server, marking_server, large_frames):
    server = marking_server if marking else server
    with RtpReceiverPort() as rtp, connection(server.address) as control:
        session = set_up(control, USUAL, rtp.port, "large.Mjpeg")
        control.sendall(USUAL.request("PLAY", 2, movie="large.Mjpeg", session=session))
        packets = wait_for_bytes(rtp, sum(map(len, large_frames)))
    by_time = {}
    for packet in packets:
        by_time.setdefault(packet[4:8], []).append(packet)
    assert sequence_numbers(packets) == list(range(1, len(packets) + 1))
    assert [joined(group) for group in by_time.values()] == large_frames
    for frame, group in zip(large_frames, by_time.values(), strict=True):
        split = len(frame) > LARGEST_WHOLE_FRAME
        assert (len(group) > 1) == split
        markers = [packet[1] >> 7 for packet in group]
        assert markers == [0] * (len(group) - 1) + [int(split or marking)]
        assert {packet[1] & 0x7F for packet in group} == {26}


def test_an_rtp_port_that_opens_late(server):
    port = free_udp_port()
    with connection(server.address) as control:
        session = set_up(control, USUAL, port, "long.Mjpeg")
        control.sendall(USUAL.request("PLAY", 2, movie="long.Mjpeg", session=session))
        assert USUAL.reply(200, 2).fullmatch(control.recv(1024))
        time.sleep(0.4)  # packets meet a closed port meanwhile
        with RtpReceiverPort(port) as rtp:
            assert len(rtp.wait_for_packets(5)) == 5


# --- Playing, pausing, ending --------------------------------------------------------------------


@by_name((USUAL, JAVA))
def test_pause_stops_and_play_goes_on_with_the_next_frame(server, frames, form):
    with lab_client(server.address, form) as client:
        client.setup()
        for stop in (5, 12):
            client.play()
            client.rtp.wait_for_frames(stop)
            assert client.pause().status == 200
            assert client.rtp.quiet(0.25)
        client.play()
        assert client.rtp.wait_for_frames(len(frames)) == frames
    assert sequence_numbers(client.rtp.packets) == list(range(1, len(frames) + 1))


@by_name((USUAL, JAVA))
def test_second_play_is_harmless(server, frames, form):
    with lab_client(server.address, form) as client:
        client.setup()
        for count in (1, 5, 9):
            assert client.play().status == 200
            client.rtp.wait_for_frames(count)
        client.rtp.wait_for_packets(len(frames))
        assert client.rtp.quiet(0.1)
    assert [packet[12:] for packet in client.rtp.packets] == frames


def test_the_end_is_quiet_and_play_starts_again_from_the_first_frame(server, frames):
    with PythonLabClient(server.address) as client:
        client.setup()
        client.play()
        client.rtp.wait_for_packets(len(frames))
        assert client.rtp.quiet(0.2)
        assert client.play().status == 200
        packets = client.rtp.wait_for_packets(2 * len(frames))
        assert client.rtp.quiet(0.1)
        assert client.teardown().status == 200
    assert [packet[12:] for packet in packets] == frames * 2
    # Numbers that began again from 1 would be dropped by every client that wants them greater.
    assert client.rtp.shown == frames * 2


def test_teardown_ends_the_stream(server):
    with PythonLabClient(server.address, movie="long.Mjpeg") as client:
        client.setup()
        client.play()
        client.rtp.wait_for_frames(3)
        assert client.teardown().status == 200
        assert client.rtp.quiet(0.25)


def test_hanging_up_ends_the_stream(server):
    with PythonLabClient(server.address, movie="long.Mjpeg") as client:
        client.setup()
        client.play()
        client.rtp.wait_for_frames(3)
        client.control.close()
        client.rtp.quiet(0.1)
        assert client.rtp.quiet(0.3)


# --- File names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["movie.mjpeg", "MOVIE.MJPEG", "./movie.Mjpeg"])
def test_file_name_in_another_case_or_with_a_dot(server, frames, name):
    with PythonLabClient(server.address, movie=name) as client:
        assert client.setup().status == 200
        client.play()
        assert client.rtp.wait_for_frames(2) == frames[:2]


@pytest.mark.parametrize("name, number", [("Two.Mjpeg", 0), ("two.mjpeg", 1)])
def test_the_exact_name_comes_first(server, frames, name, number):
    with PythonLabClient(server.address, movie=name) as client:
        assert client.setup().status == 200
        client.play()
        assert client.rtp.wait_for_frames(1) == [frames[number]]


@pytest.mark.parametrize(
    "name", ["/movie.Mjpeg", '"movie.Mjpeg"', ".\\movie.Mjpeg", "films/movie.Mjpeg"]
)
def test_a_file_name_as_people_write_it(server, frames, name):
    with PythonLabClient(server.address, movie=name) as client:
        assert client.setup().status == 200
        client.play()
        assert client.rtp.wait_for_frames(1) == frames[:1]


@pytest.mark.parametrize(
    "request_",
    [
        "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2",
        "PLAY movie.Mjpeg RTSP/1.0\r\nCSeq: 2\r\n",
        "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nTransport: RTP/UDP; client_port= 25000",
        "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: None",
        'PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2\nSession: "{session}"\n',
        "PLAY \nCseq: 2",
        "PLAY movie.Mjpeg RTSP/1.0\rCSeq: 2\rSession: {session}\r",
        "PLAY movie.Mjpeg RTSP/1.0\nCSeq: 2 RTSP/1.0\nSessionId: {session}",
    ],
)
def test_what_a_person_would_understand_is_played(server, frames, request_):
    with lab_client(server.address, USUAL) as client:
        client.setup()
        client.control.sendall(request_.format(session=client.session).encode())
        status_line, number = client.control.recv(1024).splitlines()[:2]
        assert (status_line, number) == (b"RTSP/1.0 200 OK", b"CSeq: 2")
        assert client.rtp.wait_for_frames(5) == frames[:5]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n", b"400"),
        ("SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= x", b"400"),
        ("PLAY movie.Mjpeg RTSP/1.0\n", b"455"),
        ("PLAY movie.Mjpeg RTSP/1.0", b"455"),
    ],
)
def test_who_sends_no_more_is_answered_at_once(server, request_, status):
    with connection(server.address) as control:
        control.sendall(request_.encode())
        control.shutdown(socket.SHUT_WR)
        assert control.recv(1024).split()[1] == status


def test_a_wrong_session_number_is_still_not_found(server):
    with lab_client(server.address, USUAL) as client:
        client.setup()
        client.session += 1
        assert client.play().status == 454


BAD_NAMES = {
    "missing": "missing.Mjpeg",
    "two fit but for the case": "TWO.MJPEG",
    "parent": "../secret.Mjpeg",
    "parent of a folder": "videos/../../secret.Mjpeg",
    "parent with backslash": "..\\secret.Mjpeg",
    "parent, escaped": "%2e%2e/secret.Mjpeg",
    "parent, slash escaped": "..%2fsecret.Mjpeg",
    "parent of a path": "./../secret.Mjpeg",
    "system file": "/etc/passwd",
    "hidden": ".hidden.Mjpeg",
    "no movie": "README.md",
    "directory": "videos",
    "media directory": ".",
    "NUL": "movie.Mjpeg\0",
    "NUL inside": "mo\0vie.Mjpeg",
    "longer than a file name may be": "m" * 300 + ".Mjpeg",
    "terminal escape": "\x1b[31mmovie.Mjpeg",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_what_may_not_be_served_is_not_found(server, name):
    refused(server, name)


def test_an_absolute_path_is_not_found(server, media):
    refused(server, str(media.parent / "secret.Mjpeg"))
    refused(server, "//" + str(media.parent / "secret.Mjpeg"))


def refused(server: ServerProcess, name: str) -> None:
    with PythonLabClient(server.address, movie=name) as client:
        assert client.setup().status == 404
        client.movie = "movie.Mjpeg"
        assert client.setup().status == 200
    assert "\x1b" not in server.errors()
    assert "\0" not in server.errors()


# --- Rude company --------------------------------------------------------------------------------

GARBAGE = {
    "random": random.Random(2326).randbytes(3000),
    "zeros": bytes(500),
    "line ends": b"\n" * 3000,
    "one endless line": b"SETUP " + b"m" * 100_000,
    "endless headers": b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\n" + b"X: y\n" * 20_000,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303") + bytes(500),
    "interleaved": b"$\x00\xff\xff" + bytes(100),
    "no port": b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: 1\nTransport: RTP/UDP; client_port= \n\n",
    "port too large": USUAL.request("SETUP", 1, rtp_port=99999),
    "port zero": USUAL.request("SETUP", 1, rtp_port=0),
    "number too large": b"SETUP movie.Mjpeg RTSP/1.0\nCSeq: " + b"9" * 500 + b"\nTransport: x\n\n",
    "half a request": b"SETUP movie.Mjpeg RTSP/1.0\nCSe",
    "half a line": b"SET",
    "half of the older form": b"SETUP movie.Mjpeg\n1\n RTSP/1.0 RTP",
}


@pytest.fixture
def watcher(server):
    """A well-behaved client in the middle of a movie of 200 frames."""
    with PythonLabClient(server.address, movie="long.Mjpeg") as client:
        client.setup()
        client.play()
        client.rtp.wait_for_frames(5)
        yield client


def seen_undisturbed(watcher: PythonLabClient) -> None:
    """All 200 frames have come in order and at the pace of the movie, within half a second."""
    packets = watcher.rtp.wait_for_packets(200, limit=200 / FPS + 0.5)
    assert [packet[12:] for packet in packets] == frames_of(MOVIE)[:200]
    assert sequence_numbers(packets) == list(range(1, 201))
    assert watcher.teardown().status == 200


def test_garbage_and_half_requests_disturb_nobody(server, watcher):
    for data in GARBAGE.values():
        with connection(server.address) as control:
            control.settimeout(0.1)
            try:
                control.sendall(data)
                control.recv(4096)
            except (TimeoutError, ConnectionError):
                pass  # no answer is an answer too
    seen_undisturbed(watcher)


def test_hang_ups_disturb_nobody(server, watcher):
    for method in ("connect", "SETUP", "PLAY"):
        for abort in (False, True):
            with PythonLabClient(server.address, movie="long.Mjpeg") as client:
                if method != "connect":
                    client.setup()
                if method == "PLAY":
                    client.control.sendall(client.next_request("PLAY"))
                if abort:
                    reset(client.control)
    seen_undisturbed(watcher)


@pytest.mark.timed
def test_ten_slow_clients_are_served_and_disturb_nobody(server, watcher):
    def ask_slowly(form: Form) -> None:
        with lab_client(server.address, form) as client:
            client.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in client.next_request("SETUP"):
                client.control.sendall(bytes([byte]))
                time.sleep(0.01)
            assert client.read_reply().status == 200

    with ThreadPoolExecutor(10) as pool:
        slow = [pool.submit(ask_slowly, form) for form in (LF_BLANK, CRLF_BLANK) * 5]
        seen_undisturbed(watcher)
        for each in slow:
            each.result()


def test_clients_that_never_read_disturb_nobody(server, watcher):
    with connection(server.address) as control:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        control.settimeout(0.2)
        flood = LF_BLANK.request("PLAY", 1) * 200
        try:
            for _ in range(200):
                control.sendall(flood)
        except (TimeoutError, ConnectionError):
            pass  # the server has had enough of it
        seen_undisturbed(watcher)


def test_one_client_pauses_and_another_plays_on(server, watcher, frames):
    with JavaLabClient(server.address, JAVA) as client:
        client.setup()
        client.play()
        client.rtp.wait_for_frames(5)
        client.pause()
        seen_undisturbed(watcher)
        client.play()
        assert client.rtp.wait_for_frames(len(frames)) == frames


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_clients_that_are_gone_leave_nothing_behind(media):
    def come_and_go(number: int) -> None:
        with PythonLabClient(server.address, movie="long.Mjpeg") as client:
            client.setup()
            client.play()
            client.rtp.wait_for_frames(2)
            if number % 2:
                reset(client.control)

    with ServerProcess(media) as server:
        come_and_go(0)
        assert settles(lambda: server.threads() <= 4)
        time.sleep(0.2)
        files, threads = server.open_files(), server.threads()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(come_and_go, range(24)))
        assert settles(lambda: server.open_files() <= files), (server.open_files(), files)
        assert settles(lambda: server.threads() <= threads), (server.threads(), threads)


def test_the_server_stops_in_good_order_with_clients_connected(media):
    with ServerProcess(media) as server, connection(server.address) as control:
        with PythonLabClient(server.address, movie="long.Mjpeg") as client:
            client.setup()
            client.play()
            client.rtp.wait_for_frames(2)
            control.sendall(b"SETUP half")
            stopper = threading.Thread(target=server.stop, name="stop the server")
            stopper.start()
            assert client.control.recv(1024) == b""
            stopper.join()


# --- Small things --------------------------------------------------------------------------------


class RtpReceiverPort:
    """An RTP port for a test that speaks RTSP by itself; takes whole datagrams of any size."""

    def __init__(self, port: int = 0) -> None:
        self._port = port

    def __enter__(self) -> RtpReceiver:
        self._receiver = RtpReceiver(1 << 16, port=self._port)
        return self._receiver

    def __exit__(self, *_: object) -> None:
        self._receiver.close()


def set_up(control: socket.socket, form: Form, rtp_port: int, movie: str = "movie.Mjpeg") -> int:
    control.sendall(form.request("SETUP", 1, movie=movie, rtp_port=rtp_port))
    match = form.reply(200, 1).fullmatch(control.recv(1024))
    assert match
    return int(match[1])


def expect_replies(control: socket.socket, *replies: re.Pattern[bytes]) -> None:
    """Read just these replies, in one segment or several."""
    expected = re.compile(b"".join(reply.pattern for reply in replies))
    received = b""
    while not expected.fullmatch(received):
        control.settimeout(3)
        try:
            piece = control.recv(1024)
        except TimeoutError:
            piece = b""
        assert piece, received
        received += piece
    assert nothing_more(control)


def nothing_more(control: socket.socket) -> bool:
    """Whether no byte follows within a moment."""
    readable, _, _ = select.select([control], [], [], 0.05)
    return not readable or control.recv(1) == b""


def wait_for_bytes(rtp: RtpReceiver, count: int) -> list[bytes]:
    """Datagrams until their payloads make up `count` bytes."""
    packets: list[bytes] = []
    while sum(len(packet) - 12 for packet in packets) < count:
        packets = rtp.wait_for_packets(len(packets) + 1)
    return packets


def sequence_numbers(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[2:4], "big") for packet in packets]


def timestamps(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[4:8], "big") for packet in packets]


def pairs(values: list[int]) -> list[tuple[int, int]]:
    return list(zip(values, values[1:], strict=False))


def joined(packets: list[bytes]) -> bytes:
    return b"".join(packet[12:] for packet in packets)
