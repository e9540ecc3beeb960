"""The picture area: the movie, scaled to fit, and the words over it."""

from __future__ import annotations

import tkinter as tk
from collections import deque

from PIL import Image, ImageTk

from rtplab.player.look import palette
from rtplab.player.look.theme import Theme
from rtplab.player.model.status import Headline
from rtplab.player.picture.captions import Captions
from rtplab.player.picture.decoding import (
    BackgroundDecoder,
    FrameDecoder,
    Picture,
    Size,
    fitted,
    is_costly,
    keep_freed_memory,
)
from rtplab.player.picture.overlay import KeysOverlay
from rtplab.protocol.errors import PacketError

# Frames that may be on their way to the screen: decoded, being decoded, waiting, and one spare.
_UNDER_WAY = 4
REDRAW_DELAY = 60  # milliseconds: longer than from one frame to the next


class PictureArea(tk.Canvas):
    """Shows JPEGs and headlines. All in the thread that runs Tk.

    It has more attributes than other classes: half say what is shown, and each of the others is an
    object that decodes or draws.
    """

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(
            master, background=palette.SURROUND, highlightthickness=0, borderwidth=0, takefocus=True
        )
        keep_freed_memory()
        self._room: Size = (1, 1)  # pixels there are for the picture
        self._jpeg = b""
        self.number: int | None = None  # of the frame that is shown
        self._numbers: deque[tuple[bytes, int]] = deque(maxlen=_UNDER_WAY)
        self._photo: ImageTk.PhotoImage | None = None
        self._frames = FrameDecoder()  # decodes small pictures
        self._background = BackgroundDecoder()  # decodes large ones
        self._item = self.create_image(0, 0, anchor="nw")
        self._redraw_timer = ""
        self.captions = Captions(self, theme)
        self.keys_overlay = KeysOverlay(self, theme)
        self.broken = 0  # frames that could not be decoded
        self.problem = ""  # why the last frame could not be decoded; "" if it could
        self.picture: Size | None = None  # pixels of the picture as it was sent
        self.bind("<Configure>", self._resized)
        self.bind("<<ThemeChanged>>", lambda event: self._draw_words())
        self.bind("<Destroy>", self._destroyed)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the picture within the area, in pixels."""
        left, top = (round(position) for position in self.coords(self._item))
        width, height = (self._photo.width(), self._photo.height()) if self._photo else (0, 0)
        return left, top, left + width, top + height

    @property
    def jpeg(self) -> bytes:
        """The frame that is shown, as it was received."""
        return self._jpeg

    def show(self, jpeg: bytes, number: int | None = None) -> bool:
        """Show a frame, a large one when it is decoded (see `poll`); tell if it is a JPEG.

        A damaged one is counted and passed over: the last good one stays.
        """
        if number is not None:
            self._numbers.append((jpeg, number))
        try:
            self.picture = self._frames.picture_size(jpeg)
            size = fitted(self.picture, self._room)
            if is_costly(jpeg, self.picture):
                self._background.submit(jpeg, size)
            else:
                self._show(Picture(jpeg, self._frames.decode(jpeg, size)))
        except PacketError as error:
            self._pass_over(str(error))
            return False
        return True

    def _pass_over(self, problem: str) -> None:
        self.broken += 1
        self.problem = problem

    def poll(self) -> bool:
        """Show the picture that has been decoded, if any; tell if more will follow."""
        busy = self._background.busy  # asked first: results that are ready by now are taken below
        picture = self._background.take()
        if picture is not None:
            self._show(picture)
        return busy

    def _show(self, picture: Picture) -> None:
        if picture.image is None:
            self._pass_over(picture.problem)
            return
        self.problem = ""
        self._jpeg = picture.jpeg
        for jpeg, number in self._numbers:
            if jpeg is picture.jpeg:
                self.number = number
        self._paste(picture.image)
        # A picture that was decoded for the previous size leaves the redraw pending.
        if (
            self._redraw_timer
            and self.picture is not None
            and picture.image.size == fitted(self.picture, self._room)
        ):
            self.after_cancel(self._redraw_timer)
            self._redraw_timer = ""

    def clear(self) -> None:
        """Remove the picture."""
        self._background.forget()
        self._jpeg, self._photo, self.number = b"", None, None
        self._numbers.clear()
        self.itemconfigure(self._item, image="")

    def say(self, headline: Headline) -> None:
        """Show a message in the middle of the area, until the next one."""
        self.captions.say(headline, on_picture=bool(self._jpeg))

    def toast(self, text: str) -> None:
        """Say something in the corner for a moment."""
        self.captions.toast(text)

    def _paste(self, image: Image.Image) -> None:
        """Paste into the old PhotoImage: a new one for each frame costs 3 to 6 times as much."""
        photo = self._photo
        if photo is not None and (photo.width(), photo.height()) == image.size:
            photo.paste(image)
            return
        self._photo = ImageTk.PhotoImage(image.convert("RGB"), master=self)
        self.itemconfigure(self._item, image=self._photo)
        self._centre()

    def _centre(self) -> None:
        if self._photo is not None:
            width, height = self._room
            left, top = (width - self._photo.width()) // 2, (height - self._photo.height()) // 2
            self.coords(self._item, left, top)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        """Scale the picture soon; while it plays, the next frame comes before that."""
        self._room = event.width, event.height
        self._centre()
        self._draw_words()
        if not self._redraw_timer:
            self._redraw_timer = self.after(REDRAW_DELAY, self._redraw)

    def _draw_words(self) -> None:
        """Draw them for another size, of the area or of all text."""
        self.captions.resized(self._room, on_picture=bool(self._jpeg))
        self.keys_overlay.draw()

    def _redraw(self) -> None:
        self._redraw_timer = ""
        if self._jpeg:
            self.show(self._jpeg)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        """Free what is large, and the images at once.

        An image that is collected in another thread waits for the one that runs Tk; if the other
        holds a lock of the client's, both wait for ever.
        """
        self._background.close()
        self._jpeg, self._frames = b"", FrameDecoder()
        self._numbers.clear()
        self._photo = None
        self.captions.forget()
        self.keys_overlay.forget()
        if self._redraw_timer:
            self.after_cancel(self._redraw_timer)
