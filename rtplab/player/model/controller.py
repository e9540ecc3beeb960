"""Carries out a viewer's wishes for a session, step by step. Needs no Tk.

Replies arrive later, and only one request is open at a time. So wishes are kept here, and `tick`,
called repeatedly, does what the session's state allows.
"""

from __future__ import annotations

from typing import NamedTuple

from rtplab.player.model.client import PlayerClient
from rtplab.player.model.loop import Loop
from rtplab.player.model.recorder import MovieRecorder
from rtplab.player.model.status import PlayerState
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.rtp.frames import Frame

NEAR_THE_END = 1.0  # seconds before the end of a movie: a viewer who got this far has seen it
JUST_NOW = 5.0  # seconds since the last picture: the viewer has been watching until then
# Seconds before the end of a movie of unknown frame rate at which there surely is still a frame.
LAST_MOMENT = 0.1
USUAL_FRAME_RATE = 25.0  # frames a second, where the server does not say it
SAME_PLACE = 0.001  # seconds that timestamps may be off, in ticks of 1/90000 s
STALL = 2.0  # seconds without a picture while playing after which the viewer is told
DAMAGE = 5.0  # seconds of frames none of which could be decoded, likewise
# Seconds before each attempt; the last is repeated. So attempts are made 1, 2, 4 and 8 s after the
# loss and every 4 s from then on: a server that comes back is found within 5 s.
DELAYS = (1.0, 1.0, 2.0, 4.0)


def short_name(movie: str) -> str:
    """A movie's name without its path; of an address without a path, its host."""
    return movie.rstrip("/").rpartition("/")[2] or movie


class Backoff:
    """Reconnection attempts, with growing pauses between them."""

    def __init__(self) -> None:
        self.attempt = 0  # from 1; 0: no attempt is planned
        self.attempting = False  # an attempt is under way
        self._due = 0.0

    @property
    def active(self) -> bool:
        return self.attempt > 0

    def failed(self, now: float) -> None:
        """The connection was lost, or an attempt has failed: another is due later."""
        self.attempting = False
        self._due = now + DELAYS[min(self.attempt, len(DELAYS) - 1)]
        self.attempt += 1

    def end(self) -> None:
        """Stop trying: there is a session again, or none is wanted."""
        self.attempt, self.attempting = 0, False

    def remaining(self, now: float) -> float:
        """Seconds until the attempt is due."""
        return max(0.0, self._due - now)


class Place:
    """Where the movie stands and where the viewer wants it, in seconds."""

    def __init__(self) -> None:
        self.shown = 0.0
        self.wished: float | None = None  # not yet asked for
        self._sought: float | None = None  # asked for, not yet shown
        self._sought_at = 0.0

    @property
    def current(self) -> float:
        """The position the viewer wants, from the moment of the request."""
        wished = self._sought if self.wished is None else self.wished
        return self.shown if wished is None else wished

    def was_asked_for(self, now: float) -> None:
        """The request for the wanted state has been sent."""
        self._sought, self._sought_at, self.wished = self.wished, now, None

    @property
    def is_under_way(self) -> bool:
        """A seek was sent, and no frame from the new position is shown yet."""
        return self._sought is not None

    def is_outdated(self, arrival: float) -> bool:
        """Tell if a frame that arrived then is from before the last seek."""
        return self._sought is not None and arrival < self._sought_at

    def is_overdue(self, now: float) -> bool:
        """Tell if no frame from there has arrived for too long."""
        return self._sought is not None and now >= self._sought_at + STALL

    def show(self, position: float, arrival: float) -> None:
        """A frame is shown, unless it is one from before the last seek."""
        if not self.is_outdated(arrival):
            self._sought = None
            self.shown = position

    def was_refused(self) -> None:
        """The requested position will not be shown."""
        self._sought = None

    def forget_wishes(self) -> None:
        self.wished = self._sought = None


class PictureWatch:
    """Notes how long no picture has arrived, or none that can be decoded."""

    def __init__(self) -> None:
        self.shown_at: float | None = None  # when the last frame was shown, or playing began
        self._damaged_since: float | None = None  # no frame could be decoded since then
        self.damage = ""  # why not, once that has been so for too long

    def decoded(self, problem: str, now: float) -> None:
        """A frame was shown, or, if there is a `problem`, could not be decoded."""
        if not problem:
            self._damaged_since, self.damage = None, ""
        elif self._damaged_since is None:
            self._damaged_since = now
        elif now >= self._damaged_since + DAMAGE:
            self.damage = self.damage or problem

    def silence(self, now: float) -> int:
        """Whole seconds without a picture, once there are enough to tell the viewer."""
        seconds = 0.0 if self.shown_at is None else now - self.shown_at
        return int(seconds) if seconds >= STALL else 0


class StateChange(NamedTuple):
    """The last change of the client's state that a tick has seen."""

    before: State = State.INIT
    after: State = State.INIT
    loss: str = ""  # why the session was lost; "" when it was ended by TEARDOWN
    ended: bool = False  # the server had said by then that the movie is over


class PlaybackController:
    """One client, from the viewer's side. All in one thread.

    It has many attributes: three are the viewer's wishes that are still to be carried out, and each
    of the others is an object that does a part of the work.
    """

    def __init__(self, client: PlayerClient) -> None:
        self.client = client
        self.frame: Frame | None = None  # that is shown
        self._speed = 1.0  # that the viewer wants
        self.change = StateChange()
        # Where the viewer wants to be, PLAYING or READY, until the session is there; None: it is.
        self._goal: State | None = None
        # The state that a request was sent for, until its result has been checked.
        self._asked_for: State | None = None
        self._wants_to_step = False
        self._wants_speed = False  # another than the server knows of
        self._place = Place()
        self._pictures = PictureWatch()
        self._backoff = Backoff()
        self.recorder = MovieRecorder(client)
        self.loop = Loop()

    # ------------------------------------------------------------------ the viewer's wishes

    @property
    def wants_to_play(self) -> bool:
        """What the viewer wants, even if it is not reached yet."""
        state = self.client.state
        if state is State.INIT:
            is_lost = self._backoff.active
            return self._goal is State.PLAYING and self.client.is_waiting() and not is_lost
        if self._goal is not None:
            return self._goal is State.PLAYING
        return state is State.PLAYING and not self._wants_to_step  # which plays for one frame

    def toggle(self) -> None:
        """Pause if the viewer wants it to play, play if not."""
        if self.wants_to_play:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play, from whatever state."""
        self._goal = State.PLAYING
        self._wants_to_step = False
        if self.client.state is State.INIT:
            self.client.set_up()
        elif self.client.state is State.PLAYING:
            self.client.playout.release()

    def pause(self) -> None:
        """Stop at the shown frame, or at the target of a seek."""
        self._goal = State.READY
        if self._place.is_under_way:
            self._wants_to_step = True  # to see where it went
            return
        if self.client.state is not State.INIT:
            self.client.playout.hold()
        if self.client.state is State.PLAYING and self._has_settled():
            self._asked_for = State.READY
            self.client.pause_movie()

    def tear_down(self) -> None:
        """End the session, or the attempts to have one again."""
        self._goal = None
        self._backoff.end()
        self.client.tear_down()

    def step(self) -> None:
        """Pause; when paused, show the next frame."""
        if self.wants_to_play:
            self.pause()
        elif self.client.state is not State.INIT:
            self._wants_to_step = True

    def step_back(self) -> None:
        """Pause; when paused, show the frame before."""
        if self.wants_to_play:
            self.pause()
        else:
            self.seek_by(-1 / (self.client.frame_rate or USUAL_FRAME_RATE))

    def seek(self, seconds: float) -> None:
        """Go to a position; more wishes before the server has answered count as one.

        A position beyond the last frame means the last frame; from there it has no effect.
        """
        last = self._last_start()
        if last is None:
            return
        target = min(max(0.0, seconds), last)
        if target < last or self.position < last - SAME_PLACE:
            self._place.wished = target

    def _last_start(self) -> float | None:
        """When the last frame begins, in seconds; None if the movie's length is unknown."""
        duration = self.client.duration
        if duration is None:
            return None
        rate = self.client.frame_rate
        if rate is None:
            return max(0.0, duration - LAST_MOMENT)
        return max(0.0, (round(duration * rate) - 1) / rate)

    def seek_by(self, seconds: float) -> None:
        """Go forward, or back."""
        self.seek(self.position + seconds)

    def set_speed(self, speed: float) -> None:
        """Play faster or slower."""
        self._speed = speed
        self._wants_speed = True

    @property
    def speed(self) -> float:
        """Times the normal speed: as the viewer wants it, but while it plays as it is."""
        client = self.client
        is_answered = client.state is State.PLAYING and not client.is_waiting()
        return client.scale if is_answered and not self._wants_speed else self._speed

    # ------------------------------------------------------------------ what goes on

    @property
    def position(self) -> float:
        """Seconds into the movie; after a seek request, its target."""
        return self._place.current

    def tick(self, now: float) -> Frame | None:
        """Do everything that is due; return the frame to show, if there is one."""
        self._note_state(now)
        self._carry_out(now)
        is_step = self._wants_to_step
        frame = self._next_frame() if is_step else self.client.playout.take(now)
        if frame is not None:
            self.frame, self._pictures.shown_at = frame, now
            self._place.show(self.client.position_of(frame), frame.arrival)
            if is_step:
                self._wants_to_step = False
                self.pause()
            elif self.wants_to_play and not self._place.is_under_way:
                self._place.wished = self._place.wished or self.loop.target(self._place.shown)
        return frame

    def decoded(self, problem: str, now: float) -> None:
        """A frame was shown, or, if there is a `problem`, could not be decoded."""
        self._pictures.decoded(problem, now)

    def state_at(self, now: float) -> PlayerState:
        """Return everything that texts and buttons depend on."""
        client = self.client
        is_watching = client.state is State.PLAYING and self.frame is not None
        return PlayerState(
            movie=short_name(client.movie_name),
            state=client.state,
            waiting=client.is_waiting(),
            needs_password=client.needs_password,
            error=self.change.loss if self._backoff.active else client.error,
            is_lost=client.is_lost,
            notice="" if client.ended else client.notice,
            has_picture=self.frame is not None,
            seekable=client.duration is not None,
            ended=client.ended and self._goal is not State.PLAYING,
            silence=self._pictures.silence(now) if is_watching else 0,
            damage=self._pictures.damage,
            reconnecting_in=self._backoff.remaining(now) if self._backoff.active else None,
            attempt=self._backoff.attempt,
            recording=self.recorder.active,
            speed=self.speed,
            wants_to_play=self.wants_to_play,
        )

    def _note_state(self, now: float) -> None:
        before, state = self.change.after, self.client.state
        if state is before:
            return
        last, client = self.change, self.client
        loss = client.error if state is State.INIT else ""
        self.change = StateChange(before, state, loss, client.ended)
        if state is State.PLAYING:
            self._pictures.shown_at = now
            if self.wants_to_play:
                self.client.playout.release()
            elif not self._wants_to_step:
                self.client.playout.hold()
        elif state is State.INIT:
            self._session_ended(last, now)
        elif before is State.PLAYING and self.client.ended and self.loop.active:
            self._goal = State.PLAYING
            if self.client.duration is not None:
                self._place.wished = self.loop.start or 0.0
        elif self._backoff.active:
            self._backoff.end()
            if self.client.duration is not None:
                self._place.wished = self._place.shown

    def _session_ended(self, last: StateChange, now: float) -> None:
        """`last` is the change of state before that."""
        # One that is paused may be told goodbye, too, and stays paused.
        was_watching = last.after is State.PLAYING or (last.ended and self._was_cut_short(now))
        self.frame = None
        self.decoded("", now)
        self._place.forget_wishes()
        self._wants_to_step, self._asked_for = False, None
        self.client.playout.clear()
        goal, self._goal = self._goal, None
        # A lab server may take one connection in its life: there only Setup begins another.
        if self.client.error and "://" in self.client.movie_name:
            if goal is State.PLAYING or (was_watching and goal is None):
                self._goal = State.PLAYING
            self._backoff.failed(now)

    def _was_cut_short(self, now: float) -> bool:
        """A server that is stopped says BYE, as at the end of the movie, and then hangs up."""
        duration, shown_at = self.client.duration, self._pictures.shown_at
        if not self.client.ended or duration is None or shown_at is None:
            return False
        return now < shown_at + JUST_NOW and self._place.shown < duration - NEAR_THE_END

    def _carry_out(self, now: float) -> None:
        client = self.client
        if not self._has_wishes() or client.is_waiting() or client.state is not self.change.after:
            return
        if client.state is State.INIT:
            if self._backoff.active:
                self._reconnect(now)
        elif self._has_settled():
            self._settle_wishes()
            if client.state is State.PLAYING and self._goal is State.READY:
                self._pause_when_seen(now)
            elif self._place.wished is not None:
                self._send_seek(self._place.wished, now)
            elif self._wants_speed:
                self._wants_speed = False
                self._play_anew()
                client.set_speed(self._speed)
            elif client.state is State.READY and self._needs_play():
                self._asked_for = State.PLAYING
                client.play_movie()

    def _pause_when_seen(self, now: float) -> None:
        """Pause, but let the frame that is sought come first, if it does."""
        if self._place.is_overdue(now):
            self._place.was_refused()
            self._wants_to_step = False
        if not self._place.is_under_way:
            self.pause()

    def _has_wishes(self) -> bool:
        return (
            self._goal is not None
            or self._place.wished is not None
            or self._asked_for is not None
            or self._wants_speed
            or self._wants_to_step
            or self._backoff.active
        )

    def _has_settled(self) -> bool:
        """Tell if no request is open. PLAY may follow the reply that is just being read."""
        client = self.client
        return client.wait_for(lambda: not client.is_waiting(), 0)

    def _settle_wishes(self) -> None:
        """Forget the wishes that were fulfilled, and those that failed."""
        state, playout = self.client.state, self.client.playout
        asked_for, self._asked_for = self._asked_for, None
        if asked_for is State.READY and state is State.PLAYING:  # PAUSE was refused
            playout.release()
            self._goal = None
        elif asked_for is State.PLAYING and state is State.READY:
            # PLAY was refused, or the movie has ended meanwhile.
            self._goal = None
            self._wants_to_step = self._wants_to_step and playout.waiting > 0
            if not self.client.ended:
                self._place.was_refused()
        if state is self._goal:
            self._goal = None

    def _needs_play(self) -> bool:
        """To watch, or for one frame when none is left."""
        if self._goal is State.PLAYING:
            return True
        return self._wants_to_step and not self.client.playout.waiting

    def _send_seek(self, target: float, now: float) -> None:
        self._place.was_asked_for(now)
        if self.client.state is State.READY:
            self.client.playout.clear()
            self._wants_to_step = self._goal is not State.PLAYING  # to see where it went
        self._play_anew()
        self.client.seek(target)

    def _play_anew(self) -> None:
        """The movie is about to be paused and played again, though the viewer did not ask."""
        if self.client.state is State.PLAYING and not self._wants_to_step:
            self._goal = self._asked_for = State.PLAYING

    def _reconnect(self, now: float) -> None:
        """RFC 2326 has no way to resume a session on another connection, so begin a new one."""
        if self.client.needs_password:
            self._backoff.end()  # so far as the network goes: now it is the viewer's turn
        elif self._backoff.attempting and self.client.error:
            self._backoff.failed(now)
        elif not self._backoff.attempting and self._backoff.remaining(now) == 0:
            self._backoff.attempting = True
            self.client.error = ""
            self.client.set_up()

    def _next_frame(self) -> Frame | None:
        """The frame after the shown one, or the first at the wanted position."""
        frame = self.client.playout.step()
        while frame is not None and self._place.is_outdated(frame.arrival):
            frame = self.client.playout.step()
        return frame
