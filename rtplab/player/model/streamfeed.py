"""Hands observed packets and shown frames to the stream's log. Needs no Tk."""

from __future__ import annotations

import time

from rtplab.clock import steady
from rtplab.player.model.client import PlayerClient
from rtplab.player.model.streamlog import StreamLog
from rtplab.player.model.traffic import Seen, Traffic
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.rtp.frames import Frame


class StreamFeed:
    """Feeds the log while the panel is open; else it does nothing."""

    def __init__(self, client: PlayerClient, traffic: Traffic) -> None:
        self.log = StreamLog(is_lab="://" not in client.movie_name)
        self._client, self._traffic = client, traffic
        self._seen = Seen()
        self.broken = 0  # pictures that could not be decoded until the frame before

    def begin(self) -> None:
        """The panel is opened: earlier packets are not followed."""
        self.log.restart()
        self._seen = Seen(self._traffic.message_count, self._traffic.packet_count)

    def take(self) -> None:
        """Take everything observed since the last call."""
        entries, self._seen = self._traffic.after(self._seen)
        latency = self._client.playout.latency
        self.log.take(entries, latency if self._client.reception.trusts_timestamps else None)

    def show(self, frame: Frame, broken: int) -> None:
        """A frame is shown now; `broken` pictures could not be decoded so far."""
        self.take()
        now = time.time()
        arrival = now - (steady() - frame.arrival)
        self.log.frames.show(frame.timestamp, arrival, now, broken <= self.broken)

    def settle(self) -> None:
        """Count the frames whose fate is certain. In a pause, waiting frames may still be shown."""
        playout = self._client.playout
        if self._client.state is State.PLAYING or not playout.waiting:
            self.log.frames.settle(time.time(), playout.latency)
