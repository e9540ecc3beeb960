"""A viewer by multicast: joins what others see, wherever it is, and hears when it is over."""

from __future__ import annotations

import random
import time

from standard_clients import RtpHeader, read_rtp

from soak.films import Film
from soak.link import Port, Reply
from soak.screen import Screen, Stretch
from soak.stage import PATIENCE, Stage
from soak.tally import Fault, Tally
from soak.viewer import Viewer, pair

MULTICAST = "multicast"
JOINING = 2.0  # seconds from the reply to PLAY until the server has surely let us in


class MulticastScreen(Screen):
    """Who joins a group comes into the middle: the first whole frame tells where."""

    def __init__(self, name: str, film: Film, tally: Tally) -> None:
        super().__init__(name, film, tally, None)
        self._joining: list[RtpHeader] = []
        self._joined_at = 0.0
        self.has_left = True

    def join(self) -> None:
        self.has_left = self._is_quiet = False
        self.last_number = 0
        self.stretches = []
        self.next_sequence_number = self._next_timestamp = None
        self._packets = []
        self._joining = []
        self._joined_at = time.monotonic()
        self._base = 0.0

    def leave(self) -> None:
        """What comes now is for others."""
        self.has_left = True

    def take(self, packet: bytes, now: float | None = None) -> None:
        if self.has_left:
            return
        if self.stretches:
            super().take(packet, now)
            return
        self._joining.append(read_rtp(packet))
        if self._joining[-1].marker:
            self._look_where_it_is()
            self._joining = []

    def _may_jump(self, stretch: Stretch, number: int) -> bool:
        """The others may have left just before us: then the film has begun anew, for us."""
        is_new = number == 1 and time.monotonic() < self._joined_at + JOINING
        return is_new or super()._may_jump(stretch, number)

    def _look_where_it_is(self) -> None:
        number = self._find(self._joining)
        if number:
            last = self._joining[-1]
            self.stretches = [Stretch(last.timestamp, number, last=len(self._film), cyclic=True)]
            self.next_sequence_number = (last.sequence + 1) & 0xFFFF
            self.ssrc = last.ssrc
            self.last_number = number


class MulticastViewer(Viewer):
    """A member of a group: all see the same, and nobody can seek."""

    def __init__(self, stage: Stage, rng: random.Random, film: Film) -> None:
        super().__init__(stage, rng, MULTICAST, film)
        self.screen: MulticastScreen = self._new_screen()
        self._group = ""
        self._numbers = (0, 0)
        self._has_ended = False  # maybe before we saw a frame

    def _new_screen(self) -> MulticastScreen:
        return MulticastScreen(self.way, self.film, self.stage.tally)

    def _offer(self) -> str:
        return "RTP/AVP;multicast"

    def _take_up(self, reply: Reply) -> None:
        self._group = reply.parameter("transport", "destination")
        self._numbers = pair(reply.parameter("transport", "port"))

    async def play(self, start: int = 0, end: int = 0, scale: float = 0, speed: float = 0) -> None:
        """Join the group. Raises Fault."""
        if self.is_playing and not self._over.is_set():
            await self.ask("PLAY")  # a sign of life
            return
        self._leave_group()
        self._ports = [
            Port(arrived, self._group, number)
            for arrived, number in zip((self._rtp, self._rtcp), self._numbers, strict=True)
        ]
        self._began = time.monotonic()
        await self.ask("PLAY")
        self._read_ports()  # what was meant for others
        self._has_ended = False
        self._over.clear()
        self.screen.join()
        self.is_playing = True

    async def pause(self) -> None:
        await self.ask("PAUSE")
        self._leave_group()

    async def tear_down(self) -> None:
        self._leave_group()  # after the last viewer the server leaves it too, and says BYE
        await self.ask("TEARDOWN")
        self._session = ""

    async def see_the_end(self) -> None:
        """Stay until BYE; one that came before we saw a frame counts only if no other follows."""
        try:
            is_over = await self._wait_for_bye(self.film.seconds + PATIENCE)
        except Fault:
            is_over = self._has_ended
            if not is_over:
                raise
        self.check()
        if is_over:
            self._leave_group()
            self.stage.tally.films_seen += 1

    def _leave_group(self) -> None:
        self.check()
        self.screen.leave()
        self._close_ports()
        self.is_playing = False

    def _look_for_bye(self) -> None:
        """It comes to all at once; what others play then is not for us."""
        if self.screen.has_left:
            return
        self._ports[0].take_all()
        super()._look_for_bye()
        self._has_ended = True
        if self._over.is_set():
            self._check_last_frame(self.screen.stretches[-1], self.screen.last_number)
            self.screen.leave()
