"""A stream whose first packets are overtaken: the server has told where it begins, or has not."""

from __future__ import annotations

import threading

import pytest
from display import LIMIT
from movies import frames_of
from standard_servers import StandardServer, jpeg_payloads
from strip import frame_number_of_jpeg
from test_reception import INTERVAL, Receiver, packet

from Client import Client
from rtplab.receiving.rtp.reception import MAX_DROPOUT, REORDER_PATIENCE


def receiver(first_number):
    receiver = Receiver()
    receiver.reception.first_number = first_number
    return receiver


@pytest.mark.parametrize(
    ("first", "came", "shown"),
    [
        (10, [11, 10, 12], [10, 11, 12]),
        (10, [12, 13, 10, 11, 14], [10, 11, 12, 13, 14]),
        (65534, [0, 65535, 65534, 1], [65534, 65535, 0, 1]),
        (10, [11, 12, 13], [11, 12, 13]),
        (None, [11, 12, 10], [11, 12]),
    ],
    ids=["one", "two", "wrap", "it is lost", "it is not told"],
)
def test_the_first_packet_may_be_overtaken(first, came, shown):
    assert receiver(first).receive_all(came) == shown


@pytest.mark.parametrize("first", [None, 100, 101, 5000, 60000, (100 - MAX_DROPOUT) % 65536, 34000])
def test_a_beginning_that_makes_no_sense_holds_nothing_up(first):
    heard = receiver(first)
    assert len(heard.receive(packet(100), 0.0)) == 1
    assert heard.receive_all([101, 102], INTERVAL) == [100, 101, 102]
    assert heard.counts == (0, 0, 0, 0)


def test_a_beginning_that_is_a_little_wrong_costs_patience_and_no_frame():
    heard = receiver(97)
    assert heard.receive(packet(100), 0.0) == []
    heard.wait(REORDER_PATIENCE)
    assert heard.numbers == [100]
    assert heard.receive_all([101, 102], REORDER_PATIENCE) == [100, 101, 102]
    assert heard.statistics.lost == 0


class Waiting(StandardServer):
    """It sends nothing before the client has understood its reply to PLAY."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.client_plays = threading.Event()

    def packets(self, viewer):
        self.client_plays.wait(LIMIT)
        yield from super().packets(viewer)


class Overtaking(Waiting):
    """The first packet of all comes after the second."""

    def packets(self, viewer):
        packets = list(super().packets(viewer))
        if viewer.position == 0:
            packets[:2] = reversed(packets[:2])
        yield from packets


class Wrong(Overtaking):
    """It tells of another beginning."""

    def play_headers(self, viewer, request):
        headers = super().play_headers(viewer, request)
        return [header.replace(";seq=", ";seq=1") for header in headers]


class TooEarly(Waiting):
    """It tells of a beginning of which it does not send the first packets."""

    def play_headers(self, viewer, request):
        headers = super().play_headers(viewer, request)
        viewer.sequence += 3
        return headers


def play(server, transport="auto"):
    """Play to the end; return the frames that came."""
    client, frames = Client(None, "", 0, 0, server.url, transport), []
    client.on_frame = frames.append
    try:
        client.setupMovie()
        assert client.wait_for(lambda: client.state is Client.READY, LIMIT)
        client.playMovie()
        assert client.wait_for(lambda: client.state is Client.PLAYING, LIMIT)
        server.client_plays.set()
        assert client.wait_for(lambda: client.ended, LIMIT), client.error
    finally:
        client.close()
    return frames


@pytest.fixture
def pictures(small_movie):
    return [jpeg_payloads(jpeg) for jpeg in frames_of(small_movie)[:8]]


@pytest.mark.parametrize(("kind", "first"), [(Overtaking, 1), (Wrong, 2)])
def test_the_first_frame_comes_where_the_server_tells_its_number(kind, first, pictures):
    with kind(pictures, interval=0.02) as server:
        frames = play(server)
    assert [frame_number_of_jpeg(frame.data) for frame in frames] == list(range(first, 9))


@pytest.mark.parametrize(("transport", "waits"), [("udp", True), ("tcp", False)])
def test_what_is_missing_at_the_beginning_is_waited_for_by_udp_only(transport, waits, pictures):
    with TooEarly(pictures, interval=0.005) as server:
        frames = play(server, transport)
    assert [frame_number_of_jpeg(frame.data) for frame in frames] == list(range(1, 9))
    assert (frames[1].arrival == frames[0].arrival) == waits, "who waits gives several at once"
