"""One packet's fields, bit by bit, as RFC 3550 sections 5.1 and 6.4 and RFC 2435 draw them."""

from __future__ import annotations

import time
import tkinter as tk
from functools import partial
from tkinter import ttk
from typing import Literal

from rtplab.player.look.theme import Theme
from rtplab.player.model.controller import PlaybackController
from rtplab.player.model.packetchoice import PacketChoice
from rtplab.player.model.traffic import Traffic
from rtplab.protocol.errors import PacketError
from rtplab.protocol.rtp.packet import parse_packet
from rtplab.protocol.rtp.serial import timestamp_delta
from rtplab.protocol.rtsp.explain import Field, jpeg_fields, rtp_fields
from rtplab.protocol.rtsp.explainrtcp import rtcp_sections
from rtplab.protocol.rtsp.messages import printable
from rtplab.receiving.files.capture import CapturedPacket
from rtplab.receiving.rtp.timeline import CLOCK_RATE

_WORD = 32  # bits of a row
_MARGIN = 14
_ROW = 46
_FIRST_BYTES = 32  # of the payload that are shown
_HEADING = 30
_SCROLLS: dict[str, tuple[int, Literal["units", "pages"]]] = {
    "Up": (-1, "units"),
    "Down": (1, "units"),
    "Prior": (-1, "pages"),
    "Next": (1, "pages"),
}
_MAX_WORDS = 800  # characters


class PacketPage(ttk.Frame):
    """Follows the newest packet, or holds one and steps through those that are kept."""

    def __init__(
        self, master: tk.Misc, theme: Theme, controller: PlaybackController, traffic: Traffic
    ) -> None:
        super().__init__(master)
        self._theme = theme
        self._controller = controller
        self._choice = PacketChoice(traffic)
        self._drawn: tuple[object, ...] = ()
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
        self.where = ttk.Label(self, style="Muted.TLabel", anchor="e", padding=(px(14), 0))
        self.where.pack(side="top", fill="x")
        self.canvas = tk.Canvas(
            self, highlightthickness=px(1), borderwidth=0, width=1, height=1, takefocus=True
        )
        bar = ttk.Scrollbar(self, command=self.canvas.yview)
        self.canvas.configure(yscrollcommand=bar.set, yscrollincrement=px(_ROW) // 2)
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
            del self._shows_reports  # in this thread, not in one that happens to collect it

    def _follow(self) -> None:
        """Show the newest packet of the kind that was chosen."""
        self._choice.follow(self._shows_reports.get())
        self.canvas.yview_moveto(0)
        self.refresh()

    def _scroll(self, event: tk.Event[tk.Misc]) -> None:
        """Show what is below, where the page is too low for all of it."""
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
        """Draw the packet that is looked at, if it is another than before."""
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
        self._draw(packet)
        height = self.canvas.bbox("all")[3] + self._theme.px(8)
        self.canvas.configure(scrollregion=(0, 0, 1, max(height, self.canvas.winfo_height())))

    def _draw(self, packet: CapturedPacket | None) -> None:
        theme = self._theme
        p = theme.palette
        self.canvas.delete("all")
        self.canvas.configure(
            background=p.window, highlightbackground=p.window, highlightcolor=p.accent
        )
        if packet is None:
            kind = "RTCP packet" if self._choice.shows_reports else "packet"
            self._write(0, theme.px(10), f"No {kind} has come since the panel was opened.")
            return
        if packet.is_rtcp:
            self._draw_reports(packet)
            return
        try:
            payload = parse_packet(packet.data).payload
            fields = rtp_fields(packet.data)
            y = self._draw_header("RTP header (RFC 3550 section 5.1)", fields, 4)
        except PacketError as error:
            self._write(0, theme.px(10), f"No RTP packet: {error}.")
            return
        meanings = [f"{field.name}: {field.meaning}" for field in fields if field.bits < 7]
        place = self._place_in_movie(fields)
        text = " · ".join(meanings + ([f"{place:.3f} s into the movie"] if place else []))
        y = self._write_small(y + theme.px(3), text)
        self._draw_payload(payload, y + theme.px(8))

    def _draw_reports(self, packet: CapturedPacket) -> None:
        """Draw each of the packets that a compound RTCP packet is made of."""
        y = float(self._theme.px(4))
        try:
            sections = rtcp_sections(packet.data)
        except PacketError as error:
            self._write(0, y, f"No RTCP packet: {error}.")
            return
        for title, fields, words in sections:
            y = self._draw_header(title, fields, y)
            if words:
                y = self._write_small(y + self._theme.px(3), printable(words, _MAX_WORDS))
            y += self._theme.px(10)

    def _place_in_movie(self, fields: list[Field]) -> float | None:
        """Where the timestamp is in the movie, in seconds, by the frame that is shown."""
        frame = self._controller.frame
        timestamp = next(field.value for field in fields if field.name == "timestamp")
        if frame is None:
            return None
        ahead = timestamp_delta(timestamp, frame.timestamp % 2**32) / CLOCK_RATE
        return self._controller.client.position_of(frame) + ahead

    def _write_small(self, y: float, text: str) -> float:
        """Write a text of less weight; return where it ends."""
        theme, left = self._theme, self._theme.px(_MARGIN)
        item = self.canvas.create_text(
            left, y, text=text, anchor="nw", font=theme.small_font, fill=theme.palette.muted,
            width=self.canvas.winfo_width() - 2 * left,
        )  # fmt: skip
        return float(self.canvas.bbox(item)[3])

    def _draw_payload(self, payload: bytes, y: float) -> None:
        size = f"{len(payload):,} bytes"
        try:
            fields = jpeg_fields(payload)
        except PacketError:
            self._write(0, y, f"Payload: {size}, going on with the frame before.")
            self._draw_bytes(payload, y)
            return
        if fields:
            y = self._draw_header("JPEG header (RFC 2435 section 3.1)", fields, y)
            y += self._theme.px(6)
            self._write(0, y, f"Payload with this header: {size}")
            payload = payload[sum(field.bits for field in fields) // 8 :]
        else:
            self._write(0, y, f"Payload: {size}, a whole JPEG, or its beginning (lab).")
        self._draw_bytes(payload, y)

    def _draw_bytes(self, data: bytes, y: float) -> None:
        """The first bytes of a payload, below a line at `y`."""
        lines = [data[start : start + 16].hex(" ").upper() for start in range(0, _FIRST_BYTES, 16)]
        self.canvas.create_text(
            self._theme.px(_MARGIN), y + self._theme.px(20), text="\n".join(lines), anchor="nw",
            font=self._theme.fixed_font, fill=self._theme.palette.muted,
        )  # fmt: skip

    def _draw_header(self, title: str, fields: list[Field], y: float) -> float:
        """Draw a header from `y` downwards; return where it ends."""
        theme = self._theme
        px = theme.px
        self._write(0, y, title, bold=True)
        y += px(_HEADING)
        self._draw_ruler(y)
        y += px(14)
        bit = 0
        for field in fields:
            self._draw_field(field, bit, y)
            bit += field.bits
            if bit >= _WORD:
                bit -= _WORD
                y += px(_ROW)
        return y + (px(_ROW) if bit else 0)

    def _bit_x(self, bit: float) -> float:
        margin = self._theme.px(_MARGIN)
        return margin + bit * (self.canvas.winfo_width() - 2 * margin) / _WORD

    def _draw_ruler(self, y: float) -> None:
        theme = self._theme
        for bit in range(0, _WORD, 8):
            self.canvas.create_text(
                self._bit_x(bit + 0.5), y, text=str(bit), font=theme.small_font,
                fill=theme.palette.muted,
            )  # fmt: skip

    def _draw_field(self, field: Field, bit: int, y: float) -> None:
        theme = self._theme
        p, px, canvas = theme.palette, theme.px, self.canvas
        left, right = self._bit_x(bit), self._bit_x(bit + field.bits)
        box = (left, y, right, y + px(_ROW))
        canvas.create_rectangle(*box, fill=p.raised, outline=p.border, width=px(1))
        middle = (left + right) / 2
        canvas.create_text(middle, y + px(9), text=field.name, font=theme.small_font, fill=p.muted)
        for number, digit in enumerate(f"{field.value:0{field.bits}b}"):
            x = self._bit_x(bit + number + 0.5)
            colour = p.accent if digit == "1" else p.muted
            canvas.create_text(x, y + px(24), text=digit, font=theme.fixed_font, fill=colour)
        value = field.text if field.bits > 1 else ""
        if field.bits >= 8 and field.meaning:
            value += f"   {field.meaning}" if field.bits > 16 else f"  {field.meaning}"
        if field.bits <= 8 and theme.small_font.measure(value) > right - left - px(4):
            value = f"{field.value}"
        canvas.create_text(middle, y + px(38), text=value, font=theme.small_font, fill=p.text)

    def _write(self, x: float, y: float, text: str, bold: bool = False) -> None:
        theme = self._theme
        self.canvas.create_text(
            theme.px(_MARGIN) + x, y, text=text, anchor="nw", fill=theme.palette.text,
            font=theme.bold_font if bold else theme.font,
            width=self.canvas.winfo_width() - 2 * theme.px(_MARGIN),
        )  # fmt: skip
