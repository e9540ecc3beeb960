"""One multicast sender per movie, joined by viewers over RTSP."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
from local_server import local_server
from movies import frames_of, write_movie
from processes import HOST
from standard_clients import StandardClient
from systems import needs_open_files_replaced

from rtplab.movies.movie import open_movie
from rtplab.protocol.rtp.jpegassembler import JpegAssembler
from rtplab.protocol.rtp.rtcp import Bye, parse_compound
from rtplab.protocol.rtp.rtpjpeg import parse_payload
from rtplab.protocol.rtsp.headers import Range
from rtplab.serving.media.library import MovieLibrary
from rtplab.serving.rtp.multicast import ROUND_PAUSE, MulticastChannels, parse_group
from rtplab.serving.rtp.pacer import Pacer, ScheduledStream
from rtplab.serving.rtp.transmission import BYE_REPEATS
from rtplab.serving.rtsp.service import Service
from RtpPacket import RtpPacket
from Server import Server

GROUP = "239.255.77.7"


def free_even_port():
    """Return a port for a group, below those that systems give to any program that wants one."""
    return random.randrange(20_000, 30_000, 2)


def server_for(folder, multicast, pacer=None):
    service = Service(MovieLibrary(folder), multicast=multicast, pacer=pacer or Pacer())
    return local_server(service, None)


@contextmanager
def group_member(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind((GROUP, port))
        request = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(HOST))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        member.settimeout(5)
        yield member


def set_up(viewer):
    return viewer.set_up("RTP/AVP;multicast")


def next_picture(member, assembler):
    while True:
        packet = RtpPacket()
        packet.decode(member.recv(2048))
        fragment = parse_payload(packet.getPayload())
        picture = assembler.add(fragment, packet.timestamp(), bool(packet.marker()))
        if picture:
            return packet, picture


def test_multicast_is_off_unless_asked_for(small_movie):
    with server_for(small_movie.parent, None) as port, StandardClient(port) as viewer:
        assert set_up(viewer).status == 461


def test_two_viewers_share_one_sender(small_movie):
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(small_movie.parent, channels) as port,
        group_member(rtp_port) as member,
        StandardClient(port) as first,
        StandardClient(port) as second,
    ):
        for viewer in (first, second):
            transport = f"destination={GROUP};port={rtp_port}-{rtp_port + 1};ttl=1"
            assert transport in set_up(viewer)["Transport"]
            assert viewer.play().status == 200
        sequence_numbers, sources = [], set()
        assembler = JpegAssembler()
        for _ in range(5):
            packet, _ = next_picture(member, assembler)
            sequence_numbers.append(packet.seqNum())
            sources.add(packet.ssrc())
        assert len(sources) == 1
        assert sequence_numbers == sorted(set(sequence_numbers))

        assert first.ask_in_session("PAUSE").status == 200
        next_picture(member, assembler)  # the other one still watches
        assert second.ask_in_session("TEARDOWN").status == 200
        member.settimeout(0.3)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                member.recv(2048)


def test_the_end_is_said_and_play_begins_again(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port) as member,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as viewer,
    ):
        set_up(viewer)
        for _ in range(2):
            assert viewer.play().status == 200
            assembler = JpegAssembler()
            assert len([next_picture(member, assembler) for _ in range(4)]) == 4
            wait_for_bye(reports)


def wait_for_bye(reports):
    while not any(isinstance(part, Bye) for part in parse_compound(reports.recv(2048))):
        pass


def test_bye_is_said_again_as_it_may_be_lost(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:2])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as viewer,
    ):
        set_up(viewer)
        viewer.play()
        for _ in range(BYE_REPEATS):
            wait_for_bye(reports)


def test_who_comes_right_after_the_end_takes_nobody_the_bye(tmp_path, small_movie):
    """And sees no BYE for what is played next; who saw the end sees nothing of that before BYE."""
    frames = frames_of(small_movie)[:20]
    write_movie(tmp_path / "movie.Mjpeg", frames)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port) as member,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as first,
        StandardClient(port) as second,
    ):
        set_up(first)
        set_up(second)
        first.play()
        assembler = JpegAssembler()
        for _ in frames:
            next_picture(member, assembler)
        time.sleep(0.1)  # the server knows of the end when the next frame would be due
        assert second.play()["Range"] == "npt=0.000-1.000"
        reports.settimeout(0)
        wait_for_bye(reports)  # it came before the reply
        said = time.monotonic()
        member.recv(2048)
        assert time.monotonic() - said < ROUND_PAUSE + 0.5
        for _ in frames[1:]:
            next_picture(member, assembler)
        reports.settimeout(0.2)
        with pytest.raises(TimeoutError):
            wait_for_bye(reports)


def test_who_was_promised_a_position_gets_it_though_the_last_viewer_leaves(small_movie):
    channels = MulticastChannels(parse_group(f"{GROUP}:{free_even_port()}"))
    pacer = StillPacer()
    with (
        server_for(small_movie.parent, channels, pacer) as port,
        StandardClient(port) as viewer,
    ):
        set_up(viewer)
        newcomer = channels.delivery(open_movie(small_movie).identity, None)
        play_at_once(viewer)
        for _ in range(10):
            pacer.ticket.send()
        newcomer.select(Range(), 1.0, 1.0)
        assert newcomer.info().range.start == 0.5
        assert viewer.ask_in_session("TEARDOWN").status == 200
        newcomer.start(newcomer.send_next, lambda is_gone: None)
        assert newcomer.info().range.start >= 0.5


def test_who_is_late_for_the_end_is_told_of_it(tmp_path, small_movie):
    path = write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:2])
    channels = MulticastChannels(parse_group(f"{GROUP}:{free_even_port()}"))
    pacer = StillPacer()
    with server_for(tmp_path, channels, pacer) as port, StandardClient(port) as viewer:
        set_up(viewer)
        newcomer = channels.delivery(open_movie(path).identity, None)
        play_at_once(viewer)
        newcomer.select(Range(), 1.0, 1.0)
        while pacer.ticket.send() is not None:
            pass
        told = []
        newcomer.start(newcomer.send_next, told.append)
        assert told == [False]


def rtp_port_of(reply):
    return int(re.search(r";port=(\d+)-", reply["Transport"]).group(1))


def test_play_after_the_end_is_answered_with_the_whole_range(tmp_path, small_movie):
    write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as viewer,
    ):
        set_up(viewer)
        for _ in range(2):
            assert viewer.play()["Range"] == "npt=0.000-0.200"
            wait_for_bye(reports)


@needs_open_files_replaced
def test_a_replaced_movie_goes_on_and_the_next_viewer_gets_the_new_one(tmp_path, small_movie):
    old, new = frames_of(small_movie)[:2], frames_of(small_movie)[2:4]
    write_movie(tmp_path / "movie.Mjpeg", old * 100)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port) as member,
        StandardClient(port) as first,
        StandardClient(port) as second,
    ):
        assert rtp_port_of(set_up(first)) == rtp_port
        first.play()
        write_movie(tmp_path / "new", new * 100).replace(tmp_path / "movie.Mjpeg")
        assert rtp_port_of(set_up(second)) == rtp_port + 2
        next_picture(member, JpegAssembler())
        with group_member(rtp_port + 2) as other:
            second.play()
            next_picture(other, JpegAssembler())


def test_an_overwritten_movie_ends_with_bye_and_the_next_viewer_gets_the_new_one(
    tmp_path, small_movie, caplog
):
    path = write_movie(tmp_path / "movie.Mjpeg", frames_of(small_movie) * 5)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as first,
        StandardClient(port) as second,
    ):
        set_up(first)
        first.play()
        with path.open("r+b") as file:  # the same file, as an editor or a copy leaves it
            file.truncate(0)
            file.write(b"".join(b"%05d" % len(one) + one for one in frames_of(small_movie)[3:6]))
        wait_for_bye(reports)
        group_port = rtp_port_of(set_up(second))
        assert group_port == rtp_port + 2
        with group_member(group_port) as other:
            reply = second.play()
            assert reply["Range"] == "npt=0.000-0.150"
            next_picture(other, JpegAssembler())
    caplog.clear()  # its records hold the error, that holds the movie


def test_a_movie_that_nobody_watches_frees_its_ports_for_another(tmp_path, small_movie):
    for name in ("movie.Mjpeg", "other.Mjpeg"):
        write_movie(tmp_path / name, frames_of(small_movie)[:4])
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    with (
        server_for(tmp_path, channels) as port,
        group_member(rtp_port + 1) as reports,
        StandardClient(port) as first,
        StandardClient(port) as second,
        StandardClient(port, "other.Mjpeg") as third,
    ):
        for viewer in (first, second):
            assert rtp_port_of(set_up(viewer)) == rtp_port
        first.ask_in_session("TEARDOWN")
        assert rtp_port_of(set_up(third)) == rtp_port + 2
        third.ask_in_session("TEARDOWN")
        second.ask_in_session("TEARDOWN")
        wait_for_bye(reports)
        assert rtp_port_of(set_up(third)) == rtp_port
        third.ask_in_session("TEARDOWN")
        assert not channels._channels


def play_at_once(viewer):
    """Play, and return when the stream has begun: the reply to PLAY may come before that."""
    viewer.play()
    assert viewer.ask_in_session("OPTIONS").status == 200


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
    with server_for(tmp_path, channels, pacer) as port, StandardClient(port) as viewer:
        set_up(viewer)

        def ask(*methods):
            for method in (*methods, "OPTIONS"):  # by its answer, all is done that was asked for
                assert viewer.ask_in_session(method).status == 200

        another = channels.delivery(open_movie(path).identity, None)
        another.select(Range(), 1.0, 1.0)
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


@pytest.mark.parametrize("text", ["", "239.1.2.3", "10.0.0.1:5004", "239.1.2.3:5005", "x:5004"])
def test_a_bad_group_is_refused(text):
    with pytest.raises(ValueError):
        parse_group(text)


def test_a_live_stream_goes_to_the_group_once_for_all(tmp_path, small_movie):
    pictures = frames_of(small_movie)
    rtp_port = free_even_port()
    channels = MulticastChannels(parse_group(f"{GROUP}:{rtp_port}"))
    service = Service(MovieLibrary(tmp_path), multicast=channels)
    server = Server(service)
    _, port = server.listen()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        live = service.live.publish("cam", 20)
        live.show(lambda: pictures[0])
        with (
            group_member(rtp_port) as member,
            StandardClient(port, "cam") as first,
            StandardClient(port, "cam") as second,
            StandardClient(port, "cam") as alone,
        ):
            for viewer in (first, second):
                answer = set_up(viewer)
                assert f"destination={GROUP};port={rtp_port}" in answer["Transport"]
                play_at_once(viewer)
            assert live.viewers == 1
            assert alone.set_up("RTP/AVP/TCP;interleaved=0-1").status == 200
            assembler = JpegAssembler()
            _, picture = next_picture(member, assembler)  # the newest one, at once
            numbers = []
            for jpeg in pictures[1:4]:
                live.show(lambda jpeg=jpeg: jpeg)
                packet, picture = next_picture(member, assembler)
                numbers.append(packet.seqNum())
                assert len(picture) > 1000
            assert numbers == sorted(set(numbers))

            assert first.ask_in_session("PAUSE").status == 200
            live.show(lambda: pictures[4])
            next_picture(member, assembler)  # the other one still watches
            assert second.ask_in_session("TEARDOWN").status == 200
            assert live.viewers == 0
            assert first.play().status == 200
            next_picture(member, JpegAssembler())  # the newest one once more
            live.close()
            assert first.play().status == 200  # it knows of the end
            assert live.viewers == 0
    finally:
        server.stop()
        thread.join()
