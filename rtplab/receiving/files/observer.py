"""What those who want to see the traffic of a session implement: the window's panel, a capture."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Sees all that goes over the wire.

    Called in the threads that send and receive; `when` is Unix time in seconds.
    """

    def message_sent(self, data: bytes, when: float) -> None: ...
    def message_received(self, data: bytes, when: float) -> None: ...
    def packets_received(
        self, packets: list[bytes], source_port: int, is_rtcp: bool, when: float
    ) -> None:
        """`source_port` is the server's, or 0 for packets on the RTSP connection.

        With --impair, these are the packets that its bad network has let through, and when.
        """

    def packets_dropped(self, packets: list[bytes], source_port: int, when: float) -> None:
        """RTP packets have come, and the bad network of --impair lets them get no further."""

    def packet_sent(self, data: bytes, port: int, is_rtcp: bool, when: float) -> None:
        """A packet of ours goes to the server's `port`, or 0: onto the RTSP connection."""

    def forgave(self, sentence: str, when: float) -> None:
        """Something has been understood although it is not right; the sentence says what."""
