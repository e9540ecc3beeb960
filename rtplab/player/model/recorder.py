"""Records the received frames in a movie file of the lab's format. Needs no Tk."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from rtplab.player.model.client import PlayerClient
from rtplab.receiving.files.recording import Recording
from rtplab.receiving.rtp.frames import Frame


class MovieRecorder:
    """One recording at a time of one client; the thread that receives RTP writes it."""

    def __init__(self, client: PlayerClient) -> None:
        self._client = client
        self._lock = threading.Lock()  # guards the recording
        self._recording: Recording | None = None
        self.error = ""  # why the last recording ended by itself, a sentence

    @property
    def active(self) -> bool:
        return self._recording is not None

    def start(self, path: Path) -> None:
        """Write all frames that come from now on into a movie file. Raises OSError."""
        self.error = ""
        self._recording = Recording(path)
        self._client.on_frame = self._add

    def stop(self) -> Recording | None:
        """End the recording, if there is one, and return it; an empty file is not left behind.

        Raises OSError.
        """
        self._client.on_frame = None
        with self._lock:
            recording, self._recording = self._recording, None
            if recording is not None:
                recording.close()
                if not recording.frames:
                    recording.path.unlink(missing_ok=True)
        return recording

    def _add(self, frame: Frame) -> None:
        """Runs in the thread that receives RTP."""
        with self._lock:
            recording = self._recording
            if recording is None:
                return
            try:
                recording.add(frame.data)
            except OSError as error:
                self._recording = self._client.on_frame = None
                with suppress(OSError):
                    recording.close()
                self.error = (
                    f"The recording has failed ({error.strerror}): "
                    f"{recording.frames} frames saved in {recording.path}"
                )
