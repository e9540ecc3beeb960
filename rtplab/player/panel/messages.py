"""Every RTSP request and reply as it went over the wire, each header explained."""

from __future__ import annotations

import time
import tkinter as tk
from collections import deque
from collections.abc import Callable
from tkinter import ttk

from rtplab.player.look.theme import Theme
from rtplab.player.model.exchanges import RoundTrips, seconds_text
from rtplab.player.model.traffic import Remark, Traffic
from rtplab.protocol.rtsp.explain import explain_message
from rtplab.protocol.rtsp.messages import printable
from rtplab.receiving.files.capture import CapturedMessage

MAX_LINE = 400  # characters of a line that are shown
MAX_LINES = 200  # of a message that are shown: a head has 100 at the most
MAX_CHARACTERS = 32 * 1024  # of a message, but for its last line: escapes are long
# Bounds of the page: laying out more would stall the picture. Enough for 300 usual messages.
MAX_PAGE_LINES = 4000
MAX_PAGE_CHARACTERS = 256 * 1024

# Tk's own bindings would move an invisible cursor.
_SCROLLING: dict[str, tuple[object, ...]] = {
    "<Up>": ("scroll", -1, "units"),
    "<Down>": ("scroll", 1, "units"),
    "<Prior>": ("scroll", -1, "pages"),
    "<Next>": ("scroll", 1, "pages"),
    "<Home>": ("moveto", 0),
    "<End>": ("moveto", 1),
}

Pieces = list[str]  # text and tag, text and tag, as Text.insert takes them


class MessagesPage(ttk.Frame):
    """A text to which new messages are appended.

    It has more attributes than other classes: four measure what is on the page, three are widgets.
    """

    def __init__(
        self, master: tk.Misc, theme: Theme, traffic: Traffic, save_capture: Callable[[], None]
    ) -> None:
        """`save_capture` writes the observed traffic into a file."""
        super().__init__(master)
        self._theme = theme
        self._traffic = traffic
        self._shown = 0
        # Lines and characters of each message on the page, and of all of them.
        self._sizes: deque[tuple[int, int]] = deque()
        self._wanted = ""  # the line to scroll to when the page appears; "" for the last
        self._entries: deque[CapturedMessage | Remark] = deque()  # on the page
        self._lines = self._characters = 0
        px = theme.px
        tools = ttk.Frame(self, padding=(px(12), px(8)))
        tools.pack(side="bottom", fill="x")
        self._round_trips = RoundTrips()
        self._ends = tk.BooleanVar(self, False)
        self.line_ends = ttk.Checkbutton(
            tools, text="Show line ends", variable=self._ends, command=self._again
        )
        self.line_ends.pack(side="left")
        save = ttk.Button(tools, text="Save capture …", command=save_capture)
        save.pack(side="right")
        self.copy = ttk.Button(tools, text="Copy", command=self._copy)
        self.copy.pack(side="right", padx=px(6))
        self.text = tk.Text(
            self, wrap="word", borderwidth=0, highlightthickness=px(2), padx=px(10), pady=px(6),
            font=theme.fixed_font, spacing1=px(1), cursor="arrow", width=1, height=1,
            state="disabled", takefocus=True,
        )  # fmt: skip
        bar = ttk.Scrollbar(self, command=self.text.yview)
        self.text.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.text.pack(side="left", fill="both", expand=True)
        for key, scroll in _SCROLLING.items():
            self.text.bind(key, lambda event, scroll=scroll: self._scroll(*scroll))  # type: ignore[misc]
        self.text.bind("<Double-Button-1>", self._select_message)
        self.text.bind("<Map>", lambda event: self._mapped())
        self.bind("<<ThemeChanged>>", lambda event: self._colour())
        self.bind("<Destroy>", self._destroyed)
        self._colour()
        self._write_nothing()

    def _write_nothing(self) -> None:
        """Say why the page is empty, until there is a message."""
        self.text.configure(state="normal")
        self.text.insert("1.0", "No message has been sent so far: press Setup.", "nothing")
        self.text.configure(state="disabled")

    def _mapped(self) -> None:
        self.text.see(self._wanted or "end")
        self._wanted = ""

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        del self._ends  # now: a collection in another thread would wait for Tk

    def _colour(self) -> None:
        theme = self._theme
        p, px, text = theme.palette, theme.px, self.text
        text.configure(
            background=p.window, foreground=p.text, selectbackground=p.accent,
            selectforeground=p.on_accent, inactiveselectbackground=p.accent,
            highlightbackground=p.window, highlightcolor=p.accent,
        )  # fmt: skip
        text.tag_configure("sent", foreground=p.accent, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("received", foreground=p.good, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("failed", foreground=p.bad, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("forgiven", foreground=p.warning, font=theme.bold_font, spacing1=px(12))
        text.tag_configure("ends", foreground=p.warning, background=p.raised, font=theme.small_font)
        text.tag_configure(
            "meaning", foreground=p.muted, font=theme.small_font,
            lmargin1=px(16), lmargin2=px(16), spacing3=px(3),
        )  # fmt: skip
        text.tag_configure("nothing", foreground=p.muted, font=theme.small_font)
        text.tag_raise("sel")  # what is selected has one colour, whatever it was before

    def refresh(self) -> None:
        """Add the new messages."""
        count = self._traffic.message_count
        new = count - self._shown
        if not new:
            return
        messages = self._traffic.story
        self._shown = count
        at_end = self.text.yview()[1] > 0.999
        self.text.configure(state="normal")
        if not self._sizes:
            self.text.delete("1.0", "end")
        told = [
            (one, None if isinstance(one, Remark) else self._round_trips.take(one))
            for one in messages[-new:]
        ]
        for pieces in self._newest(told):
            self.text.insert("end", *pieces)
        while self._is_full():
            lines, characters = self._sizes.popleft()
            self._entries.popleft()
            self._lines -= lines
            self._characters -= characters
            self.text.delete("1.0", f"{lines + 1}.0")
        self.text.configure(state="disabled")
        if at_end:
            self.text.see("end")

    def show(self, message: CapturedMessage) -> None:
        """Scroll to this message and select it, if it is on the page."""
        self.refresh()
        first = 1
        for entry, (lines, _) in zip(self._entries, self._sizes, strict=True):
            if entry is message:
                self.text.tag_remove("sel", "1.0", "end")
                self.text.tag_add("sel", f"{first}.0", f"{first + lines}.0")
                self.text.see(f"{first}.0")
                if not self.text.winfo_ismapped():
                    self._wanted = f"{first}.0"
                return
            first += lines

    def _newest(
        self, messages: list[tuple[CapturedMessage | Remark, float | None]]
    ) -> list[Pieces]:
        """Return as many of the newest as the page can hold, oldest first, and count them."""
        chosen: list[Pieces] = []
        sizes: list[tuple[int, int]] = []
        lines = characters = 0
        for message, round_trip in reversed(messages):
            pieces = self._pieces(message, round_trip)
            size = sum(text.count("\n") for text in pieces[::2]), sum(map(len, pieces[::2]))
            lines, characters = lines + size[0], characters + size[1]
            if lines > MAX_PAGE_LINES or characters > MAX_PAGE_CHARACTERS:
                break
            chosen.append(pieces)
            sizes.append(size)
        self._sizes += reversed(sizes)
        self._entries += [message for message, _ in messages[len(messages) - len(sizes) :]]
        self._lines += sum(lines for lines, _ in sizes)
        self._characters += sum(characters for _, characters in sizes)
        return chosen[::-1]

    def _is_full(self) -> bool:
        return self._lines > MAX_PAGE_LINES or self._characters > MAX_PAGE_CHARACTERS

    def _again(self) -> None:
        self.text.configure(state="normal")
        self.text.delete("1.0", "end")
        self._sizes.clear()
        self._entries.clear()
        self._shown = self._lines = self._characters = 0
        self._round_trips = RoundTrips()
        self.refresh()
        if not self._sizes:
            self._write_nothing()

    def _copy(self) -> None:
        """Copy the selection to the clipboard, or every message if nothing is selected."""
        if self.text.tag_ranges("sel"):
            copied = self.text.get("sel.first", "sel.last")
        else:
            heads = (message.data.decode("utf-8", "replace") for message in self._traffic.messages)
            copied = "\n".join(head.replace("\r\n", "\n").rstrip() + "\n" for head in heads)
        self.clipboard_clear()
        self.clipboard_append(copied)

    def _scroll(self, *how: object) -> str:
        self.text.yview(*how)
        return "break"

    def _select_message(self, event: tk.Event[tk.Misc]) -> str | None:
        """Select the message whose heading is under the mouse, to copy it."""
        tags = self.text.tag_names(f"@{event.x},{event.y}")
        if not {"sent", "received", "failed", "forgiven"}.intersection(tags):
            return None  # a word is meant
        line = int(self.text.index(f"@{event.x},{event.y}").partition(".")[0])
        first = 1
        for lines, _ in self._sizes:
            if first <= line < first + lines:
                self.text.tag_remove("sel", "1.0", "end")
                self.text.tag_add("sel", f"{first + 1}.0", f"{first + lines}.0")
            first += lines
        return "break"

    def _pieces(self, message: CapturedMessage | Remark, round_trip: float | None) -> Pieces:
        moment = time.strftime("%H:%M:%S", time.localtime(message.when))
        moment += f".{int(message.when % 1 * 1000):03}"
        if isinstance(message, Remark):
            return [f"Forgiven   {moment}\n", "forgiven", f"{message.sentence}\n", ""]
        lines = explain_message(message.data)
        kind = "sent" if message.sent else "received"
        if not message.sent and lines and " 200" not in lines[0].text:
            kind = "failed"
        arrow = "→ to the server" if message.sent else "← from the server"
        after = "" if round_trip is None else f"   after {seconds_text(round_trip)}"
        pieces = [f"{arrow}   {moment}{after}\n", kind]
        characters = shown = 0
        while shown < min(len(lines), MAX_LINES) and characters < MAX_CHARACTERS:
            line, text = lines[shown], printable(lines[shown].text, MAX_LINE)
            shown, characters = shown + 1, characters + len(text)
            pieces += [text, ""]
            if self._ends.get():
                for name in line.visible_end.split():
                    pieces += [" ", "", f" {name} ", "ends"]
            pieces += ["\n", ""]
            if line.meaning and line.text:
                pieces += [f"{line.meaning}\n", "meaning"]
        if shown < len(lines):
            pieces += [f"… and {len(lines) - shown:,} more lines\n", "meaning"]
        return pieces
