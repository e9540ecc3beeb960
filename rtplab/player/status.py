"""What the player says about its session, in words. Needs no Tk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from rtplab.protocol.states import State


class Tone(Enum):
    """How a message is meant."""

    CALM = auto()
    BAD = auto()


@dataclass(frozen=True)
class Message:
    """Words for the picture area; no headline, nothing to say."""

    headline: str
    detail: str
    tone: Tone = Tone.CALM


NOTHING = Message("", "")


@dataclass(frozen=True)
class Situation:
    """All that the window's words and buttons depend on."""

    state: State
    waiting: bool  # for a reply
    error: str
    notice: str
    has_picture: bool
    movie: str


def message_for(now: Situation) -> Message:
    """What is to be said in the picture area."""
    if now.error:
        return Message(_trouble(now), now.error, Tone.BAD)
    if now.notice:
        return Message("No more pictures", now.notice)
    if now.waiting:
        return NOTHING if now.has_picture else Message("Asking the server …", now.movie)
    if now.state is State.PLAYING and not now.has_picture:
        return Message("Buffering …", now.movie)
    if now.state is State.READY and not now.has_picture:
        return Message("Ready to play", f"{now.movie} is set up: press Play.")
    if now.state is State.INIT:
        return Message("No session", f"Press Setup to ask the server for {now.movie}.")
    return NOTHING


def _trouble(now: Situation) -> str:
    return "That did not work" if now.state is State.INIT else "Something is wrong"


def clock(seconds: float) -> str:
    """Minutes and seconds as players show them: 0:05, 12:34, 1:02:03."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"
