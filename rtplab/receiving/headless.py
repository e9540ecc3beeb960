"""Receiving without a window: for scripts that grade, measure or save."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rtplab.clock import steady
from rtplab.console import StatusLine
from rtplab.protocol.rtsp.states import State
from rtplab.receiving.files.wholefile import write_whole
from rtplab.receiving.progress import Progress
from rtplab.receiving.rtp.frames import Frame
from rtplab.receiving.rtp.statistics import Received

# Seconds from the first frame within which the second must come if more are requested: our server
# sends at least one in ten seconds.
SECOND_FRAME = 12.0
# Seconds after a BYE for another source to continue (RFC 3550 section 6.6), unless the movie is
# over.
NEXT_SOURCE = 1.5
LAST_MOMENT = 0.1  # seconds: a frame so near the movie's end was the last one
# With frames further apart than this, in seconds, no reasonable wait can detect the end.
SLOW = 1 / 0.6
RENEWAL = 0.25  # seconds from one line about the progress to the next
FOR_EVER = 30.0 * 24 * 3600  # seconds: Windows waits for at most 49 days


@dataclass
class HeadlessOptions:
    """What to receive and what to do with it."""

    frames: int | None = None  # stop after this many
    duration: float | None = None  # stop this many seconds after PLAY
    save: Path | None = None  # a folder for numbered JPEGs
    json: bool = False  # print one JSON object at the end


class HeadlessClient(Protocol):
    """The client interface used here."""

    state: State
    error: str
    notice: str
    ended: bool
    on_frame: Any

    @property
    def first_frame_delay(self) -> float | None: ...
    @property
    def forgiven(self) -> list[str]: ...
    @property
    def seconds_left(self) -> float | None: ...
    @property
    def reception(self) -> Received: ...
    def set_up(self) -> None: ...
    def play_movie(self) -> None: ...
    def tear_down(self) -> None: ...
    def wait_for(self, condition: Any, timeout: float) -> bool: ...


class HeadlessRun:
    """One run: set up, play, collect, tear down, report."""

    def __init__(
        self,
        client: HeadlessClient,
        options: HeadlessOptions,
        terminal: StatusLine | None = None,
        problem_of: Callable[[bytes], str] | None = None,
    ) -> None:
        """With a `terminal`, show the progress there.

        `problem_of` tells why a JPEG can't be decoded, "" if it can.
        """
        self._client = client
        self._options = options
        self._terminal = terminal
        self._problem_of = problem_of
        self._frames = 0
        self._first_frame = self._last_frame = b""
        self._first_frame_at = 0.0
        self._error = ""
        self._is_complete = False  # everything requested has arrived

    def run(self) -> int:
        """Return the exit status: 0 when frames came, else 1."""
        self._client.on_frame = self._take
        try:
            self._play()
        except KeyboardInterrupt:  # the user has seen enough: report what has arrived so far
            if not self._frames:
                self._error = self._error or "Interrupted before the first picture arrived."
        report = self._report()
        notice = self._notice()  # the reply to TEARDOWN clears it
        self._client.tear_down()
        if self._terminal is not None:
            self._terminal.clear()
        for sentence in {report["error"] or "", notice} - {""}:
            print(sentence, file=sys.stderr)
        print(json.dumps(report) if self._options.json else _summary(report))
        return 0 if self._frames else 1

    def _play(self) -> None:
        client = self._client
        if self._options.save is not None:
            try:
                self._options.save.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._error = f"{self._options.save} can't be written ({error.strerror})."
                return
        client.set_up()
        # Each reply has its own time limit, which ends as an error. The number of replies is
        # unknown, as there may be redirections and a login.
        client.wait_for(lambda: client.state is not State.INIT or bool(client.error), FOR_EVER)
        if client.state is State.READY:
            client.play_movie()
            progress = Progress(steady())
            end = steady() + (self._options.duration or FOR_EVER)
            self._wait_for(self._is_over, end, progress)
            while self._goes_on(end, progress):
                self._wait_for(self._is_over, end, progress)
            self._is_complete = steady() >= end or self._has_enough() or client.ended

    def _wait_for(self, condition: Callable[[], bool], end: float, progress: Progress) -> bool:
        """Wait until the condition holds or `end` comes, and show progress; tell if it holds."""
        if self._terminal is None:
            return self._client.wait_for(condition, end - steady())
        while not self._client.wait_for(condition, min(RENEWAL, end - steady())):
            if steady() >= end:
                return False
            statistics = self._client.reception.statistics
            self._terminal.show(progress.line(self._frames, statistics, steady()))
        return True

    def _goes_on(self, end: float, progress: Progress) -> bool:
        """Wait, as more may come despite the client's notice or error; tell if it did."""
        client = self._client
        if self._may_be_slow():
            until = min(end, self._first_frame_at + SECOND_FRAME)
            return self._wait_for(lambda: not self._may_be_slow(), until, progress)
        left = client.seconds_left
        is_over = left is not None and left < LAST_MOMENT
        if client.ended and client.state is State.READY and not is_over:
            until = min(end, steady() + NEXT_SOURCE)
            return self._wait_for(lambda: not client.ended, until, progress)
        return False

    def _has_enough(self) -> bool:
        return self._options.frames is not None and self._frames >= self._options.frames

    def _is_over(self) -> bool:
        return self._has_enough() or bool(self._client.error or self._client.notice)

    def _may_be_slow(self) -> bool:
        """Tell if more frames are awaited after the first, although none has come for a while.

        A single frame does not show how far apart a stream's frames are.
        """
        client, asked_for_more = self._client, self._options.frames or self._options.duration
        is_told = client.notice and not client.error and not client.ended
        return bool(self._frames == 1 and asked_for_more and is_told)

    def _take(self, frame: Frame) -> None:
        """Count and keep a frame. Runs in the RTP thread."""
        if self._has_enough():
            return
        if not self._frames:
            self._first_frame_at, self._first_frame = steady(), frame.data
        self._last_frame = frame.data
        self._frames += 1
        if self._options.save is not None and not self._error:
            self._save(self._options.save / f"frame-{self._frames:05d}.jpg", frame.data)

    def _save(self, path: Path, data: bytes) -> None:
        """Write a frame; if the disk is full, this one and all later ones are skipped."""
        try:
            write_whole(path, data)
        except OSError as error:
            self._error = f"{path.parent} can't be written ({error.strerror})."

    def _report(self) -> dict[str, Any]:
        """Return what was received, under the names of docs/REFERENCE.md."""
        statistics = self._client.reception.statistics
        delay, seconds = self._client.first_frame_delay, statistics.seconds
        return {
            "frames": self._frames,
            "packets": statistics.packets,
            "lost": statistics.lost,
            "late": statistics.late,
            "duplicates": statistics.duplicates,
            "bytes": statistics.bytes,
            "seconds": round(seconds, 3),
            "fps": round((self._frames - 1) / seconds, 2) if seconds and self._frames else 0.0,
            "kbit_per_s": round(statistics.bytes * 8 / 1000 / seconds, 1) if seconds else 0.0,
            "jitter_ms": round(statistics.jitter * 1000, 3),
            "loss_rate": round(statistics.loss_rate, 5),
            "first_frame_ms": None if delay is None else round(delay * 1000, 1),
            "state": self._client.state.name,
            "forgiven": self._client.forgiven,
            "error": self._error or self._shortfall() or self._damage() or None,
        }

    def _damage(self) -> str:
        """Return a sentence if neither the first nor the last picture can be decoded."""
        if not self._frames or self._problem_of is None or not self._problem_of(self._first_frame):
            return ""
        problem = self._problem_of(self._last_frame)
        return f"Neither the first picture nor the last can be decoded: {problem}." * bool(problem)

    def _shortfall(self) -> str:
        """Return a sentence if nothing arrived, or less than was requested."""
        if self._frames and self._is_complete:
            return ""
        if self._client.error:
            return self._client.error
        if not self._frames:
            return self._client.notice or "No picture arrived."
        asked_for_more = self._options.duration or self._frames < (self._options.frames or 0)
        return self._notice() if asked_for_more else ""

    def _notice(self) -> str:
        """The client's notice; it can't know whether a slow stream has ended."""
        client = self._client
        is_slow = self._frames == 1 or client.reception.longest_gap > SLOW
        is_limited = self._options.frames or self._options.duration
        if client.notice and not client.ended and is_slow and self._frames and not is_limited:
            return f"{client.notice} The stream is slow: set --frames or --duration to wait longer."
        return client.notice


def _summary(report: dict[str, Any]) -> str:
    return (
        f"{report['frames']} frames in {report['seconds']} s ({report['fps']} frames/s, "
        f"{report['kbit_per_s']} kbit/s), {report['lost']} of {report['packets'] + report['lost']} "
        f"packets lost, jitter {report['jitter_ms']} ms"
    )
