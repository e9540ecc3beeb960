"""Every RTSP request and reply as it went over the wire, each header explained."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.theme import Theme
from rtplab.player.traffic import Traffic
from rtplab.protocol.explain import explain_message
from rtplab.protocol.rtsp import printable
from rtplab.receiving.capture import Message

MAX_LINE = 400  # characters of a line that are shown


class MessagesPage(ttk.Frame):
    """A text that grows at its end."""

    def __init__(
        self, master: tk.Misc, theme: Theme, traffic: Traffic, save_capture: Callable[[], None]
    ) -> None:
        """`save_capture` writes what has been observed into a file."""
        super().__init__(master)
        self._theme = theme
        self._traffic = traffic
        self._shown = 0
        px = theme.px
        tools = ttk.Frame(self, padding=(px(12), px(8)))
        tools.pack(side="bottom", fill="x")
        self._ends = tk.BooleanVar(self, False)
        self.line_ends = ttk.Checkbutton(
            tools, text="Show line ends", variable=self._ends, command=self._again
        )
        self.line_ends.pack(side="left")
        save = ttk.Button(tools, text="Save capture …", command=save_capture)
        save.pack(side="right")
        self.text = tk.Text(
            self, wrap="word", borderwidth=0, highlightthickness=0, padx=px(12), pady=px(8),
            font=theme.fixed_font, spacing1=px(1), cursor="arrow", width=1, height=1,
            state="disabled",
        )  # fmt: skip
        bar = ttk.Scrollbar(self, command=self.text.yview)
        self.text.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.text.pack(side="left", fill="both", expand=True)
        self.text.bind("<Map>", lambda event: self.text.see("end"))
        self.bind("<<ThemeChanged>>", lambda event: self._colour())
        self._colour()

    def _colour(self) -> None:
        theme = self._theme
        p, px, text = theme.palette, theme.px, self.text
        text.configure(background=p.window, foreground=p.text, selectbackground=p.accent)
        text.tag_configure("sent", foreground=p.accent, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("received", foreground=p.good, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("failed", foreground=p.bad, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("ends", foreground=p.warning, background=p.raised, font=theme.small_font)
        text.tag_configure(
            "meaning", foreground=p.muted, font=theme.small_font,
            lmargin1=px(16), lmargin2=px(16), spacing3=px(3),
        )  # fmt: skip

    def refresh(self) -> None:
        """Add what is new."""
        count = self._traffic.message_count
        new = count - self._shown
        if not new:
            return
        messages = self._traffic.messages
        at_end = self.text.yview()[1] > 0.999
        self.text.configure(state="normal")
        for message in messages[-new:] if new < len(messages) else messages:
            self._add(message)
        self.text.configure(state="disabled")
        self._shown = count
        if at_end:
            self.text.see("end")

    def _again(self) -> None:
        self.text.configure(state="normal")
        self.text.delete("1.0", "end")
        self._shown = 0
        self.refresh()

    def _add(self, message: Message) -> None:
        lines = explain_message(message.data)
        kind = "sent" if message.sent else "received"
        if not message.sent and lines and " 200" not in lines[0].text:
            kind = "failed"
        arrow = "→ to the server" if message.sent else "← from the server"
        moment = time.strftime("%H:%M:%S", time.localtime(message.when))
        thousandths = int(message.when % 1 * 1000)
        self.text.insert("end", f"{arrow}   {moment}.{thousandths:03}\n", kind)
        for line in lines:
            self.text.insert("end", printable(line.text, MAX_LINE))
            if self._ends.get():
                for name in line.visible_end.split():
                    self.text.insert("end", " ", "", f" {name} ", "ends")
            self.text.insert("end", "\n")
            if line.meaning and line.text:
                self.text.insert("end", f"{line.meaning}\n", "meaning")
