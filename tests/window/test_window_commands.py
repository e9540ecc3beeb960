"""Keyboard, menu, tooltips and the dialog that opens something else."""

from __future__ import annotations

from collections import Counter

import pytest
from display import pump
from PIL import ImageGrab
from processes import HOST
from test_palette import contrast
from windows import (
    answer,
    asked,
    client_of,
    dialogs_of,
    enabled,
    entries_of,
    focus,
    middle_of,
    words,
)

from rtplab.player.dialogs import ConfirmDialog, LoginDialog, OpenDialog
from rtplab.player.model import history
from rtplab.player.model.commands import BY_NAME, MENUS, PAGES
from rtplab.player.model.history import Address
from rtplab.player.savedialog import SaveDialog

pytestmark = pytest.mark.peers


def test_all_is_reached_by_keyboard_alone(watch, root, display):
    player = watch()
    focus(root, display)
    reached = set()
    for _ in range(20):
        root.update()
        reached.add(root.focus_get())
        display.key("Tab")
        pump(root, lambda: False, limit=0.05)
    wanted = {player.pause, player.teardown, player.window.controls.bar.slider}
    wanted |= set(player.window.controls.bar.buttons.values())
    assert wanted <= reached


@pytest.mark.parametrize("colours", ["dark", "light"])
def test_the_focus_is_seen_wherever_it_is(watch, root, display, colours):
    """At least 16 pixels of the widget that has it change by 3:1 (WCAG 2.2, 2.4.13)."""
    player = watch()
    window = player.window
    assert pump(root, lambda: window.state.seekable and window.picture.number > 3)
    window.controller.pause()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    window.panel.toggle()
    if colours == "light":
        window.actions["colours"]()
    unseen, looked_at = [], set()
    for page in PAGES:
        window.panel.show(page)
        pump(root, lambda: False, limit=0.3)
        widget = first = window.picture
        while (widget := widget.tk_focusNext()) is not first:
            if str(widget) not in looked_at and str(widget) != str(window.picture):
                looked_at.add(str(widget))
                if not _focus_is_seen(root, display, widget, window.picture):
                    unseen.append((page, str(widget), widget.winfo_class()))
    assert not unseen
    assert len(looked_at) > 20


@pytest.mark.parametrize("colours", ["dark", "light"])
def test_the_focus_is_seen_in_every_question(player, root, display, colours, tmp_path):
    if colours == "light":
        player.window.actions["colours"]()
    recent = [Address("localhost", 5678, 0, f"{letter}.Mjpeg") for letter in "ab"]
    questions = (
        lambda: OpenDialog(root, recent, lambda address: None),
        lambda: LoginDialog(root, "Who?", "here", "", lambda *answer: None, needs_basic=True),
        lambda: ConfirmDialog(root, "Really?", "Yes", lambda: None),
        lambda: SaveDialog(root, "Save", tmp_path / "a.pcap", lambda path: None),
    )
    unseen = []
    for ask in questions:
        window = ask().window
        root.update()
        first = widget = window.tk_focusNext()
        while (widget := widget.tk_focusNext()) is not first:
            if not _focus_is_seen(root, display, widget, first):
                unseen.append((window.title(), widget.winfo_class()))
        if not _focus_is_seen(root, display, first, first.tk_focusNext()):
            unseen.append((window.title(), first.winfo_class()))
        window.destroy()
    assert not unseen


def _focus_is_seen(root, display, widget, other) -> bool:
    pictures = []
    for one in (other, widget):
        one.focus_force()
        assert pump(root, lambda one=one: root.focus_get() is one)
        root.update()  # what is drawn for it
        root.winfo_pointerx()  # the answer comes when it is drawn
        pictures.append(_picture_of(display, widget))
    bytes_of_both = zip(*pictures, strict=True)
    changes = Counter(pair for pair in zip(*[bytes_of_both] * 3, strict=True))
    return sum(count for change, count in changes.items() if _contrast(change) >= 3) >= 16


def _picture_of(display, widget) -> bytes:
    x, y = widget.winfo_rootx(), widget.winfo_rooty()
    box = x, y, x + widget.winfo_width(), y + widget.winfo_height()
    return ImageGrab.grab(bbox=box, xdisplay=display.name).convert("RGB").tobytes()


def _contrast(change: tuple[tuple[int, int], ...]) -> float:
    """Of a pixel that has changed; red, green and blue have both values each."""
    return contrast(*("#" + bytes(values).hex() for values in zip(*change, strict=True)))


def test_there_is_an_action_for_every_command_and_a_command_for_every_action(player):
    assert set(player.window.actions) == set(BY_NAME)


@pytest.mark.parametrize("lock", ["Caps_Lock", "Num_Lock", "Scroll_Lock"])
def test_a_key_works_whatever_lock_is_on(watch, root, display, lock):
    player = watch()
    focus(root, display)
    display.key(lock)
    try:
        display.key("i")
        assert pump(root, lambda: player.window.panel.open)
        focus(root, display)
        display.key("r")
        assert pump(root, lambda: player.window.state.recording)
        assert player.window.controller.recorder.stop().path.suffix == ".Mjpeg"
    finally:
        display.key(lock)


@pytest.fixture
def a_mac(root):
    """What Tk says of a Mac's screen, whose right button is its number 2 up to Tk 8.6."""
    root.tk.eval(
        "rename tk real_tk\n"
        'proc tk args {if {$args eq "windowingsystem"} {return aqua}; uplevel 1 real_tk $args}'
    )


@pytest.mark.parametrize("button", [2, 3])
def test_a_mac_s_right_button_opens_the_menu(a_mac, player, root, display, button):
    display.click(*middle_of(player.window.picture), button=button)
    assert pump(root, lambda: _menus_of(root))


@pytest.mark.parametrize(("key", "is_meant"), [("alt+n", True), ("ctrl+n", False)])
def test_a_mac_s_command_key_is_meant_where_others_press_control(
    a_mac, player, root, display, key, is_meant
):
    """It is the modifier that is called Alt elsewhere."""
    focus(root, display)
    display.key(key)
    assert pump(root, lambda: bool(dialogs_of(root)), limit=10.0 if is_meant else 0.5) is is_meant


def test_the_menu_is_reached_and_used_by_keys(watch, root, display):
    watch()
    focus(root, display)
    display.key("F10")
    assert pump(root, lambda: _menus_of(root))
    pump(root, lambda: False, limit=0.2)
    display.key("Down", "Right", "Return")  # the first command of the first menu
    assert pump(root, lambda: asked(root, "lab server"))


def test_each_submenu_is_opened_by_a_letter_of_its_own(player, root, display):
    player.window.actions["menu"]()
    (menu,) = _menus_of(root)
    assert pump(root, lambda: menu.winfo_ismapped())
    numbers = range(menu.index("end") + 1)
    titles = [menu.entrycget(number, "label") for number in numbers]
    letters = [
        title[int(menu.entrycget(number, "underline"))].lower()
        for number, title in enumerate(titles)
    ]
    assert titles == list(MENUS) and len(set(letters)) == len(MENUS)
    number = titles.index("Panel")
    display.key(letters[number])
    submenu = menu.nametowidget(menu.entrycget(number, "menu"))
    assert pump(root, lambda: submenu.winfo_ismapped())
    display.key("Escape", "Escape")


def test_the_arrow_of_a_submenu_is_lit_and_opens_it_like_the_rest_of_its_line(watch, root, display):
    history.save(history.Settings([Address(url="rtsp://host/movie")]))
    player = watch()
    player.window.actions["menu"]()
    (menu,) = _menus_of(root)
    assert pump(root, lambda: menu.winfo_ismapped())
    arrows = [child for child in menu.winfo_children() if child.winfo_class() == "Label"]
    assert len(arrows) == 5
    assert pump(root, lambda: arrows[0].winfo_ismapped())
    x, y = middle_of(arrows[0])
    display.move(x - 40, y + 60)
    root.update()
    display.move(x, y + 1)
    display.move(x, y)
    submenu = menu.nametowidget(menu.entrycget(0, "menu"))
    assert pump(root, lambda: submenu.winfo_ismapped())
    accent = player.window.theme.palette.accent
    assert [str(each.cget("background")) == accent for each in arrows] == [True] + 4 * [False]
    inner = [child for child in submenu.winfo_children() if child.winfo_class() == "Label"]
    assert len(inner) == 1  # of those that have been played
    display.key("Escape", "Escape")


def test_the_window_stays_above_others_while_that_is_wanted(watch, root, display, monkeypatch):
    """Without a window manager nobody obeys: what it is told is looked at."""
    player = watch()
    focus(root, display)
    told = []
    monkeypatch.setattr(root, "attributes", lambda *arguments: told.append(arguments))
    for number, said in enumerate(("Always", "No longer"), start=1):
        display.key("shift+t")
        assert pump(root, lambda number=number: len(told) == number)
        assert said in words(player)
    assert told == [("-topmost", True), ("-topmost", False)]


def _menus_of(root) -> list:
    return [child for child in root.winfo_children() if child.winfo_class() == "Menu"]


def test_the_mouse_upon_a_button_is_told_what_it_does(watch, root, display):
    player = watch()
    root.update()
    display.move(*middle_of(player.window.controls.bar.buttons["snapshot"]))
    assert pump(root, lambda: "Save snapshot  (s)" in _tooltips(root))
    display.move(100, 100)
    assert pump(root, lambda: not _tooltips(root))


def test_a_disabled_button_says_why_and_no_tooltip_stays(player, root, display):
    assert pump(root, lambda: not player.window.state.waiting)
    for _ in range(2):  # from a menu's grab the mouse comes a second time
        player.pause.event_generate("<Enter>")
    assert pump(root, lambda: "press Setup" in _tooltips(root))
    player.pause.event_generate("<Leave>")
    pump(root, lambda: False, limit=0.8)
    assert _tooltips(root) == ""
    snapshot = player.window.controls.bar.buttons["snapshot"]
    snapshot.event_generate("<Enter>")
    assert pump(root, lambda: "no picture" in _tooltips(root))
    snapshot.grid_remove()
    assert pump(root, lambda: _tooltips(root) == "")


def _tooltips(widget) -> str:
    """What all windows within a widget say."""
    texts = ""
    for child in widget.winfo_children():
        if child.winfo_class() == "Toplevel":
            texts += "".join(str(label.cget("text")) for label in child.winfo_children())
        texts += _tooltips(child)
    return texts


def test_the_help_lists_every_key(watch, root, display):
    player = watch()
    focus(root, display)
    display.key("question")
    assert pump(root, lambda: "Save snapshot" in words(player))
    display.key("Escape")
    assert pump(root, lambda: "Save snapshot" not in words(player))


def test_the_open_dialog_plays_something_else_here(watch, root, display, server):
    watch()
    focus(root, display)
    display.key("o")
    assert pump(root, lambda: asked(root, "lab server"))
    all_of_it = ("ctrl+slash",)  # Tk's key for it on X11
    answer(root, display, *all_of_it, " ", "Return")
    assert pump(root, lambda: asked(root, "the server"))
    answer(root, display, *all_of_it, HOST, "Tab", *all_of_it, str(server.port), "Return")
    assert pump(root, lambda: client_of(root).movie_name == "movie.Mjpeg")
    other = client_of(root)
    try:
        assert pump(root, lambda: bool(other.window.picture.jpeg)), other.error
    finally:
        other.close()


def test_what_was_opened_lately_is_played_again_by_keys_alone(player, root, display, server):
    url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
    history.save(history.Settings([Address(HOST, server.port, 0, "other.Mjpeg"), Address(url=url)]))
    focus(root, display)
    display.key("o")
    assert pump(root, lambda: asked(root, "Recently played"))
    (dialog,) = dialogs_of(root)
    display.move(*middle_of(dialog))  # without a window manager keys go where the mouse is
    for _ in range(12):
        if root.focus_get().winfo_class() == "Treeview":
            break
        press(root, display, "Tab")
    assert root.focus_get().winfo_class() == "Treeview"
    press(root, display, "Down")
    assert [entry.get() for entry in entries_of(dialog)][3] == "other.Mjpeg"
    press(root, display, "Down")
    chosen = root.focus_get()
    assert [chosen.item(item, "text") for item in chosen.selection()] == [url]
    press(root, display, "Return")
    assert pump(root, lambda: client_of(root).movie_name == url)
    other = client_of(root)
    try:
        assert pump(root, lambda: bool(other.window.picture.jpeg)), other.error
    finally:
        other.close()


def press(root, display, key: str) -> None:
    display.key(key)
    pump(root, lambda: False, limit=0.05)
