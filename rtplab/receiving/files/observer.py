"""The interface for everything that watches a session's traffic: the panel, a capture."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Sees everything on the wire.

    Called in the threads that send and receive; `when` is Unix time in seconds.
    """

    def message_sent(self, data: bytes, when: float) -> None: ...
    def message_received(self, data: bytes, when: float) -> None: ...
    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        """`source_port` is the server's, or 0 for packets on the RTSP connection.

        With --impair, these are the packets that its bad network let through, and when.
        """

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        """RTP packets have arrived, and the bad network of --impair drops them."""

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        """We send a packet to the server's `port`; 0 means the RTSP connection."""

    def forgave(self, sentence: str, when: float) -> None:
        """Something was accepted although it is wrong; the sentence says what."""
