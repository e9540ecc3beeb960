"""Servers of the standard as they are in the field: each is odd in one way, and must be played."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time

import pytest
from movies import MOVIE, frames_of
from processes import run_client
from standard_servers import (
    FPS,
    HOST,
    PATIENCE,
    SSRC,
    Picture,
    StandardServer,
    bye,
    interleaved,
    jpeg_payloads,
    rtcp_packets,
    taken_apart,
    timestamp_of,
)
from test_standard_client import (
    BOTH,
    Impatient,
    all_rtcp,
    assert_same_pictures,
    forged,
    play_all,
    refusal_of,
    watching,
)

from Client import Client
from rtplab.receiving.files.observer import Observer
from rtplab.receiving.rtp.impairment import Conditions

COUNT = 8
OTHER = 0x0BAD5EED


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return frames_of(MOVIE)[:COUNT]


@pytest.fixture(scope="module")
def pictures(frames: list[bytes]) -> list[list[bytes]]:
    return [jpeg_payloads(frame) for frame in frames]


def by(ssrc: int, packet: bytes) -> bytes:
    """The packet as another source sends it."""
    return packet[:8] + ssrc.to_bytes(4, "big") + packet[12:]


# --- What comes before PLAY -----------------------------------------------------------------------


class HangsUpAtDollar(StandardServer):
    """gortsplib and go2rtc take no interleaved frame before PLAY; live555 reads it as text."""

    has_begun = False
    was_early = False

    def _take_interleaved(self, viewer, channel, packet):
        if not self.has_begun:
            self.was_early = True
            viewer.control.shutdown(socket.SHUT_RDWR)
        super()._take_interleaved(viewer, channel, packet)

    def play_headers(self, viewer, request):
        self.has_begun = True
        return super().play_headers(viewer, request)


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_no_report_goes_before_play_is_answered(pictures, frames, pause) -> None:
    server = HangsUpAtDollar(pictures)
    with server, watching(server, "tcp") as watcher:
        watcher.set_up()
        time.sleep(pause)
        watcher.client._workers.connection.send(b"")  # has the reply thread look at the clock
        watcher.play()
        server.wait(lambda: server.reports)
        assert not server.was_early
        assert_same_pictures([frame.data for frame in watcher.frames], frames)


def test_after_setup_both_ways_through_a_firewall_are_opened_at_once(pictures) -> None:
    with StandardServer(pictures) as server, watching(server, "udp") as watcher:
        began = time.monotonic()
        watcher.set_up()
        server.ports[0].settimeout(2.0)
        datagram, source = server.ports[0].recvfrom(65536)
        assert source == (HOST, watcher.client.rtpPort)
        assert len(datagram) == 12 and datagram[0] == 0x80
        server.wait(lambda: server.reports, 2.0)
        assert time.monotonic() - began < 2.0
        report, names = rtcp_packets(server.reports[0][0])
        assert (report[:2], names[0]) == ((201, 0), 202), "a report of nothing, and who we are"


# --- Sources --------------------------------------------------------------------------------------


HINTS = ["0", "00000000", f"{SSRC}", f"0x{SSRC:X}", f"{SSRC:08x} ", "", "DEADBEEF", "zz", None]


class Hints(StandardServer):
    hint: str | None = None

    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        said = "" if self.hint is None else f";ssrc={self.hint}"
        headers = [re.sub(r";ssrc=.*", said, header) for header in headers]
        super().reply(viewer, request, status, headers, body)


@BOTH
@pytest.mark.parametrize("hint", HINTS)
def test_the_ssrc_in_transport_is_a_hint(pictures, frames, hint, transport) -> None:
    server = Hints(pictures)
    server.hint = hint
    assert_same_pictures(play_all(server, transport), frames)


class Changes(StandardServer):
    """The source changes in the midst of the movie, and with it its numbers."""

    at = 4
    silence = 0.0
    says_bye = False

    def packets(self, viewer):
        if viewer.position == self.at:
            viewer.sequence = 20_000
            if self.says_bye:
                viewer.send_rtcp(bye())
            time.sleep(self.silence)
        for packet in super().packets(viewer):
            yield by(OTHER, packet) if viewer.position >= self.at else packet

    def stream(self, viewer):
        self.says_goodbye = False
        super().stream(viewer)
        viewer.send_rtcp(bye(OTHER))


def test_by_tcp_a_new_source_is_followed_at_once(pictures, frames) -> None:
    assert_same_pictures(play_all(Changes(pictures), "tcp"), frames)


def test_by_udp_a_new_source_is_followed_after_a_silence(pictures, frames) -> None:
    server = Changes(pictures)
    server.silence = 1.1
    assert_same_pictures(play_all(server, "udp"), frames)


@BOTH
def test_a_new_source_is_followed_after_the_old_one_s_goodbye(pictures, frames, transport) -> None:
    server = Changes(pictures, 0.02)
    server.says_bye, server.silence = True, 0.3
    states = []
    with server, watching(server, transport) as watcher:
        take = watcher.client.on_frame
        watcher.client.on_frame = lambda frame: (states.append(watcher.client.state), take(frame))
        watcher.set_up()
        watcher.client.playMovie()
        watcher.wait(lambda: len(watcher.frames) == COUNT)
        watcher.wait(lambda: watcher.client.ended)
    assert states[Changes.at + 1 :] and {*states[Changes.at + 1 :]} == {Client.PLAYING}
    assert_same_pictures([frame.data for frame in watcher.frames], frames)


class TwoSources(StandardServer):
    """Another source sends other pictures at the same time, with the same timestamps."""

    def packets(self, viewer):
        for packet in super().packets(viewer):
            yield packet
            yield by(OTHER, forged(packet))


@pytest.mark.parametrize("hint", ["0", f"{SSRC:08X}"])
def test_by_udp_the_second_source_is_not_heard(pictures, frames, hint) -> None:
    class Hinted(TwoSources, Hints):
        pass

    server = Hinted(pictures)
    server.hint = hint
    assert_same_pictures(play_all(server, "udp"), frames)


@BOTH
def test_pictures_of_two_sources_are_never_mixed(pictures, frames, transport) -> None:
    """By TCP both are heard: there are few pictures then, but none is made of both."""

    class InTurn(TwoSources):
        def packets(self, viewer):
            packets = list(super().packets(viewer))
            return packets[::2] + packets[1::2] if viewer.position % 2 else packets

        def stream(self, viewer):
            super().stream(viewer)
            viewer.send_rtcp(bye(OTHER))

    shown = [*map(taken_apart, play_all(InTurn(pictures), transport))]
    ours = [*map(taken_apart, frames)]
    assert shown and {*shown} <= {*ours, *map(as_forged, ours)}


def as_forged(picture: Picture) -> Picture:
    """The picture that comes of packets that are `forged`."""
    scan = bytearray(picture.scan)
    for end in [*range(1000, len(scan), 1000), len(scan)]:
        scan[end - 9 : end] = bytes(byte ^ 0x55 for byte in scan[end - 9 : end])
    return picture._replace(scan=bytes(scan))


@BOTH
def test_reports_are_about_the_source_that_is_followed(pictures, transport, monkeypatch) -> None:
    monkeypatch.setattr("rtplab.protocol.rtp.rtcp.MIN_REPORT_INTERVAL", 0.1)
    server = Hints(pictures, 0.1)
    server.hint = "DEADBEEF"
    with server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play()
        blocks = [body for kind, count, body in all_rtcp(server) if kind == 201 and count]
        assert blocks
        assert {struct.unpack_from(">I", body, 4)[0] for body in blocks} == {SSRC}


# --- Addresses and transports ---------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_query_stays_in_the_addresses(pictures, frames, slash) -> None:
    """Dahua, Amcrest."""
    query = "channel=1&subtype=1"

    class Dahua(StandardServer):
        control = "trackID=0"

        @property
        def url(self):
            return f"rtsp://{HOST}:{self.port}/cam/realmonitor?{query}"

        def base_headers(self):
            return [f"Content-Base: {self.url}{slash}"]

    server = Dahua(pictures)
    assert_same_pictures(play_all(server, "udp"), frames)
    assert server.of("DESCRIBE")[0].uri.endswith(f"/cam/realmonitor?{query}")
    assert server.of("SETUP")[0].uri.endswith(f"/cam/realmonitor?{query}/trackID=0")
    assert server.of("PLAY")[0].uri.endswith(f"/cam/realmonitor?{query}{slash}")


@BOTH
@pytest.mark.parametrize(
    "parameter",
    ["server_port=0-1", "server_port=0-0", "server_port=x", "server_port=70000", "client_port=0-1"],
)
def test_a_parameter_without_sense_counts_as_absent(pictures, frames, parameter, transport) -> None:
    """Uniview."""

    class Senseless(StandardServer):
        def reply(self, viewer, request, status="200 OK", headers=(), body=""):
            headers = [re.sub(r"server_port=[^;]*", parameter, header) for header in headers]
            super().reply(viewer, request, status, headers, body)

    assert_same_pictures(play_all(Senseless(pictures), transport), frames)


class LeavesOut(StandardServer):
    """Leaves a header of the reply to SETUP out."""

    header = ""

    def do_SETUP(self, viewer, request):
        self.is_setup = True
        super().do_SETUP(viewer, request)
        self.is_setup = False

    def reply(self, viewer, request, status="200 OK", headers=(), body=""):
        if self.is_setup:
            headers = [header for header in headers if not header.startswith(self.header)]
        super().reply(viewer, request, status, headers, body)

    is_setup = False


@BOTH
@pytest.mark.parametrize("header", ["Transport", "Session"])
def test_a_header_that_the_reply_to_setup_lacks(pictures, frames, header, transport) -> None:
    server = LeavesOut(pictures)
    server.header = header
    with server:
        with watching(server, transport) as watcher:
            watcher.set_up()
            watcher.play()
            assert watcher.client.sessionId == "s-000001"
        assert server.of("TEARDOWN")[0].headers["session"] == "s-000001"
    assert_same_pictures([frame.data for frame in watcher.frames], frames)


# --- Signs of life --------------------------------------------------------------------------------


def test_a_sign_of_life_that_is_not_answered_is_not_the_last() -> None:
    class Silent(Impatient):
        def do_GET_PARAMETER(self, viewer, request):
            pass

    with Silent() as server, watching(server) as watcher:
        watcher.set_up()
        server.wait(lambda: len(server.of("GET_PARAMETER")) == 2)
        assert watcher.client.state == Client.READY


@pytest.mark.parametrize("number", ["1", "", None])
def test_a_sign_of_life_may_be_answered_by_another_number(number) -> None:
    """ESP32-CAM servers (Micro-RTSP, espp): 400, with an old CSeq."""

    class Misnumbers(Impatient):
        def do_GET_PARAMETER(self, viewer, request):
            line = "" if number is None else f"CSeq: {number}\r\n"
            viewer.send(f"RTSP/1.0 400 Bad Request\r\n{line}\r\n".encode())

    with Misnumbers() as server, watching(server) as watcher:
        watcher.set_up()
        server.wait(lambda: len(server.of("OPTIONS")) == 3)
        assert len(server.of("GET_PARAMETER")) == 1
        assert (watcher.client.state, watcher.client.error) == (Client.READY, "")


def test_public_tells_how_to_give_a_sign_of_life() -> None:
    class KnowsFew(Impatient):
        def do_OPTIONS(self, viewer, request):
            self.reply(viewer, request, headers=["Public: DESCRIBE, SETUP, TEARDOWN, PLAY"])

    with KnowsFew() as server, watching(server) as watcher:
        watcher.set_up()
        server.wait(lambda: len(server.of("OPTIONS")) == 2)
        assert server.of("GET_PARAMETER") == []


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "501 Not Implemented"])
def test_options_may_be_refused(pictures, frames, status) -> None:
    class Refuses(StandardServer):
        def do_OPTIONS(self, viewer, request):
            self.reply(viewer, request, status)

    assert_same_pictures(play_all(Refuses(pictures), "auto"), frames)


def test_who_hangs_up_after_refusing_options_has_said_why() -> None:
    class HangsUp(StandardServer):
        def do_OPTIONS(self, viewer, request):
            self.reply(viewer, request, "503 Too Many Viewers")
            viewer.control.shutdown(socket.SHUT_RDWR)

    sentence = refusal_of(HangsUp())
    assert "503 Too Many Viewers" in sentence


def test_an_answer_that_has_come_is_read_before_the_session_is_given_up(pictures) -> None:
    """It came in time, but behind something that took us long."""

    class Answers(StandardServer):
        says_goodbye = False

        def do_GET_PARAMETER(self, viewer, request):
            reply = f"RTSP/1.0 200 OK\r\nCSeq: {request.headers['cseq']}\r\n\r\n"
            viewer.send(interleaved(1, b"\x80\xc9\0\1four") + reply.encode())

    class Dawdles(Observer):
        def packets_received(self, packets, source_port, is_rtcp, when):
            if is_rtcp:
                time.sleep(0.5)

    with Answers(pictures) as server, watching(server, "tcp", silence=0.2, loss=0.3) as watcher:
        watcher.client.observer = Dawdles()
        watcher.set_up()
        watcher.play(COUNT)
        server.wait(lambda: server.of("GET_PARAMETER"))
        watcher.client.wait_for(lambda: watcher.client.error, 0.8)
        assert (watcher.client.state, watcher.client.error) == (Client.PLAYING, "")


# --- What servers ask -----------------------------------------------------------------------------

QUESTIONS = {
    "OPTIONS * RTSP/1.0\r\nCSeq: 41\r\n\r\n": "200",
    "GET_PARAMETER * RTSP/1.0\r\nCSeq: 41\r\n\r\n": "200",
    "SET_PARAMETER rtsp://h/$x RTSP/1.0\r\nCSeq: 41\r\nContent-Length: 0\r\n\r\n": "200",
    "GET_PARAMETER * RTSP/1.0\r\nCSeq: 41\r\nContent-Length: 9\r\n\r\na\r\n\r\n$\0\0b": "501",
    "SET_PARAMETER * RTSP/1.0\r\nCSeq: 41\r\nContent-Length: 4\r\n\r\na: b": "501",
    "ANNOUNCE rtsp://h/m RTSP/1.0\r\nCSeq: 41\r\nContent-Length: 3\r\n\r\nv=0": "501",
    "ANNOUNCE * RTSP/1.0\r\nCSeq: 41\r\nX-Notice: 2104 Start-of-Stream\r\n\r\n": "501",
    "REDIRECT * RTSP/1.0\r\nCSeq: 41\r\nLocation: rtsp://h/\r\n\r\n": "501",
    "PLAY * RTSP/1.0\r\nCSeq: 41\r\n\r\n": "501",
}


@BOTH
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_server_s_question_is_answered(pictures, frames, question, transport) -> None:
    """By TCP, an interleaved frame follows it in the same segment."""

    class Asks(StandardServer):
        def packets(self, viewer):
            first, *others = super().packets(viewer)
            if viewer.position == 2 and viewer.channels:
                viewer.send(question.encode() + interleaved(0, first))
                return others
            if viewer.position == 2:
                viewer.send(question.encode())
            return [first, *others]

    server = Asks(pictures)
    with server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play()
        server.wait(lambda: server.answers)
        (answer,) = server.answers
        assert_same_pictures([frame.data for frame in watcher.frames], frames)
    lines = answer.split("\r\n")
    assert lines[0].split(" ")[:2] == ["RTSP/1.0", QUESTIONS[question]]
    assert {"CSeq: 41", "Session: s-000001"} <= {*lines}


@BOTH
@pytest.mark.parametrize("header", ["X-Notice", "notice"])
def test_an_announced_end_is_an_end(pictures, frames, header, transport) -> None:
    class Announces(StandardServer):
        says_goodbye = False

        def stream(self, viewer):
            super().stream(viewer)
            notice = f"{header}: 2101 End-of-Stream Reached"
            viewer.send(f"ANNOUNCE * RTSP/1.0\r\nCSeq: 1\r\n{notice}\r\n\r\n".encode())

    server = Announces(pictures)
    assert_same_pictures(play_all(server, transport), frames)
    assert server.answers[0].startswith("RTSP/1.0 200 ")


# --- The place in the movie -----------------------------------------------------------------------


class Stamps(StandardServer):
    """Gives its pictures, and RTP-Info, timestamps of its own."""

    rtptime = 0
    first, step = 0, 90_000 // FPS

    def packets(self, viewer):
        stamp = (self.first + viewer.position * self.step) & 0xFFFFFFFF
        for packet in super().packets(viewer):
            yield packet[:4] + stamp.to_bytes(4, "big") + packet[8:]

    def play_headers(self, viewer, request):
        *others, info = super().play_headers(viewer, request)
        return [*others, info.replace(f"rtptime={timestamp_of(viewer)}", f"rtptime={self.rtptime}")]


@BOTH
@pytest.mark.parametrize("rtptime", [2**31, 90_000 * 6, 2**32 - 90_000 * 6])
def test_an_rtptime_that_can_not_be_is_not_believed(pictures, rtptime, transport) -> None:
    server = Stamps(pictures)
    server.rtptime = rtptime
    with server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play()
        assert [frame.number for frame in watcher.frames] == list(range(1, COUNT + 1))


def test_pictures_that_all_bear_one_timestamp_are_shown(pictures) -> None:
    server = Stamps(pictures)
    server.step, server.rtptime = 0, 45_000
    with server, watching(server) as watcher:
        watcher.set_up()
        watcher.play()
        assert len(watcher.frames) >= COUNT - 1


# --- The end -------------------------------------------------------------------------------------


class HangsUpAtTheEnd(StandardServer):
    """Closes the connection after the last picture, and says no BYE."""

    says_goodbye = False
    tells_duration = True

    def stream(self, viewer):
        super().stream(viewer)
        if not viewer.stop.is_set():
            viewer.control.shutdown(socket.SHUT_RDWR)

    def description(self):
        text = super().description()
        return text if self.tells_duration else re.sub("a=range.*\r\n", "", text)


@BOTH
def test_a_server_that_hangs_up_at_the_end_has_ended_the_movie(pictures, frames, transport) -> None:
    with HangsUpAtTheEnd(pictures) as server, watching(server, transport) as watcher:
        watcher.set_up()
        watcher.play()
        client = watcher.client
        assert (client.state, client.error) == (Client.INIT, "")
        assert "ended" in client.notice
    assert_same_pictures([frame.data for frame in watcher.frames], frames)


def test_one_of_unknown_length_that_hangs_up_twice_at_the_same_picture_has_too(pictures) -> None:
    server = HangsUpAtTheEnd(pictures)
    server.tells_duration = False
    with server, watching(server, "tcp") as watcher:
        watcher.set_up()
        watcher.client.playMovie()
        assert "closed the connection" in watcher.error()
        assert not watcher.client.ended
        watcher.set_up()
        watcher.play()
        assert watcher.client.error == "" and "ended" in watcher.client.notice


def test_headless_tells_the_end_by_hanging_up_as_any_other(pictures) -> None:
    with HangsUpAtTheEnd(pictures) as server:
        run = run_client(server.url, "--headless", "--json", "--duration", 20)
    assert (run.status, run.report["frames"], run.report["error"]) == (0, COUNT, None)
    assert "ended" in run.stderr


@BOTH
def test_headless_goes_on_if_another_source_does(pictures, transport) -> None:
    """RFC 3550 section 6.6: BYE is that of the sources it names."""
    server = Changes(pictures, 0.02)
    server.says_bye, server.silence = True, 0.4
    with server:
        run = run_client(
            *(server.url, "--headless", "--json", "--transport", transport),
        )
    assert (run.status, run.report["frames"], run.report["error"]) == (0, COUNT, None)


def test_a_pause_that_is_answered_with_an_old_number_is_not_waited_for(pictures) -> None:
    """Micro-RTSP: 400, and the CSeq of before."""

    class AnswersByOldNumber(StandardServer):
        def do_PAUSE(self, viewer, request):
            viewer.send(b"RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n")

    with AnswersByOldNumber(pictures, 0.1) as server, watching(server) as watcher:
        watcher.set_up()
        watcher.play(2)
        asked_at = time.monotonic()
        watcher.client.pauseMovie()
        assert "PAUSE: 400" in watcher.error()
        assert time.monotonic() - asked_at < 2.0
        assert watcher.client.state == Client.PLAYING


# --- Why there is no picture ---------------------------------------------------------------------


def test_what_is_delayed_on_purpose_is_not_missed(pictures, frames) -> None:
    with StandardServer(pictures) as server, watching(server, "udp", silence=0.3) as watcher:
        watcher.client.impairment.conditions = Conditions(delay=0.8)
        complaints = []
        watcher.set_up()
        watcher.client.playMovie()
        watcher.wait(lambda: complaints.append(watcher.client.error) or watcher.client.ended)
        assert {*complaints} == {""}
        assert_same_pictures([frame.data for frame in watcher.frames], frames)


class FallsIntoNonsense(StandardServer):
    """One picture, a silence, packets that make none, and after a while good ones again."""

    def __init__(self, pictures):
        super().__init__(pictures)
        self.may_speak, self.may_go_on = threading.Event(), threading.Event()

    def stream(self, viewer):
        def send(packets):
            for packet in packets:
                viewer.send_rtp(packet)
            viewer.position += 1
            viewer.sent += 1

        send(self.packets(viewer))
        self.may_speak.wait(PATIENCE)
        while not self.may_go_on.wait(0.02):
            send([*self.packets(viewer)][:-1])
        for _ in range(3):
            send(self.packets(viewer))


def test_what_is_told_stays_true_and_before_the_second_picture_is_a_notice(pictures) -> None:
    server = FallsIntoNonsense(pictures * 100)
    with server, watching(server, "udp", silence=0.3) as watcher:
        watcher.set_up()
        watcher.play(1)
        client = watcher.client
        watcher.wait(lambda: "No packet" in client.notice)
        server.may_speak.set()
        watcher.wait(lambda: "Packets arrive" in client.notice)
        assert client.error == ""
        server.may_go_on.set()
        watcher.wait(lambda: len(watcher.frames) >= 3)
        assert (client.notice, client.error) == ("", "")


# --- What we send --------------------------------------------------------------------------------


def test_requests_have_escapes_where_an_address_has_none(pictures, frames) -> None:
    class Umlauts(StandardServer):
        control = "Spur 1"

        @property
        def url(self):
            return f"rtsp://{HOST}:{self.port}/mein Fünfer"

        def base_headers(self):
            return [f"Content-Base: rtsp://{HOST}:{self.port}/mein%20F%C3%BCnfer/"]

    server = Umlauts(pictures)
    assert_same_pictures(play_all(server, "tcp"), frames)
    assert [request.uri.rpartition(str(server.port))[2] for request in server.requests] == [
        *["/mein%20F%C3%BCnfer"] * 2,
        "/mein%20F%C3%BCnfer/Spur%201",
        *["/mein%20F%C3%BCnfer/"] * 2,
    ]
