"""The names of live streams: who has them, and what is left of a stream that has ended."""

from __future__ import annotations

import gc
import weakref

from movies import jpeg_of_size

from rtplab.serving.rtp.live import LiveStream
from rtplab.serving.rtp.livestreams import LiveStreams

LARGE = jpeg_of_size(200_000)


def test_nothing_is_kept_of_streams_that_have_ended() -> None:
    """Each producer may take a name of its own: their last pictures would fill the memory."""
    streams = LiveStreams(1400, "here")
    ended: list[weakref.ref[LiveStream]] = []
    for number in range(20):
        stream = streams.publish(f"live-{number}", 25)
        stream.show(lambda: LARGE)
        assert stream.picture() is not None
        stream.close()
        ended.append(weakref.ref(stream))
        del stream
    assert streams.names() == []
    gc.collect()
    assert [reference for reference in ended if reference() is not None] == []


def test_a_stream_that_ends_takes_nothing_from_the_one_that_has_its_name_now() -> None:
    streams = LiveStreams(1400, "here")
    first = streams.publish("live", 25)
    first.close()
    second = streams.publish("live", 25)
    first.close()
    assert streams.find("live") is second
    streams.close()
    assert streams.find("live") is None
