"""Decodes large pictures in a thread of its own, so that the window answers meanwhile. No Tk.

Pillow lets other threads run while it decodes and scales. A small picture is decoded faster than
it is handed over, so the window does that itself.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from PIL import Image

from rtplab.player.picture.decoding import Size, decode
from rtplab.protocol.errors import PacketError

LARGE = 1280 * 720  # pixels of a picture from which on decoding takes several milliseconds


class Picture(NamedTuple):
    """A decoded frame; `image` is None when the JPEG is damaged, and `problem` says how."""

    jpeg: bytes
    image: Image.Image | None
    problem: str = ""


class Decoder:
    """A thread with room for one frame before it and one behind it: the newest counts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards all that follows
        self._job: tuple[bytes, Size] | None = None
        self._forgotten = False  # what is being decoded at the moment is not wanted any more
        self._picture: Picture | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.busy = False  # a picture is on its way

    def submit(self, jpeg: bytes, size: Size) -> None:
        """Have a frame decoded to `size`; one that still waits is forgotten.

        Where the system grants no thread, it is decoded by the return.
        """
        with self._changed:
            if self._thread is None and not self._start():
                self._picture = _decoded(jpeg, size)
                return
            self._job, self.busy = (jpeg, size), True
            self._changed.notify()

    def _start(self) -> bool:
        """Start the thread; tell if the system grants one."""
        # A program that is interrupted does not destroy its window first: daemon.
        thread = threading.Thread(target=self._run, name="decoder", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def take(self) -> Picture | None:
        """Return the newest picture that is ready and was not taken yet."""
        with self._changed:
            picture, self._picture = self._picture, None
            return picture

    def forget(self) -> None:
        """Let nothing come of what was submitted so far."""
        with self._changed:
            self._job = self._picture = None
            self._forgotten = True

    def close(self) -> None:
        """End the thread. May be called twice."""
        with self._changed:
            self._closed, self._job = True, None
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self.busy = self._job is not None
                self._changed.wait_for(lambda: self._job is not None or self._closed)
                if self._job is None:
                    return
                (jpeg, size), self._job = self._job, None
                self._forgotten = False
            picture = _decoded(jpeg, size)
            with self._changed:
                if not self._forgotten:
                    self._picture = picture


def _decoded(jpeg: bytes, size: Size) -> Picture:
    try:
        return Picture(jpeg, decode(jpeg, size))
    except PacketError as error:
        return Picture(jpeg, None, str(error))
