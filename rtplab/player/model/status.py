"""What the player says about its session, in words. Needs no Tk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from rtplab.protocol.rtsp.messages import printable
from rtplab.protocol.rtsp.states import State


class Tone(Enum):
    """How a headline is meant."""

    CALM = auto()
    BAD = auto()


@dataclass(frozen=True)
class Headline:
    """Words for the picture area; without a title there is nothing to say."""

    title: str
    detail: str = ""
    tone: Tone = Tone.CALM


NOTHING = Headline("")


class PlayerState(NamedTuple):
    """All that the window's words and buttons depend on. Times are seconds."""

    movie: str = ""
    state: State = State.INIT
    waiting: bool = False  # for a connection, or a reply
    needs_password: bool = False
    error: str = ""
    is_lost: bool = False  # `error` says that the connection was lost
    notice: str = ""
    has_picture: bool = False
    seekable: bool = False
    ended: bool = False
    silence: int = 0  # whole seconds without a picture while playing, once that is too long
    damage: str = ""  # why no frame could be decoded, once that has been so for too long
    reconnecting_in: float | None = None
    attempt: int = 0  # of reconnecting, from 1
    recording: bool = False
    speed: float = 1.0
    wants_to_play: bool = False  # what the viewer wants, even if it is not reached yet


def headline_for(now: PlayerState) -> Headline:
    """Return the message for the picture area."""
    if now.reconnecting_in is not None:
        return _reconnecting(now)
    if now.needs_password:
        return Headline("Log in", f"{now.error}\nPress Setup to log in.")
    if now.error:
        return Headline(_trouble(now), now.error + _way_out(now), Tone.BAD)
    if now.ended and now.state is not State.PLAYING:
        return Headline("The end", "Press Play to watch it again.")
    if now.notice:
        return Headline("Stalled", now.notice)
    if now.waiting:
        return NOTHING if now.has_picture else Headline("Asking the server …", now.movie)
    return _by_state(now)


def _by_state(now: PlayerState) -> Headline:
    if now.state is State.INIT:
        return Headline("No session", f"Press Setup to ask the server for {now.movie}.")
    if now.state is State.PLAYING and now.damage:
        why = printable(now.damage, 120)
        return Headline("No picture", f"Frames arrive, but can't be decoded: {why}.", Tone.BAD)
    if now.state is State.PLAYING and now.silence:
        return Headline("Stalled", f"No picture for {now.silence} s.")
    if now.has_picture:
        return NOTHING
    if now.state is State.PLAYING:
        return Headline("Buffering …", now.movie)
    return Headline("Ready to play", f"{now.movie} is set up: press Play.")


def _way_out(now: PlayerState) -> str:
    if now.state is not State.INIT or "press Setup" in now.error:
        return ""
    return "\nPress Setup to try again, or o to open something else."


def _reconnecting(now: PlayerState) -> Headline:
    seconds = math.ceil(now.reconnecting_in or 0)
    when = f"in {seconds} s" if seconds else "now"
    return Headline("Reconnecting …", f"{now.error}\nAttempt {now.attempt}, {when}.", Tone.BAD)


def _trouble(now: PlayerState) -> str:
    if now.is_lost:
        return "Connection lost"
    return "No session" if now.state is State.INIT else "Something is wrong"


# Seconds that a position may be less than it is: PLAY's Range has three decimals, and the frames'
# timestamps count from there.
_ROUNDED_OFF = 0.001


def clock(seconds: float) -> str:
    """Minutes and seconds as players show them: 0:05, 12:34, 1:02:03."""
    whole = max(0, int(seconds + _ROUNDED_OFF))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"
