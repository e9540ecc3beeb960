"""One packet's fields, bit by bit."""

from __future__ import annotations

import time
import tkinter as tk
from functools import partial
from tkinter import ttk
from typing import Literal

from rtplab.player.look.theme import Theme
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.packetchoice import PacketChoice
from rtplab.player.model.packetview import PacketDrawing
from rtplab.player.model.traffic import Traffic
from rtplab.player.panel.drawing import Drawing, SaveDrawing
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.receiving.files.capture import CapturedPacket
from rtplab.receiving.rtp.timeline import CLOCK_RATE

_SCROLL = 23  # pixels at 1x that a turn of the wheel scrolls
_SCROLLS: dict[str, tuple[int, Literal["units", "pages"]]] = {
    "Up": (-1, "units"),
    "Down": (1, "units"),
    "Prior": (-1, "pages"),
    "Next": (1, "pages"),
}


class PacketPage(ttk.Frame):
    """A page that follows the newest packet, or holds one and steps through the others."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        controller: PlaybackController,
        traffic: Traffic,
        save_drawing: SaveDrawing,
    ) -> None:
        """`save_drawing` asks for a file and saves the drawing."""
        super().__init__(master)
        self._theme = theme
        self._controller = controller
        self._save_drawing = save_drawing
        self._choice = PacketChoice(traffic)
        self._drawn: tuple[object, ...] = ()
        self._height = 0.0  # of the drawing, at 1x
        px = theme.px
        self._shows_reports = tk.BooleanVar(self, False)
        tools = ttk.Frame(self, padding=(px(12), px(10), px(12), px(2)))
        tools.pack(side="top", fill="x")
        self.hold = ttk.Button(tools, text="Hold", width=7, command=self._toggle_hold)
        self.back = ttk.Button(tools, text="◀", width=3, command=lambda: self._step(-1))
        self.forward = ttk.Button(tools, text="▶", width=3, command=lambda: self._step(1))
        for button in (self.hold, self.back, self.forward):
            button.pack(side="left", padx=(0, px(6)))
        self.kinds = [
            ttk.Radiobutton(
                tools, text=text, value=value, variable=self._shows_reports, command=self._follow
            )
            for text, value in (("RTP", False), ("RTCP", True))
        ]
        for kind in self.kinds:
            kind.pack(side="left", padx=(px(8), 0))
        self.save = ttk.Button(tools, text="Picture …", command=self._save)
        self.save.pack(side="right")
        self.where = ttk.Label(self, style="Muted.TLabel", anchor="e", padding=(px(14), 0))
        self.where.pack(side="top", fill="x")
        self.canvas = tk.Canvas(
            self, highlightthickness=px(1), borderwidth=0, width=1, height=1, takefocus=True
        )
        self._drawing = Drawing(self.canvas, theme)
        bar = ttk.Scrollbar(self, command=self.canvas.yview)
        self.canvas.configure(yscrollcommand=bar.set, yscrollincrement=px(_SCROLL))
        bar.pack(side="right", fill="y")
        self.canvas.pack(fill="both", expand=True)
        for sequence in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.canvas.bind(sequence, self._scroll)
        for key, (count, what) in _SCROLLS.items():
            self.canvas.bind(f"<{key}>", partial(self._scroll_by, count, what))
        self.canvas.bind("<Button-1>", lambda event: self.canvas.focus_set())
        self.bind("<Destroy>", self._destroyed)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            del self._shows_reports  # now: a collection in another thread would wait for Tk

    def _follow(self) -> None:
        """Show the newest packet of the kind that was chosen."""
        self._choice.follow(self._shows_reports.get())
        self.canvas.yview_moveto(0)
        self.refresh()

    def _scroll(self, event: tk.Event[tk.Misc]) -> None:
        """Scroll the page, if it is not high enough to show everything."""
        self.canvas.yview_scroll(-1 if event.delta > 0 or event.num == 4 else 1, "units")

    def _scroll_by(self, count: int, what: Literal["units", "pages"], event: object) -> str:
        self.canvas.yview_scroll(count, what)
        return "break"  # which would seek

    def _toggle_hold(self) -> None:
        self._choice.toggle_hold()
        self.refresh()

    def _step(self, direction: int) -> None:
        self._choice.step(direction)
        self.refresh()

    def show(self, packet: CapturedPacket) -> None:
        """Hold this packet."""
        self._choice.hold(packet)
        self._shows_reports.set(packet.is_rtcp)
        self.canvas.yview_moveto(0)
        self.refresh()

    def refresh(self) -> None:
        """Draw the packet, if it is another than before."""
        packet, where = self._choice.packet, self._choice.where
        size = self.canvas.winfo_width(), self.canvas.winfo_height()
        state = (packet, size, self._theme.name, where)
        if state == self._drawn:
            return
        self._drawn = state
        self.hold.configure(text="Follow" if self._choice.is_held else "Hold")
        if packet is not None:
            where += "   " * bool(where) + time.strftime("%H:%M:%S", time.localtime(packet.when))
            where += f".{int(packet.when % 1 * 1000):03}"
            where += "   sent" if packet.sent else "   received"
        self.where.configure(text=where)
        self._height = self._draw(packet)
        height = self._theme.px(self._height)
        room = self.canvas.winfo_height() - 2 * int(self.canvas["highlightthickness"])
        self.canvas.configure(scrollregion=(0, 0, 1, max(height, room)))

    def _draw(self, packet: CapturedPacket | None) -> float:
        """Draw a packet, or say that there is none; return the height that this takes, at 1x."""
        p = self._theme.palette
        self.canvas.configure(highlightbackground=p.window, highlightcolor=p.accent)
        drawing = PacketDrawing(self._drawing.size[0], self._drawing.lettering)
        if packet is None:
            kind = "RTCP packet" if self._choice.shows_reports else "packet"
            drawing.add_sentence(f"No {kind} has arrived since the panel was opened.")
        elif packet.is_rtcp:
            drawing.add_reports(packet.data)
        else:
            drawing.add_rtp(packet.data, self._place_in_movie(packet.data))
        self._drawing.draw(drawing.shapes)
        return drawing.height

    def _place_in_movie(self, data: bytes) -> float | None:
        """Where an RTP packet's timestamp is in the movie, in seconds, by the frame shown."""
        frame = self._controller.frame
        try:
            timestamp = parse_packet(data).timestamp
        except PacketError:
            return None
        if frame is None:
            return None
        ahead = timestamp_delta(timestamp, frame.timestamp % 2**32) / CLOCK_RATE
        return self._controller.client.position_of(frame) + ahead

    def _save(self) -> None:
        """Save the whole packet, also what is out of sight."""
        document = self._drawing.svg("A packet, bit by bit", self._height)
        self._save_drawing("packet", document, self.canvas)
