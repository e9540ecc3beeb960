"""Dresses ttk in our palette: flat, rounded, and sharp at every scale of the screen."""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

from PIL import Image, ImageDraw, ImageTk

from rtplab.player.look import icons
from rtplab.player.look.palette import DARK, Palette

_OVERSAMPLING = 4  # curves are drawn this many times larger and then reduced
_UNSCALED = 96 / 72  # `tk scaling`, pixels per point, of a screen at 1x
_RADIUS = 6
_FOCUS = 2  # width of the outline that shows the focus, so that not only its colour does
_UNDERLINE = 3  # height of the line below the tab that is selected
_NAME = "rtplab"
PACKET_ROW = 20  # height of a line in a list of packets


class Theme:
    """The looks of all windows of one Tk interpreter; sizes are given at 1x.

    It has more attributes than other classes: six are fonts.
    """

    def __init__(self, root: tk.Misc) -> None:
        self.palette = DARK
        self.zoom = 1.0  # the viewer's
        self.screen_scale = max(1.0, float(root.tk.call("tk", "scaling")) / _UNSCALED)
        self.windowing_system = str(root.tk.call("tk", "windowingsystem"))  # x11, win32, aqua
        self._root = root
        self._style = ttk.Style(root)
        self._images: list[ImageTk.PhotoImage] = []  # Tk itself keeps no reference
        self._icons: dict[tuple[str, str, int], ImageTk.PhotoImage] = {}
        self._make_fonts()
        self.use(DARK)
        root.bind("<Destroy>", self._destroyed, add=True)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        """Free images and fonts now: a garbage collection in another thread would wait for Tk."""
        if event.widget is self._root:
            self._images.clear()
            self._icons.clear()
            del self._base, self.font, self.small_font, self.bold_font
            del self.caption_font, self.headline_font, self.fixed_font

    @staticmethod
    def of(widget: tk.Misc) -> Theme:
        """The theme of the interpreter that `widget` belongs to."""
        root = widget._root()  # type: ignore[attr-defined]
        if not hasattr(root, "_rtplab_theme"):
            root._rtplab_theme = Theme(root)
        theme = root._rtplab_theme
        assert isinstance(theme, Theme)
        return theme

    def use(self, palette: Palette) -> None:
        """Change the colours. Widgets that draw themselves are told by <<ThemeChanged>>."""
        self.palette = palette
        if self.name not in self._style.theme_names():
            self._create(palette)
        self._style.theme_use(self.name)
        self._colour_classic_widgets()

    def zoom_to(self, zoom: float) -> None:
        """Scale all text, and the space around it, to this multiple of its original size."""
        self.zoom = zoom
        for font, size in self._font_sizes():
            font.configure(size=-self.px(size))
        self.use(self.palette)

    @property
    def name(self) -> str:
        """A different name for each combination of colours and size."""
        return f"{_NAME}-{self.palette.name}-{round(100 * self.zoom)}"

    @property
    def scale(self) -> float:
        """Pixels of this screen for one of the design at 1x."""
        return self.screen_scale * self.zoom

    def px(self, length: float) -> int:
        """A length of the design at 1x in pixels of this screen."""
        return round(length * self.scale)

    def icon(self, name: str, colour: str = "", size: int = 18) -> ImageTk.PhotoImage:
        """An icon of icons.py, `size` at 1x, in a colour; by default that of text."""
        key = (name, colour or self.palette.text, self.px(size))
        if key not in self._icons:
            self._icons[key] = ImageTk.PhotoImage(icons.draw(*key), master=self._root)
        return self._icons[key]

    def spacer(self, width: int, height: int) -> ImageTk.PhotoImage:
        """A transparent image of a size at 1x: it pads menus, which have no padding themselves."""
        key = ("", "", self.px(width) << 16 | self.px(height))
        if key not in self._icons:
            nothing = Image.new("RGBA", (self.px(width), self.px(height)))
            self._icons[key] = ImageTk.PhotoImage(nothing, master=self._root)
        return self._icons[key]

    def _make_fonts(self) -> None:
        base = tkfont.nametofont("TkDefaultFont", root=self._root)
        family = str(base.actual("family"))
        fixed = str(tkfont.nametofont("TkFixedFont", root=self._root).actual("family"))
        # In pixels, so that text grows with everything else and with nothing but that.
        make = self._make_font
        self._base = base
        base.configure(size=-self.px(13))
        self.font = make(family, 13)
        self.small_font = make(family, 12)
        self.bold_font = make(family, 13, "bold")
        self.caption_font = make(family, 15)
        self.headline_font = make(family, 20, "bold")
        self.fixed_font = make(fixed, 12)

    def _font_sizes(self) -> tuple[tuple[tkfont.Font, int], ...]:
        """Each font and its size at 1x."""
        return (
            (self._base, 13),
            (self.font, 13),
            (self.small_font, 12),
            (self.bold_font, 13),
            (self.caption_font, 15),
            (self.headline_font, 20),
            (self.fixed_font, 12),
        )

    def _make_font(self, family: str, size: int, weight: str = "normal") -> tkfont.Font:
        # typeshed wants the weight as a literal
        return tkfont.Font(self._root, family=family, size=-self.px(size), weight=weight)  # type: ignore[arg-type]

    def _create(self, palette: Palette) -> None:
        self._style.theme_create(self.name, parent="clam")
        self._style.theme_use(self.name)
        style, p = self._style, palette
        style.configure(
            ".",
            background=p.window,
            foreground=p.text,
            font=self.font,
            bordercolor=p.border,
            lightcolor=p.window,
            darkcolor=p.window,
            troughcolor=p.trough,
            selectbackground=p.accent,
            selectforeground=p.on_accent,
            insertcolor=p.text,
            focuscolor=p.accent,
        )
        style.map(".", foreground=[("disabled", p.disabled)])
        style.configure("Muted.TLabel", foreground=p.muted)
        style.configure("Bold.TLabel", font=self.bold_font)
        style.configure("Bad.TLabel", foreground=p.bad)
        style.configure("Rule.TFrame", background=p.border)
        self._create_buttons(palette)
        self._create_fields(palette)

    def _create_buttons(self, p: Palette) -> None:
        self._style.element_create(
            "Rounded.button",
            "image",
            self._rounded(p.raised, p.border),
            ("disabled", self._rounded(p.window, p.border)),
            ("pressed", self._rounded(p.pressed, p.border)),
            ("focus", "active", self._rounded(p.hover, p.accent, _FOCUS)),
            ("focus", self._rounded(p.raised, p.accent, _FOCUS)),
            ("active", self._rounded(p.hover, p.border)),
            border=self.px(_RADIUS),
            padding=0,
            sticky="nsew",
        )
        self._style.element_create(
            "Flat.button",
            "image",
            self._rounded(p.window, p.window),
            ("disabled", self._rounded(p.window, p.window)),
            ("pressed", self._rounded(p.pressed, p.pressed)),
            ("focus", "active", self._rounded(p.hover, p.accent, _FOCUS)),
            ("focus", self._rounded(p.window, p.accent, _FOCUS)),
            ("active", self._rounded(p.hover, p.hover)),
            ("selected", self._rounded(p.raised, p.raised)),
            border=self.px(_RADIUS),
            padding=0,
            sticky="nsew",
        )
        for widget, element in (("TButton", "Rounded"), ("Flat.TButton", "Flat")):
            self._style.layout(widget, _button_layout(f"{element}.button"))
        self._style.configure("TButton", padding=(self.px(13), self.px(8)), anchor="center")
        self._style.configure("Flat.TButton", padding=self.px(9))
        self._style.configure("Small.TButton", padding=(self.px(10), self.px(2)))

    def _create_fields(self, p: Palette) -> None:
        style, px = self._style, self.px
        flat = {"lightcolor": p.raised, "darkcolor": p.raised}
        style.configure("TEntry", fieldbackground=p.raised, padding=px(5), **flat)
        focused: Any = {
            name: [("focus", p.accent)] for name in ("bordercolor", "lightcolor", "darkcolor")
        }  # an edge of two lines is wider
        style.map("TEntry", **focused)
        self._create_indicators(p)
        self._create_tabs(p)
        self._create_scale(p)
        style.configure(
            "TScrollbar",
            background=p.border,
            troughcolor=p.window,
            bordercolor=p.window,
            lightcolor=p.border,
            darkcolor=p.border,
            arrowcolor=p.text,
            arrowsize=px(12),
            gripcount=0,
        )
        style.map(
            "TScrollbar",
            background=[("active", p.muted), ("disabled", p.window)],
            arrowcolor=[("disabled", p.muted), ("active", p.window)],
        )
        style.configure(
            "Treeview", background=p.raised, fieldbackground=p.raised, foreground=p.text,
            rowheight=px(24), bordercolor=p.border, **flat,
        )  # fmt: skip
        style.map(
            "Treeview",
            background=[("selected", p.accent)],
            foreground=[("selected", p.on_accent)],
            **focused,
        )
        style.configure(
            "Treeview.Heading", background=p.window, foreground=p.muted, font=self.small_font,
            relief="flat", borderwidth=0, padding=(px(4), px(3)),
        )  # fmt: skip
        style.map("Treeview.Heading", background=[("active", p.hover)])
        style.configure("Packets.Treeview", font=self.small_font, rowheight=px(PACKET_ROW))

    def _create_tabs(self, p: Palette) -> None:
        """Tabs with a line below that shows which one is selected: colours alone say too little."""
        style, px = self._style, self.px
        style.element_create(
            "Lined.tab",
            "image",
            self._lined(p.window, p.window),
            ("selected", self._lined(p.raised, p.accent)),
            ("active", self._lined(p.hover, p.hover)),
            border=(1, 1, 1, px(_UNDERLINE) + 1),
            padding=0,
            sticky="nsew",
        )
        layout: Any = [("Notebook.label", {"sticky": ""})]
        for part in ("focus", "padding"):
            layout = [(f"Notebook.{part}", {"sticky": "nswe", "children": layout})]
        style.layout("TNotebook.Tab", [("Lined.tab", {"sticky": "nswe", "children": layout})])
        style.configure("TNotebook", borderwidth=0, tabmargins=(px(4), px(6), px(4), 0))
        style.configure(
            "TNotebook.Tab", padding=(px(4), px(6)), foreground=p.muted, font=self.small_font
        )
        style.map(
            "TNotebook.Tab",
            foreground=[("selected", p.text)],
            focuscolor=[("focus", p.accent), ("selected", p.raised), ("", p.window)],
        )

    def _lined(self, fill: str, line: str) -> ImageTk.PhotoImage:
        """A square that ttk stretches, with a line at its lower edge."""
        side = self.px(4 * _UNDERLINE)
        image = Image.new("RGB", (side, side), fill)
        ImageDraw.Draw(image).rectangle((0, side - self.px(_UNDERLINE), side, side), line)
        photo = ImageTk.PhotoImage(image, master=self._root)
        self._images.append(photo)
        return photo

    def _create_scale(self, p: Palette) -> None:
        style = self._style
        style.element_create("Line.trough", "image", self._line(p), sticky="ew", border=self.px(2))
        knob = self.icon("knob", p.accent, 16)
        lit = self.icon("knob", p.text, 16)
        focused = self.icon("chosen", p.text, 16)
        style.element_create("Knob.slider", "image", knob, ("focus", focused), ("active", lit))
        slider = ("Knob.slider", {"side": "left", "sticky": ""})
        layout: Any = [("Line.trough", {"sticky": "ew", "children": [slider]})]
        style.layout("Horizontal.TScale", layout)

    def _line(self, p: Palette) -> ImageTk.PhotoImage:
        """A thin line in the middle of the height that the knob needs."""
        image = Image.new("RGBA", (self.px(16), self.px(16)))
        top = self.px(6)
        ImageDraw.Draw(image).rectangle((0, top, self.px(16), top + self.px(4) - 1), p.trough)
        photo = ImageTk.PhotoImage(image, master=self._root)
        self._images.append(photo)
        return photo

    def _create_indicators(self, p: Palette) -> None:
        """Check and radio marks, drawn as the icons are."""
        for kind, shapes in (("Check", ("box", "checked")), ("Radio", ("ring", "chosen"))):
            off, lit, on = (
                self.icon(shapes[0], p.muted, 16),
                self.icon(shapes[0], p.text, 16),
                self.icon(shapes[1], p.accent, 16),
            )
            name = f"{kind}.indicator"
            self._style.element_create(
                name, "image", off, ("selected", on), ("active", lit), sticky="w",
                width=self.px(22),
            )  # fmt: skip
            indicator = (f"{kind}.indicator", {"side": "left", "sticky": ""})
            label = (f"{kind}button.label", {"side": "left", "sticky": "nswe"})
            focus = (f"{kind}button.focus", {"side": "left", "sticky": "", "children": [label]})
            layout: Any = [(f"{kind}button.padding", {"children": [indicator, focus]})]
            self._style.layout(f"T{kind}button", layout)
            self._style.configure(f"T{kind}button", padding=self.px(2))
            self._style.map(f"T{kind}button", background=[("active", p.window)])

    def _rounded(self, fill: str, outline: str, wide: float = 1) -> ImageTk.PhotoImage:
        """A rounded square that ttk stretches in its middle, with an outline `wide` at 1x."""
        side, line = self.px(4 * _RADIUS), max(1, self.px(wide))
        n = _OVERSAMPLING
        image = Image.new("RGBA", (side * n, side * n))
        ImageDraw.Draw(image).rounded_rectangle(
            (0, 0, side * n - 1, side * n - 1), self.px(_RADIUS) * n, fill, outline, line * n
        )
        photo = ImageTk.PhotoImage(
            image.resize((side, side), Image.Resampling.BOX), master=self._root
        )
        self._images.append(photo)
        return photo

    def _colour_classic_widgets(self) -> None:
        """Set the option database: menus and the like are not ttk widgets."""
        p, add = self.palette, self._root.option_add
        for pattern, value in (
            ("*Menu.background", p.menu),
            ("*Menu.foreground", p.text),
            ("*Menu.activeBackground", p.accent),
            ("*Menu.activeForeground", p.on_accent),
            ("*Menu.disabledForeground", p.disabled),
            ("*Menu.selectColor", p.text),
            ("*Menu.relief", "flat"),
            ("*Menu.borderWidth", str(self.px(1))),
            ("*Menu.activeBorderWidth", "0"),
            ("*Toplevel.background", p.window),
            ("*Dialog.background", p.window),
            ("*Dialog.msg.font", str(self.font)),
        ):
            add(pattern, value, "widgetDefault")


def _button_layout(element: str) -> Any:
    label = ("Button.label", {"sticky": "nswe"})
    padding = ("Button.padding", {"sticky": "nswe", "children": [label]})
    return [(element, {"sticky": "nswe", "children": [padding]})]
