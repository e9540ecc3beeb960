"""What a viewer wants of a session, carried out step by step. Needs no Tk.

A request is answered later, and only one is under way at a time. So a wish is kept here, and
`tick`, called again and again, does what the session's state allows by now.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from rtplab.player.reconnecting import Backoff
from rtplab.player.status import Situation
from rtplab.protocol.states import State
from rtplab.receiving.frames import Frame
from rtplab.receiving.recording import Recording

NEAR_THE_END = 1.0  # seconds before the end of a movie: who has come so far has seen it
JUST_NOW = 5.0  # seconds since the last picture: the viewer has been watching until then
STALL = 2.0  # seconds without a picture while playing after which the viewer is told


def short_name(movie: str) -> str:
    """A movie's name without its path; of an address without a path, its host."""
    return movie.rstrip("/").rpartition("/")[2] or movie


class Viewing:
    """One client, from the viewer's side. All in one thread, but for the recording."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.frame: Frame | None = None  # that is shown
        self.speed = 1.0
        self._state = self.previous_state = State.INIT  # at the last tick, and before it changed
        self.loss = ""  # why the session was lost; empty when it was ended by TEARDOWN
        self._wants_to_play = False
        self._wants_to_step = False
        self._seek_target: float | None = None  # wished, not yet asked for
        self._sought: float | None = None  # asked for, not yet shown
        self._sought_at = 0.0
        self._position = 0.0
        self._shown_at: float | None = None  # when the last frame was shown, or playing began
        self._backoff = Backoff()
        self._attempting = False
        self._trouble = ""  # why the connection was lost
        self._recording_lock = threading.Lock()  # guards the recording
        self._recording: Recording | None = None
        self.recording_error = ""

    # ------------------------------------------------------------------ the viewer's wishes

    def toggle(self) -> None:
        """Pause what plays, play what does not."""
        if self.client.state is State.PLAYING:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play, from whatever state."""
        self._wants_to_play = True
        self._wants_to_step = False
        if self.client.state is State.INIT:
            self.client.setupMovie()

    def pause(self) -> None:
        """Stop at the frame that is shown."""
        self._wants_to_play = False
        if self.client.state is State.PLAYING:
            self.client.playout.hold()
            self.client.pauseMovie()

    def tear_down(self) -> None:
        """End the session, or the attempts to have one again."""
        self._wants_to_play = self._attempting = False
        self._backoff.succeeded()
        self.client.exitClient()

    def step(self) -> None:
        """Pause; when paused, show the next frame."""
        if self.client.state is State.PLAYING:
            self.pause()
        elif self.client.state is State.READY:
            self._wants_to_step = True

    def seek(self, seconds: float) -> None:
        """Go to a position; more wishes before the server has answered count as one."""
        duration = self.client.duration
        if duration is not None:
            self._seek_target = min(max(0.0, seconds), duration)

    def seek_by(self, seconds: float) -> None:
        """Go forward, or back."""
        self.seek(self.position + seconds)

    def set_speed(self, speed: float) -> None:
        """Play faster or slower."""
        self.speed = speed
        self.client.setSpeed(speed)

    # ------------------------------------------------------------------ what goes on

    @property
    def position(self) -> float:
        """Seconds into the movie; where the viewer wants to be, as soon as he has said it."""
        wished = self._sought if self._seek_target is None else self._seek_target
        return self._position if wished is None else wished

    @property
    def reconnects(self) -> bool:
        """Tell if a lost session may be begun anew without being asked.

        A lab server may take one connection in its life: there only Setup does it.
        """
        return "://" in self.client.fileName

    def tick(self, now: float) -> Frame | None:
        """Do what can be done by now; return the frame that is to be shown, if there is one."""
        self._look_at_state(now)
        self._carry_out(now)
        frame = self._stepped() if self._wants_to_step else self.client.playout.take(now)
        if frame is not None:
            self._take(frame, now)
        return frame

    def _take(self, frame: Frame, now: float) -> None:
        self.frame, self._shown_at = frame, now
        if self._sought is None or frame.arrival >= self._sought_at:
            self._sought = None
            self._position = self.client.positionOf(frame)

    def situation(self, now: float) -> Situation:
        """All that words and buttons depend on."""
        client = self.client
        return Situation(
            movie=short_name(client.fileName),
            state=client.state,
            waiting=client.isWaiting(),
            needs_password=client.needsPassword,
            error=self._trouble if self._backoff.active else client.error,
            notice=client.notice,
            has_picture=self.frame is not None,
            seekable=client.duration is not None,
            ended=client.ended,
            silence=self._silence(now),
            reconnecting_in=self._backoff.remaining(now) if self._backoff.active else None,
            attempt=self._backoff.attempt,
            recording=self._recording is not None,
            speed=self.speed,
        )

    def next_due(self) -> float | None:
        """When the next frame is due; None when none waits."""
        due: float | None = self.client.playout.next_due()
        return due

    def _silence(self, now: float) -> int:
        if self.client.state is not State.PLAYING or self._shown_at is None or self.frame is None:
            return 0
        seconds = now - self._shown_at
        return int(seconds) if seconds >= STALL else 0

    def _look_at_state(self, now: float) -> None:
        if self._state is self.client.state:
            return
        before, self._state = self._state, self.client.state
        self.previous_state = before
        self.loss = self.client.error if self._state is State.INIT else ""
        if self._state is State.PLAYING:
            self._shown_at = now
            if not self._wants_to_step:
                self.client.playout.release()
        elif self._state is State.INIT:
            self._session_ended(before, now)
        elif self._backoff.active:
            self._reconnected()

    def _session_ended(self, before: State, now: float) -> None:
        was_watching = before is State.PLAYING or self._was_cut_short(now)
        self.frame = None
        self._seek_target = self._sought = None
        self._wants_to_step = False
        self.client.playout.clear()
        if self.client.error and self.reconnects:
            self._trouble = self.client.error
            self._wants_to_play = self._wants_to_play or was_watching
            self._backoff.failed(now)

    def _was_cut_short(self, now: float) -> bool:
        """A server that is stopped says BYE, as at the end of the movie, and then hangs up."""
        duration, shown_at = self.client.duration, self._shown_at
        if not self.client.ended or duration is None or shown_at is None:
            return False
        return now < shown_at + JUST_NOW and self._position < duration - NEAR_THE_END

    def _carry_out(self, now: float) -> None:
        client = self.client
        if client.isWaiting():
            return
        if client.state is State.INIT:
            if self._backoff.active:
                self._reconnect(now)
        elif self._seek_target is not None:
            self._send_seek(self._seek_target, now)
        elif client.state is State.READY and self._wants_to_play:
            self._wants_to_play = False
            client.playMovie()
        elif self._wants_to_step and client.state is State.READY and not client.playout.waiting:
            client.playMovie()  # none is left: have one sent

    def _send_seek(self, target: float, now: float) -> None:
        self._sought, self._sought_at, self._seek_target = target, now, None
        if self.client.state is State.READY:
            self.client.playout.clear()
            self._wants_to_step = not self._wants_to_play  # to see where it went
        self.client.seekMovie(target)

    def _reconnect(self, now: float) -> None:
        """RFC 2326 knows no way to take up a session on another connection: it begins anew."""
        if self.client.needsPassword:
            self._attempting = False
            self._backoff.succeeded()  # so far as the network goes: now it is the viewer's turn
        elif self._attempting and self.client.error:
            self._attempting = False
            self._backoff.failed(now)
        elif not self._attempting and self._backoff.remaining(now) == 0:
            self._attempting = True
            self.client.error = ""
            self.client.setupMovie()

    def _reconnected(self) -> None:
        self._attempting = False
        self._backoff.succeeded()
        if self.client.duration is not None:
            self._seek_target = self._position

    def _stepped(self) -> Frame | None:
        if not self._wants_to_step:
            return None
        frame: Frame | None = self.client.playout.step()
        if frame is not None:
            self._wants_to_step = False
            self.pause()
        return frame

    # ------------------------------------------------------------------ recording

    def record(self, path: Path) -> None:
        """Write all frames that come from now on into a movie file. Raises OSError."""
        self.recording_error = ""
        self._recording = Recording(path)
        self.client.onFrame = self._keep

    def stop_recording(self) -> Recording | None:
        """End the recording, if there is one, and return it. Raises OSError."""
        self.client.onFrame = None
        with self._recording_lock:
            recording, self._recording = self._recording, None
            if recording is not None:
                recording.close()
        return recording

    def _keep(self, frame: Frame) -> None:
        """Runs in the thread that receives RTP."""
        with self._recording_lock:
            recording = self._recording
            if recording is None:
                return
            try:
                recording.add(frame.data)
            except OSError as error:
                self._recording = self.client.onFrame = None
                with suppress(OSError):
                    recording.close()
                self.recording_error = (
                    f"The recording has failed ({error.strerror}): "
                    f"{recording.frames} frames saved in {recording.path}"
                )
