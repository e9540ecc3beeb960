"""What went over the wire between client and server, in its order. Needs no Tk.

Messages and RTCP packets are arrows, RTP packets are put together to bundles, one for each frame.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rtplab.player.model.bundles import Bundle, Bundler
from rtplab.player.model.exchanges import (
    RoundTrips,
    cseq_of,
    first_line,
    is_reply,
    seconds_text,
)
from rtplab.protocol.errors import MessageError, PacketError
from rtplab.protocol.rtp import rtcp
from rtplab.protocol.rtsp.headers import parse_rtp_info
from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import STATE_CHANGING_METHODS
from rtplab.receiving.files.capture import CapturedMessage, CapturedPacket

# Bytes that the events take, about: six minutes of the demonstration, half a minute of 1080p.
MAX_SIZE = 16 * 1024 * 1024
_EVENT_SIZE = 400
_NUMBER_SIZE = 200  # of a sequence number that has come or is missing
_MAX_LABEL = 60  # characters
# Entries that are taken, or sequence numbers that are missed, at a time: more would stop the
# picture. Five times a second, it is more than any stream has.
_MAX_AT_ONCE = 6000
_MAX_PENDING = 30_000  # entries; of more, the oldest are passed over

_RTP_INFO = re.compile(rb"^rtp-info[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)

Entry: TypeAlias = CapturedMessage | CapturedPacket
Kind = Literal["request", "reply", "refusal", "report", "goodbye", "opening"]


@dataclass(frozen=True)
class Arrow:
    """A message, or a packet without media; `when` is Unix time in seconds."""

    when: float
    sent: bool  # by the client
    kind: Kind
    label: str
    entry: Entry


@dataclass(frozen=True)
class Break:
    """The packets just before this moment have been discarded."""

    when: float


Event: TypeAlias = Arrow | Bundle | Break


class Ladder:
    """Takes observations in order, and keeps the newest events."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()  # oldest first
        self.count = 0  # events that there have been
        self._size = 0  # of all events, as MAX_SIZE counts
        self._pending: deque[Entry | Break] = deque()
        self._bundler = Bundler()
        self._round_trips = RoundTrips()
        self._plays = False  # so far as the client's requests say

    def add(self, entries: list[Entry | Break]) -> None:
        """Queue entries, oldest first, to be taken later."""
        self._pending.extend(entries)
        if len(self._pending) > _MAX_PENDING:
            while len(self._pending) > _MAX_PENDING:
                self._pending.popleft()
            self._pending.appendleft(Break(self._pending[0].when))

    def take(self) -> bool:
        """Take the queued entries, or as many as is cheap; tell if there are more."""
        before = self._bundler.numbers
        taken = 0
        while self._pending and max(taken, self._bundler.numbers - before) < _MAX_AT_ONCE:
            taken += 1
            entry = self._pending.popleft()
            if isinstance(entry, Break):
                self._bundler.restart()
                if self._plays:
                    self._append(entry)
            elif isinstance(entry, CapturedMessage):
                self._take_message(entry)
            elif entry.is_rtcp:
                self._append(_report(entry))
            elif entry.sent:
                label = "RTP without payload: opens the firewall"
                self._append(Arrow(entry.when, True, "opening", label, entry))
            else:
                for bundle in self._bundler.take(entry):
                    self._append(bundle)
        self._size += (self._bundler.numbers - before) * _NUMBER_SIZE
        while self._size > MAX_SIZE:
            self._forget_first()
        return bool(self._pending)

    def forget_before(self, when: float) -> None:
        """Forget the packets from before this moment: they have been discarded."""
        while self.events and isinstance(self.events[0], Bundle) and self.events[0].when < when:
            self._forget_first()

    def _forget_first(self) -> None:
        oldest = self.events.popleft()
        self._size -= _size(oldest)
        if isinstance(oldest, Bundle):
            self._size -= len(oldest.ticks) * _NUMBER_SIZE

    def _append(self, event: Event) -> None:
        self.events.append(event)
        self.count += 1
        self._size += _size(event)

    def _take_message(self, message: CapturedMessage) -> None:
        round_trip = self._round_trips.take(message)
        line = first_line(message)
        kind: Kind = "request"
        if is_reply(message):
            words = line.split(None, 1)
            label = words[1] if len(words) > 1 else line
            kind = "reply" if label.startswith("2") else "refusal"
            self._note_first_number(message)
        else:
            label = line.partition(" ")[0]
            if message.sent and label in STATE_CHANGING_METHODS:
                self._plays = label == "PLAY"
            if message.sent and label == "PLAY":
                self._bundler.restart()
        number = cseq_of(message)
        parts = [printable(label, _MAX_LABEL)]
        parts += [] if number is None else [f"CSeq {number}"]
        parts += [] if round_trip is None else [f"after {seconds_text(round_trip)}"]
        self._append(Arrow(message.when, message.sent, kind, " · ".join(parts), message))

    def _note_first_number(self, reply: CapturedMessage) -> None:
        """RFC 2326 section 12.33: the reply to PLAY may say the number of the first packet."""
        found = _RTP_INFO.search(reply.data)
        if found is None or self._bundler.has_begun:
            return
        try:
            infos = parse_rtp_info(found[1].decode("utf-8", "replace").strip())
        except MessageError:
            return
        if infos and infos[0].seq is not None:
            self._bundler.restart(infos[0].seq)


def _size(event: Event) -> int:
    """The bytes of an event, but for its sequence numbers."""
    return _EVENT_SIZE + (len(event.entry.data) if isinstance(event, Arrow) else 0)


def _report(packet: CapturedPacket) -> Arrow:
    """RTCP as an arrow with its contents."""
    kind: Kind = "report"
    try:
        parts = rtcp.parse_compound(packet.data)
    except PacketError:
        return Arrow(packet.when, packet.sent, kind, "unreadable RTCP", packet)
    names = []
    for part in parts:
        if isinstance(part, rtcp.SenderReport):
            names.append(f"SR: {part.packet_count:,} packets sent")
        elif isinstance(part, rtcp.ReceiverReport):
            lost = sum(block.cumulative_lost for block in part.blocks)
            names.append(f"RR: {lost:,} packets lost" if part.blocks else "RR: nothing received")
        elif isinstance(part, rtcp.Bye):
            names.append("BYE")
            kind = "goodbye"
    if kind == "goodbye":
        names = ["BYE"]
    return Arrow(packet.when, packet.sent, kind, "RTCP " + ", ".join(names), packet)
