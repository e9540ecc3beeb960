"""Where picture, controls and panel stand in a window, and how large it is."""

from __future__ import annotations

import operator
import tkinter as tk

from rtplab.clock import steady
from rtplab.player.controls.bindings import Bindings
from rtplab.player.controls.controlbar import Controls
from rtplab.player.controls.fullscreen import Extent, FullScreen
from rtplab.player.look.theme import Theme
from rtplab.player.model.commands import ZOOMS
from rtplab.player.panel.panel import LOWEST, NARROWEST, WIDTH, Panel
from rtplab.player.picture.area import PictureArea

FIRST_SIZE = (576, 432)  # of the picture area at 1x, until the first picture tells its own
SMALLEST = (500, 260)  # of the window at 1x
# How much of the screen a window that takes the size of its picture may cover.
SCREEN_SHARE = 0.9
OBEDIENCE = 0.5  # seconds that a window manager gets to give a window its size
NEARLY = 0.1  # so far from a whole number a screen's scale may be, and is taken for it


class Layout:
    """Arranges one window's parts, and changes its size when they need it."""

    def __init__(
        self, bindings: Bindings, picture: PictureArea, controls: Controls, panel: Panel
    ) -> None:
        self._top = bindings.window
        self._theme = Theme.of(self._top)
        self._picture, self._controls, self._panel = picture, controls, panel
        self._has_taken_size = False  # of the first picture
        # Pixels that the window grew and was moved by for the panel; None: it has no room.
        self._added: tuple[int, ...] | None = None
        # What was last asked of the window manager, which may be slow to obey, and when.
        self._asked_for: Extent | None = None
        self._asked_at = 0.0
        self.zoom = 1.0  # of all text, as the viewer wants it
        self.is_panel_alone = False  # it has the place of the picture, too
        self.fullscreen = FullScreen(bindings, picture, controls, self._settle)
        self._take_first_size()
        bindings.add("<Configure>", self._resized)

    def arrange(self) -> None:
        """Put the controls under the picture; under the panel, too, if they need its width."""
        is_open = self._panel.open
        if self.is_panel_alone:
            self._picture.grid_remove()
            self._controls.grid(row=1, column=0, columnspan=2, sticky="ew")
            self._panel.place(rows=1, is_alone=True)
            return
        self._picture.grid()
        width = self._top.winfo_width() - self._panel.width
        is_beside = not is_open or width >= self._controls.narrowest
        self._controls.grid(row=1, column=0, columnspan=1 if is_beside else 2, sticky="ew")
        if is_open:
            self._panel.place(rows=2 if is_beside else 1)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self._top and self._panel.open and not self.fullscreen.active:
            self.arrange()

    # ------------------------------------------------------------------ the picture's size

    def _take_first_size(self) -> None:
        """As large as the design has it, so far as the screen has room."""
        top, px = self._top, self._theme.px
        is_new = top.state() == "normal" and not top.winfo_ismapped()
        if is_new:
            top.withdraw()  # not to be seen before it has its size
        self.arrange()
        top.update_idletasks()  # how large are the controls?
        self._controls.fit(top.winfo_screenwidth())
        width, height = self._room_for_picture()
        self._picture.configure(
            width=min(px(FIRST_SIZE[0]), width), height=min(px(FIRST_SIZE[1]), height)
        )
        self._limit_size()
        if is_new:
            top.deiconify()

    def _room_for_picture(self) -> tuple[int, int]:
        """The pixels that a window which fits on the screen leaves to its picture."""
        top = self._top
        screen = top.winfo_screenwidth() * SCREEN_SHARE, top.winfo_screenheight() * SCREEN_SHARE
        return round(screen[0]), round(screen[1]) - self._controls.winfo_reqheight()

    def _limit_size(self) -> None:
        """Let the window become no smaller than its controls, and never have it be too large."""
        px, room = self._theme.px, self._room_for_picture()
        narrowest = max(px(SMALLEST[0]), self._controls.narrowest)
        self._top.minsize(min(narrowest, room[0]), min(px(SMALLEST[1]), room[1]))

    def take_size_of(self, width: int, height: int) -> None:
        """Give the first picture its own size, unless the user has sized the window by then.

        One that is too large is fitted. On a screen at 2x a pixel of the picture is two by two of
        the screen's.
        """
        if self._has_taken_size:
            return
        self._has_taken_size = True
        top = self._top
        if top.geometry().split("+")[0] != f"{top.winfo_reqwidth()}x{top.winfo_reqheight()}":
            return
        self._limit_size()  # Tk knows by now how large the controls are
        there_is = self._room_for_picture()
        room = min(there_is[0] / width, there_is[1] / height)
        least = max(self._controls.winfo_reqwidth(), self._theme.px(FIRST_SIZE[0]))
        flush = least / width  # no bars at the picture's sides
        # Many screens say that they are a little more than 1x: that would only blur the picture.
        whole = round(self._theme.scale)
        scale = whole if abs(self._theme.scale - whole) < NEARLY else self._theme.scale
        factor = min(max(scale, flush), room)
        self._picture.configure(width=round(width * factor), height=round(height * factor))

    # ------------------------------------------------------------------ the size of text

    def zoom_to(self, zoom: float) -> None:
        """Scale all text to this multiple of its original size."""
        self.zoom = zoom
        self._take_zoom(zoom)
        extent = self._without_panel()
        if self.fullscreen.active:
            return
        self._added = None
        self._limit_size()
        self._settle(extent)

    def _extent(self) -> Extent:
        """The window's extent; soon after it was changed, the one that it is to have."""
        if self._asked_for is not None and steady() < self._asked_at + OBEDIENCE:
            return self._asked_for
        return Extent.of(self._top)

    def _without_panel(self) -> Extent:
        """The window's extent without what it has grown for the panel."""
        extent = self._extent()
        return extent if self._added is None else Extent(*map(operator.sub, extent, self._added))

    def _take_zoom(self, zoom: float) -> None:
        if zoom != self._theme.zoom:
            self._theme.zoom_to(zoom)
            self._top.update_idletasks()  # how large are the controls?

    def _zoom_with_panel(self, extent: Extent) -> float:
        """The largest zoom, not beyond the viewer's, at which panel, picture and controls fit.

        A screen of many dots in few inches has no room for the panel otherwise.
        """
        top, theme = self._top, self._theme
        width, height = self._controls.narrowest, self._controls.winfo_reqheight()
        screen = top.winfo_screenwidth(), top.winfo_screenheight() - extent.title - extent.edge
        for zoom in reversed([other for other in ZOOMS if other <= self.zoom]):
            scale, grown = theme.screen_scale * zoom, zoom / theme.zoom
            has_width = screen[0] - WIDTH * scale >= width * grown
            is_beside = has_width and not self.is_panel_alone
            needed = LOWEST * scale + (0 if is_beside else height * grown)
            has_room = (WIDTH + NARROWEST) * scale <= screen[0] and needed <= screen[1]
            if scale <= 1 or has_room:
                break
        return zoom

    # ------------------------------------------------------------------ room for the panel

    def panel_toggled(self) -> None:
        """Widen the window for a panel that was opened, or shrink it after one was closed."""
        self.is_panel_alone = self.is_panel_alone and self._panel.open
        if self.fullscreen.active:
            extent = Extent.of(self._top)
            self._take_zoom(self._zoom_with_panel(extent) if self._panel.open else self.zoom)
            self._arrange_full_screen()
        else:
            self._settle(self._extent())
        if not self._panel.open:
            self._picture.focus_set()

    def toggle_panel_alone(self) -> None:
        """Let the panel take the place of the picture, or give it back."""
        self.is_panel_alone = not self.is_panel_alone
        if not self._panel.open:
            self._panel.toggle()
        elif self.fullscreen.active:
            self._arrange_full_screen()
        else:
            extent = self._without_panel()
            self._added = None  # it needs more height above the controls
            self._settle(extent)
        (self._panel.notebook if self.is_panel_alone else self._picture).focus_set()

    def _arrange_full_screen(self) -> None:
        """Controls stand over the picture there, while the mouse moves."""
        if self.is_panel_alone:
            self._picture.grid_remove()
        else:
            self._picture.grid()
        if self._panel.open:
            self._panel.place(rows=2, is_alone=self.is_panel_alone)

    def move_panel_edge(self, width: int, is_done: bool) -> None:
        """Make the panel `width` pixels wide, but leave room for the picture."""
        panel, top, px = self._panel, self._top, self._theme.px
        panel.width = min(width, top.winfo_width() - px(NARROWEST))
        if self.fullscreen.active:
            self._arrange_full_screen()
        else:
            least = min(top.winfo_width(), panel.width + px(NARROWEST))
            top.minsize(least, top.minsize()[1])
            self.arrange()
        if is_done:
            panel.remember_width()
            if self._added is not None and not self.fullscreen.active:
                self._heighten()

    def _heighten(self) -> None:
        """Grow in height if the controls are below the panel now: its pages need all of theirs."""
        extent = self._extent()
        settled = self._with_panel(extent._replace(width=extent.width - self._panel.width))
        if settled != extent and self._added is not None:
            grown = map(operator.sub, settled, extent)
            self._added = tuple(map(operator.add, self._added, grown))
            self._bring_to(settled)

    def _settle(self, extent: Extent) -> Extent:
        """Bring the window to `extent`, but with room for the panel if and only if it is open.

        After full screen, too: there the panel may have been opened or closed. Return the extent
        that the window has then.
        """
        settled = extent
        self._take_zoom(self._zoom_with_panel(extent) if self._panel.open else self.zoom)
        if self._panel.open and self._added is None:
            settled = self._with_panel(extent)
            self._added = tuple(map(operator.sub, settled, extent))
        elif not self._panel.open:
            self._limit_size()
            if self._added is not None:
                settled = Extent(*map(operator.sub, extent, self._added))
            self._added = None
        self.arrange()
        self._bring_to(settled)
        return settled

    def _with_panel(self, extent: Extent) -> Extent:
        """Grow for the panel so far as the screen has room, and move for it."""
        top, px = self._top, self._theme.px
        room = (
            top.winfo_screenwidth() - 2 * extent.edge,
            top.winfo_screenheight() - extent.title - extent.edge,
        )
        width = extent.width + self._panel.width
        has_width = min(width, room[0]) - self._panel.width >= self._controls.narrowest
        is_beside = has_width and not self.is_panel_alone
        below = 0 if is_beside else self._controls.winfo_reqheight()
        wanted = width, max(extent.height, px(LOWEST) + below)
        sizes = zip(extent[:2], wanted, room, strict=True)
        width, height = [max(old, min(new, there)) for old, new, there in sizes]
        places = zip(extent[2:4], (width, height), room, strict=True)
        x, y = [max(0, min(old, there - long)) for old, long, there in places]
        top.minsize(min(width, self._panel.width + px(NARROWEST)), min(height, px(LOWEST) + below))
        return extent._replace(width=width, height=height, x=x, y=y)

    def _bring_to(self, extent: Extent) -> None:
        """Change the size, and the place only if it is another."""
        top, (width, height, x, y) = self._top, extent[:4]
        is_moved = (x, y) != (top.winfo_x(), top.winfo_y())
        top.geometry(f"{width}x{height}" + (f"+{x}+{y}" if is_moved else ""))
        self._asked_for, self._asked_at = extent, steady()
