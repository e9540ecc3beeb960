"""One multicast sender per movie, joined by viewers over RTSP."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import contextmanager

import pytest
from movies import frames_of, write_movie
from processes import HOST

from rtplab.movies.movie import open_movie
from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.rtcp import Bye, parse_compound
from rtplab.protocol.rtp.rtpjpeg import parse_payload
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtp.multicast import MulticastChannels, parse_group
from rtplab.serving.rtp.pacer import Pacer, ScheduledStream
from rtplab.serving.rtp.transmission import BYE_REPEATS
from rtplab.serving.rtsp.service import Service
from RtpPacket import RtpPacket
from Server import Server

GROUP = "239.255.77.7"


def free_even_port():
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("", 0))
            if probe.getsockname()[1] % 2 == 0:
                return probe.getsockname()[1]
    raise AssertionError("no even port is free")


@contextmanager
def server_for(folder, multicast, pacer=None):
    server = Server(Service(MovieLibrary(folder), multicast=multicast, pacer=pacer or Pacer()))
    _, port = server.listen()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join()


@contextmanager
def group_member(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind((GROUP, port))
        request = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(HOST))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        member.settimeout(5)
        yield member


class Viewer:
    def __init__(self, port):
        self.control = socket.create_connection((HOST, port))
        self.control.settimeout(5)
        self.base = f"rtsp://{HOST}:{port}/movie.Mjpeg/"
        self.number = 0
        self.session = ""

    def ask(self, method, url, *headers):
        self.number += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.number}", *headers]
        if self.session:
            lines.append(f"Session: {self.session}")
        self.control.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += self.control.recv(4096)
        return reply.decode()

    def set_up(self):
        reply = self.ask("SETUP", self.base + "trackID=0", "Transport: RTP/AVP;multicast")
        found = re.search(r"Session: (\d+)", reply)
        self.session = found.group(1) if found else ""
        return reply


def next_picture(member, assembler):
    while True:
        packet = RtpPacket()
        packet.decode(member.recv(2048))
        fragment = parse_payload(packet.getPayload())
        picture = assembler.add(fragment, packet.timestamp(), bool(packet.marker()))
        if picture:
            return packet, picture


def test_multicast_is_off_unless_asked_for(small_movie):
    with server_for(small_movie.parent, None) as port:
        viewer = Viewer(port)
        assert viewer.set_up().startswith("RTSP/1.0 461 ")
        viewer.control.close()


def test_two_viewers_share_one_sender(small_movie):
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(small_movie.parent, channels) as port, group_member(rtp_port) as member:
        first, second = Viewer(port), Viewer(port)
        for viewer in (first, second):
            transport = f"destination={GROUP};port={rtp_port}-{rtp_port + 1};ttl=1"
            assert transport in viewer.set_up()
            assert "200 OK" in viewer.ask("PLAY", viewer.base)
        sequence_numbers, sources = [], set()
        assembler = JpegAssembler()
        for _ in range(5):
            packet, _ = next_picture(member, assembler)
            sequence_numbers.append(packet.seqNum())
            sources.add(packet.ssrc())
        assert len(sources) == 1
        assert sequence_numbers == sorted(set(sequence_numbers))

        assert "200 OK" in first.ask("PAUSE", first.base)
        next_picture(member, assembler)  # the other one still watches
        assert "200 OK" in second.ask("TEARDOWN", second.base)
        member.settimeout(0.3)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                member.recv(2048)
        first.control.close()
        second.control.close()


def test_the_end_is_said_and_play_begins_again(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port) as member,
        group_member(rtp_port + 1) as reports,
    ):
        viewer = Viewer(port)
        viewer.set_up()
        for _ in range(2):
            assert "200 OK" in viewer.ask("PLAY", viewer.base)
            assembler = JpegAssembler()
            assert len([next_picture(member, assembler) for _ in range(4)]) == 4
            wait_for_bye(reports)
        viewer.control.close()


def wait_for_bye(reports):
    while not any(isinstance(part, Bye) for part in parse_compound(reports.recv(2048))):
        pass


def test_bye_is_said_again_as_it_may_be_lost(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:2])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(tmp_path, channels) as port, group_member(rtp_port + 1) as reports:
        viewer = Viewer(port)
        viewer.set_up()
        viewer.ask("PLAY", viewer.base)
        for _ in range(BYE_REPEATS):
            wait_for_bye(reports)
        viewer.control.close()


def rtp_port_of(reply):
    return int(re.search(r";port=(\d+)-", reply).group(1))


def test_play_after_the_end_is_answered_with_the_whole_range(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(tmp_path, channels) as port, group_member(rtp_port + 1) as reports:
        viewer = Viewer(port)
        viewer.set_up()
        for _ in range(2):
            assert "Range: npt=0.000-0.200\r\n" in viewer.ask("PLAY", viewer.base)
            wait_for_bye(reports)
        viewer.control.close()


def test_a_replaced_movie_goes_on_and_the_next_viewer_gets_the_new_one(tmp_path, small_movie):
    old, new = frames_of(small_movie)[:2], frames_of(small_movie)[2:4]
    write_movie(tmp_path / "movie.Mjpeg", old * 100)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(tmp_path, channels) as port, group_member(rtp_port) as member:
        first, second = Viewer(port), Viewer(port)
        assert rtp_port_of(first.set_up()) == rtp_port
        first.ask("PLAY", first.base)
        write_movie(tmp_path / "new", new * 100).replace(tmp_path / "movie.Mjpeg")
        assert rtp_port_of(second.set_up()) == rtp_port + 2
        next_picture(member, JpegAssembler())
        with group_member(rtp_port + 2) as other:
            second.ask("PLAY", second.base)
            next_picture(other, JpegAssembler())
        first.control.close()
        second.control.close()


def test_an_overwritten_movie_ends_with_bye_and_the_next_viewer_gets_the_new_one(
    tmp_path, small_movie, caplog
):
    path = write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie) * 5)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(tmp_path, channels) as port, group_member(rtp_port + 1) as reports:
        first, second = Viewer(port), Viewer(port)
        first.set_up()
        first.ask("PLAY", first.base)
        with path.open("r+b") as file:  # the same file, as an editor or a copy leaves it
            file.truncate(0)
            file.write(b"".join(b"%05d" % len(one) + one for one in frames_of(small_movie)[3:6]))
        wait_for_bye(reports)
        group_port = rtp_port_of(second.set_up())
        assert group_port == rtp_port + 2
        with group_member(group_port) as other:
            reply = second.ask("PLAY", second.base)
            assert "Range: npt=0.000-0.150\r\n" in reply
            next_picture(other, JpegAssembler())
        first.control.close()
        second.control.close()
    caplog.clear()  # its records hold the error, that holds the movie


def test_a_movie_that_nobody_watches_frees_its_ports_for_another(tmp_path, small_movie):
    for name in ("movie.Mjpeg", "other.Mjpeg"):
        write_movie(tmp_path / name, frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with server_for(tmp_path, channels) as port, group_member(rtp_port + 1) as reports:
        first, second, third = Viewer(port), Viewer(port), Viewer(port)
        for viewer in (first, second):
            assert rtp_port_of(viewer.set_up()) == rtp_port
        third.base = third.base.replace("movie", "other")
        first.ask("TEARDOWN", first.base)
        assert rtp_port_of(third.set_up()) == rtp_port + 2
        third.ask("TEARDOWN", third.base)
        second.ask("TEARDOWN", second.base)
        wait_for_bye(reports)
        third.session = ""
        assert rtp_port_of(third.set_up()) == rtp_port
        third.ask("TEARDOWN", third.base)
        assert not channels._channels
        for viewer in (first, second, third):
            viewer.control.close()


class StillPacer(Pacer):
    """Calls nothing by itself: whoever holds the `ticket` does."""

    def add(self, send, deadline):
        self.ticket = ScheduledStream(send)
        return self.ticket


@pytest.mark.parametrize(
    ("methods", "plays_again"),
    [
        (["PLAY"], True),
        (["PAUSE", "PLAY"], True),
        (["PAUSE"], False),
        (["GET_PARAMETER"], False),
    ],
    ids=["PLAY", "PAUSE-PLAY", "PAUSE", "GET_PARAMETER"],
)
def test_requests_at_the_very_end_of_the_movie(tmp_path, small_movie, methods, plays_again):
    """They come when one viewer has been told of the end, and the next not yet."""
    path = write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:2])
    channels = MulticastChannels(parse_group(f"{GROUP}:{free_even_port()}"))
    pacer = StillPacer()
    with server_for(tmp_path, channels, pacer) as port:
        viewer = Viewer(port)
        viewer.set_up()

        def ask(*methods):
            for method in (*methods, "OPTIONS"):  # by its answer, all is done that was asked for
                assert "200 OK" in viewer.ask(method, viewer.base)

        another = channels.seat(open_movie(path), None)
        another.start(another.send_next, lambda is_gone: ask(*methods))
        ask("PLAY")
        show = pacer.ticket
        while show.send() is not None:
            pass
        sends_frames = another.channel._send
        assert (pacer.ticket.send == sends_frames) is plays_again
        if plays_again:
            ask("PAUSE")
            assert pacer.ticket.send is None, "nobody watches any more"
        ask("PLAY")
        assert pacer.ticket is not show and pacer.ticket.send == sends_frames
        viewer.control.close()


@pytest.mark.parametrize("text", ["", "239.1.2.3", "10.0.0.1:5004", "239.1.2.3:5005", "x:5004"])
def test_a_bad_group_is_refused(text):
    with pytest.raises(ValueError):
        parse_group(text)
