"""Which packet is looked at: the newest of its kind, or one that is held. Needs no Tk."""

from __future__ import annotations

from collections.abc import Callable

from rtplab.player.model.traffic import Traffic, is_media, is_report
from rtplab.receiving.files.capture import CapturedPacket


class PacketChoice:
    """Follows the newest packet, RTP or RTCP, or holds one and those before and after it."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._held: list[CapturedPacket] | None = None
        self._index = 0
        self.shows_reports = False  # RTCP, not RTP

    @property
    def is_held(self) -> bool:
        return self._held is not None

    @property
    def packet(self) -> CapturedPacket | None:
        """The packet that is looked at; None as long as there is none."""
        if self._held is None:
            return self._traffic.newest(self._is_wanted)
        return self._held[self._index] if self._held else None

    @property
    def where(self) -> str:
        """Which of the held ones it is, in words; "" while none is held."""
        return f"{self._index + 1} of {len(self._held)}" if self._held else ""

    @property
    def _is_wanted(self) -> Callable[[CapturedPacket], bool]:
        return is_report if self.shows_reports else is_media

    def follow(self, shows_reports: bool) -> None:
        """Look at the newest: of RTCP, or of RTP."""
        self.shows_reports = shows_reports
        self._held, self._index = None, 0

    def toggle_hold(self) -> None:
        """Hold the newest packet, or follow again."""
        if self._held is None:
            self._held = [*filter(self._is_wanted, self._traffic.packets)]
            self._index = max(0, len(self._held) - 1)
        else:
            self.follow(self.shows_reports)

    def step(self, direction: int) -> None:
        """Hold the packet after (1) the one that is looked at, or before it (-1)."""
        if self._held is None:
            self.toggle_hold()
        if self._held:
            self._index = min(max(self._index + direction, 0), len(self._held) - 1)

    def hold(self, packet: CapturedPacket) -> None:
        """Hold this packet, and, if it is still kept, those before and after it."""
        self.shows_reports = packet.is_rtcp
        held = [*filter(self._is_wanted, self._traffic.packets)]
        place = next((n for n, other in enumerate(held) if other.data is packet.data), None)
        self._held = [packet] if place is None else held
        self._index = place or 0
