"""Decides which of several sources is the stream, by the RTP itself and not by SETUP's reply."""

from __future__ import annotations

from rtplab.protocol.forgiveness import Forgiveness
from rtplab.protocol.rtp.packet import ReceivedPacket
from rtplab.protocol.rtp.serial import seq_delta

# Another source is accepted after this many packets in a row (RFC 3550 appendix A.1),
IN_A_ROW = 3
# if the previous one has been silent for this many seconds or has sent BYE. Otherwise pictures of
# two concurrent sources would be mixed, or a source that only stutters would be dropped.
SOURCE_SILENCE = 1.0


class SourceChoice:
    """Decides whether to follow a new source instead of the current one.

    Transport's `ssrc` is a hint (RFC 2326 section 12.39): servers write 0 there, or a number of
    their own, and some change the source in the middle.
    """

    def __init__(
        self,
        hint: int | None = None,
        at_once: bool = False,
        forgiveness: Forgiveness | None = None,
    ) -> None:
        """`at_once`: anything that comes is the stream, as on a channel of the RTSP connection."""
        self._hint = hint
        self._forgiveness = forgiveness or Forgiveness()
        self._at_once = at_once
        self._has_chosen = False
        self._has_left = False  # the current source
        self._candidates: list[ReceivedPacket] = []  # consecutive packets of another source

    def left(self) -> None:
        """Note that the current source has said BYE, or is paused."""
        self._has_left = True

    def followed(self, packet: ReceivedPacket, silence: float) -> list[ReceivedPacket]:
        """Take a packet of another source; return the packets to receive.

        These are none, or all packets so far of a source that is followed from now on. `silence` is
        the time in seconds for which the current source has sent nothing.
        """
        is_first = not self._has_chosen and self._hint in (None, 0, packet.ssrc)
        if self._at_once or is_first:
            return self._follow([packet])
        self._keep(packet)
        is_free = not self._has_chosen or self._has_left or silence >= SOURCE_SILENCE
        if len(self._candidates) < IN_A_ROW or not is_free:
            return []
        return self._follow(self._candidates)

    def _keep(self, packet: ReceivedPacket) -> None:
        kept = self._candidates
        if kept and kept[-1].ssrc == packet.ssrc:
            step = seq_delta(packet.sequence_number, kept[-1].sequence_number)
            if step == 0:
                return  # duplicated on its way
            if step == 1:
                self._candidates = [*kept[1 - IN_A_ROW :], packet]
                return
        self._candidates = [packet]

    def _follow(self, packets: list[ReceivedPacket]) -> list[ReceivedPacket]:
        ssrc = packets[0].ssrc
        if not self._has_chosen and self._hint not in (None, ssrc):
            self._forgiveness.add(
                "The SSRC in Transport", f"{self._hint:08X}", f"{ssrc:08X}, as in the packets"
            )
        self._has_chosen, self._has_left, self._candidates = True, False, []
        return packets
