"""A viewer with one of the lab's programs: asks in one of their many ways, sees whole JPEGs."""

from __future__ import annotations

import asyncio
import random
import time

from lab_clients import FORMS
from standard_clients import RtpHeader

from soak.films import FPS, Film
from soak.link import HOST, LabLink, Port
from soak.screen import Screen, Stretch
from soak.stage import EXCUSE, LONGEST_LEAP, PATIENCE, Stage
from soak.tally import Fault, Tally

LAB = "lab"
# Seconds that a person takes to press a button after the film has ended. The server notices its end
# when the frame after the last would be due.
REACTION = 1.0


class LabScreen(Screen):
    """One datagram is a frame; only the last packet of one that was cut has the marker."""

    def __init__(self, name: str, film: Film, tally: Tally) -> None:
        super().__init__(name, film, tally, 1)

    def begin(self) -> None:
        """PLAY has been answered: the film goes on, or begins again when it was over."""
        self.last_number = 0
        if not self.stretches:
            self.play(Stretch(0, 1, last=len(self._film), cyclic=True))
        self._is_quiet = False
        self._base = 0.0
        self._release()

    def _is_whole(self, header: RtpHeader) -> bool:
        return header.marker or header.payload.endswith(b"\xff\xd9")

    def _is_right(self, number: int, packets: list[RtpHeader]) -> bool:
        markers = [packet.marker for packet in packets]
        is_cut_well = markers == [False] * (len(packets) - 1) + [len(packets) > 1]
        return is_cut_well and self._film.has_frame(number, _joined(packets))

    def _find(self, packets: list[RtpHeader]) -> int:
        jpeg = _joined(packets)
        return self._film.frames.index(jpeg) + 1 if self._film.frames.count(jpeg) == 1 else 0


class LabViewer:
    """One visit with SETUP, PLAY, PAUSE and TEARDOWN, which is all there is."""

    def __init__(self, stage: Stage, rng: random.Random, film: Film) -> None:
        self._stage = stage
        self._rng = rng
        self._film = film
        self._form = rng.choice(FORMS)
        self._link = LabLink(stage.tally)
        self._screen = LabScreen(LAB, film, stage.tally)
        self._port = Port(self._screen.take)
        self._ordinal = 0
        self._session: int | str = 0
        self._is_playing = False
        self._began = 0.0

    async def visit(self) -> None:
        """Raises Fault."""
        try:
            await self._set_up()
            for _ in range(self._rng.randint(1, 6)):
                if not self._stage.remaining:
                    break
                await self._act()
                self._check()
            await self._leave()
        finally:
            self._close()

    async def look_in(self, seconds: float) -> None:
        """See so much of it. Raises Fault."""
        try:
            await self._set_up()
            await self._play()
            await self._stage.rest(seconds)
            await self._leave()
        finally:
            self._close()

    def _close(self) -> None:
        self._stage.tally.lost_packets += self._screen.lost
        self._link.close()
        self._port.close()

    def _check(self) -> None:
        self._link.check()
        if self._port.fault is not None:
            raise self._port.fault
        if self._screen.lost and not self._port.dropped and not self._is_held_up():
            raise Fault(f"{LAB}: {self._screen.lost} packets lost")

    def _is_held_up(self) -> bool:
        """Whether the load itself has stood still since this viewer came."""
        return self._stage.tally.beat.held_up_since(self._began) > EXCUSE

    async def _ask(self, method: str) -> None:
        self._ordinal += 1
        request = self._form.request(
            method,
            self._ordinal,
            movie=self._film.name,
            rtp_port=self._port.number,
            session=self._session,
            server=(HOST, self._stage.plain),
        )
        reply = await self._link.ask(method, request)
        if (reply.status, reply["cseq"]) != (200, str(self._form.number(self._ordinal))):
            raise Fault(f"{LAB}: {method} as {self._form.name!r} is answered with {reply}")
        if self._session and reply["session"] != self._session:
            raise Fault(f"{LAB}: {method} is answered for session {reply['session']}")
        self._session = reply["session"]

    async def _set_up(self) -> None:
        await self._link.connect(self._stage.plain)
        self._began = time.monotonic()
        await self._ask("SETUP")
        self._stage.sessions.append(str(self._session))
        self._stage.tally.sessions[LAB] += 1

    async def _act(self) -> None:
        if not self._is_playing:
            await self._play()
        elif self._rng.random() < 0.4:
            await self._see_the_end()
        else:
            await self._pause()
        await self._stage.rest(self._rng.uniform(0.2, 4))

    async def _play(self) -> None:
        self._screen.hold()
        await self._ask("PLAY")
        self._screen.begin()
        self._is_playing = True

    async def _pause(self) -> None:
        await self._ask("PAUSE")
        self._port.take_all()
        self._screen.stop()
        self._is_playing = False

    async def _see_the_end(self) -> None:
        """Until the last frame is there; then, as a person would, wait and press a button."""
        deadline = time.monotonic() + self._film.seconds + PATIENCE
        while self._screen.last_number != len(self._film):
            self._check()
            if not self._stage.remaining:
                return
            if time.monotonic() > deadline:
                self._judge_end()
                return
            await asyncio.sleep(1 / FPS)
        self._stage.tally.films_seen += 1
        await asyncio.sleep(REACTION)
        self._check()
        self._screen.stop()
        self._is_playing = False

    def _judge_end(self) -> None:
        """The last frame has not come: it may have been left out, or PLAY came before the end."""
        seen = self._screen.last_number
        missing = len(self._film) - seen
        if seen and missing / FPS < LONGEST_LEAP:
            self._screen.leave_out(missing)
        elif not self._screen.has_gaps and not self._is_held_up():
            raise Fault(f"{LAB}: no end of {self._film.name} after frame {seen}")

    async def _leave(self) -> None:
        how = self._rng.choices(("TEARDOWN", "closed", "reset"), (6, 2, 1))[0]
        self._stage.tally.endings[how] += 1
        if how == "TEARDOWN":
            await self._ask("TEARDOWN")
            self._port.take_all()
            self._check()
        elif how == "reset":
            self._link.hang_up()


def _joined(packets: list[RtpHeader]) -> bytes:
    return b"".join(packet.payload for packet in packets)
