"""The window on screens at 1.5x and 2x: the picture is sharp, and nothing is cut off."""

from __future__ import annotations

import io

import pytest
from display import pump
from PIL import Image, ImageChops, ImageDraw, ImageStat
from processes import HOST, ServerProcess
from windows import asked, dialogs_of, enabled, focus, picture_box, words

from rtplab.player.model.commands import MENUS, PAGES
from rtplab.player.model.status import Headline

pytestmark = pytest.mark.peers
UNSCALED = 96 / 72  # `tk scaling`, pixels a point, of a screen at 1x
SIZE = 1280, 960  # of the picture: smaller and larger than what is shown of it
GREY_LEVELS = 3.0  # of 255 that a picture may differ, on average, from what it should be


@pytest.fixture(scope="module")
def sharp_movie(tmp_path_factory):
    """A movie of one picture, full of lines that are gone when it is decoded too small."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for x in range(0, SIZE[0], 3):
        draw.line((x, 0, x, SIZE[1] // 2), (x % 256, 0, 0))
    for y in range(SIZE[1] // 2, SIZE[1], 5):
        draw.line((0, y, SIZE[0], y + 40), (0, 0, y % 256), 2)
    image.save(jpeg := io.BytesIO(), "JPEG", quality=70)
    path = tmp_path_factory.mktemp("sharp") / "sharp.mjpeg"
    path.write_bytes(jpeg.getvalue() * 20)
    return path


@pytest.fixture(params=[1.5, 2.0])
def scale(request, root):
    root.tk.call("tk", "scaling", request.param * UNSCALED)
    return request.param


@pytest.fixture
def paused(scale, sharp_movie, open_player, root):
    """A player that shows the sharp picture and stands still."""
    with ServerProcess(sharp_movie.parent, "--loop") as server:
        player = open_player(0, f"rtsp://{HOST}:{server.port}/sharp.mjpeg")
        player.window.play()
        assert pump(root, lambda: bool(player.window.picture.jpeg)), player.error
        player.pause.invoke()
        assert pump(root, lambda: enabled(player) == ["start", "teardown"])
        yield player
        player.close()


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, in grey levels."""
    return ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).mean[0]


def resized(player, root, display, size: str) -> Image.Image:
    """What the screen shows of the picture once the window and the picture have their new sizes."""
    root.geometry(size)
    area = player.window.picture

    def fits() -> bool:
        left, top, right, bottom = area.box
        is_large = right - left == area.winfo_width() or bottom - top == area.winfo_height()
        return is_large and size == f"{root.winfo_width()}x{root.winfo_height()}"

    assert pump(root, fits)
    root.winfo_pointerx()  # the answer comes when all before it is drawn
    return display.screenshot().crop(picture_box(player))


def assert_sharp(shown: Image.Image, jpeg: bytes) -> None:
    with Image.open(io.BytesIO(jpeg)) as whole:
        decoded = whole.convert("RGB")
    expected = decoded.resize(shown.size, Image.Resampling.BILINEAR)
    halved = (shown.width // 2, shown.height // 2)
    blurred = decoded.resize(halved, Image.Resampling.BOX).resize(
        shown.size, Image.Resampling.BILINEAR
    )
    assert difference(shown, expected) < GREY_LEVELS < difference(blurred, expected) / 2


def test_the_picture_is_as_sharp_as_its_size_allows(paused, scale, root, display):
    jpeg = paused.window.picture.jpeg
    for size in ("1500x1150", "1100x900"):
        shown = resized(paused, root, display, size)
        assert shown.width > 0.6 * root.winfo_width()
        assert_sharp(shown, jpeg)


def test_a_size_that_comes_while_the_last_is_decoded_is_not_forgotten(paused, root, display):
    for size in ("1500x1150", "1100x900", "1400x1000"):
        paused.window.picture.show(paused.window.picture.jpeg)
        resized(paused, root, display, size)


def test_nothing_of_the_window_is_cut_off(paused, scale, root, display):
    theme = paused.window.theme
    assert theme.scale == pytest.approx(scale, rel=0.01)  # Tk counts in millimetres
    assert_complete(root)
    focus(root, display)
    panel = paused.window.panel
    for number in range(len(PAGES)):
        display.key(str(number + 1))
        assert pump(root, lambda n=number: panel.open and panel.notebook.index("current") == n)
        pump(root, lambda: False, limit=0.4)  # until it shows its first numbers
        assert_complete(root)
    panel.toggle()
    focus(root, display)
    display.key("o")
    assert pump(root, lambda: asked(root, "lab server"))
    (dialog,) = dialogs_of(root)
    assert_complete(dialog)


def test_the_keys_are_large_enough_to_read_on_every_page(paused, scale, root, display):
    area, told = paused.window.picture, ""
    focus(root, display)
    display.key("question")
    assert pump(root, lambda: "Save snapshot" in words(paused))
    while paused.window.picture.keys_overlay.shown:
        texts = [item for item in area.find_withtag("keys") if area.type(item) == "text"]
        for item in texts:
            size = int(root.tk.splitlist(area.itemcget(item, "font"))[1])  # pixels, if negative
            assert size <= -10 * scale
            left, top, right, bottom = area.bbox(item)
            assert 0 <= left and 0 <= top
            assert right <= area.winfo_width() and bottom <= area.winfo_height()
        told += (page := words(paused))
        display.key("question")
        assert pump(root, lambda page=page: words(paused) != page)
    assert all(text in told for text in ("Save snapshot", "Teardown", "Mark A", "Light or dark"))


@pytest.mark.parametrize("number", [7, 999_999, 4_294_967_295])
def test_of_a_frame_number_the_end_is_seen_however_long_it_is(number, paused, root):
    row = paused.window.controls.lab_row
    row.show_number(number)
    root.update_idletasks()
    assert row.number.get() == f"Frame {number}"
    assert row.number.xview()[1] == 1.0


@pytest.mark.parametrize("colours", ["dark", "light"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_frame_number_is_written_like_the_state_next_to_it(
    root, display, watch, scale, colours
):
    root.tk.call("tk", "scaling", scale * UNSCALED)
    player = watch()
    if colours != player.window.theme.palette.name:
        player.window.actions["colours"]()
    player.pause.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    pump(root, lambda: False, limit=0.2)
    row, theme = player.window.controls.lab_row, player.window.theme
    palette = theme.palette
    font = root.tk.call("font", "actual", row.number.cget("font"))
    assert font == root.tk.call("font", "actual", str(theme.font))
    shot = display.screenshot()
    boxes = [
        ink(shot, label, colour)
        for label, colour in ((row.number, palette.muted), (row.state_name, palette.text))
    ]
    assert boxes[0][1::2] == boxes[1][1::2], "capitals end where those of the other do"
    assert 0 < boxes[1][0] - boxes[0][2] < theme.px(60)


def ink(shot: Image.Image, label, colour: str) -> tuple[int, int, int, int]:
    """Where a text is in a picture of the screen, by its colour."""
    left, top = label.winfo_rootx(), label.winfo_rooty()
    box = left, top, left + label.winfo_width(), top + label.winfo_height()
    within = shot.crop(box)
    wanted = Image.new("RGB", within.size, colour)
    far = ImageChops.difference(within, wanted).convert("L").point(lambda grey: 255 * (grey < 60))
    found = far.getbbox()
    assert found is not None
    return found[0] + left, found[1] + top, found[2] + left, found[3] + top


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_menu_has_an_edge_and_nothing_before_what_is_not_available(root, display, watch, scale):
    root.tk.call("tk", "scaling", scale * UNSCALED)
    player = watch()
    theme = player.window.theme
    focus(root, display)
    player.window.actions["menu"]()
    (menu,) = (child for child in root.winfo_children() if child.winfo_class() == "Menu")
    assert pump(root, lambda: menu.winfo_ismapped())
    pump(root, lambda: False, limit=0.2)
    display.key("e")
    number = list(MENUS).index("Session")
    submenu = menu.nametowidget(menu.entrycget(number, "menu"))
    assert pump(root, lambda: submenu.winfo_ismapped())
    grey = next(n for n in range(4) if submenu.entrycget(n, "state") == "disabled")
    pump(root, lambda: False, limit=0.2)
    left, top = submenu.winfo_rootx(), submenu.winfo_rooty()
    right, bottom = left + submenu.winfo_width(), top + submenu.winfo_height()
    edge, shot = theme.px(1), display.screenshot().convert("RGB")

    def colours(*box: int) -> set[str]:
        found = shot.crop(box).getcolors()
        return {f"#{bytes(colour).hex()}" for _, colour in found}

    for box in (
        (left, top, right, top + edge),
        (left, bottom - edge, right, bottom),
        (left, top, left + edge, bottom),
        (right - edge, top, right, bottom),
    ):
        assert colours(*box) == {theme.palette.border}
    row = top + submenu.yposition(grey), top + submenu.yposition(grey) + theme.px(24)
    assert colours(left + edge, row[0], left + theme.px(8), row[1]) == {theme.palette.menu}
    display.key("Escape", "Escape")


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_knob_is_where_the_movie_is(root, display, watch, scale):
    """Nearly, while it plays: to move it costs a redraw."""
    root.tk.call("tk", "scaling", scale * UNSCALED)
    player = watch()
    focus(root, display)
    slider, controller = player.window.controls.bar.slider, player.window.controller
    picture = player.window.picture

    def off() -> float:
        return abs(slider.coords(slider._knob)[0] - slider.x_of(controller.position))

    assert pump(root, lambda: player.window.state.seekable and picture.number > 3)
    for number in range(picture.number + 1, picture.number + 30):
        assert pump(root, lambda number=number: picture.number >= number)
        assert off() < 4
    display.key("space")
    assert pump(root, lambda: enabled(player) == ["start", "teardown"] and off() == 0)
    number = picture.number
    for key, frames in (("shift+Right", 20), ("comma", 19), ("period", 20), ("Right", 120)):
        display.key(key)
        assert pump(root, lambda frames=frames: picture.number == number + frames), key
        assert pump(root, lambda: off() == 0, limit=0.5), key
    display.key("End")
    assert pump(root, lambda: picture.number == 500)
    assert pump(root, lambda: off() == 0, limit=0.5)
    display.key("Left", "space")  # and now by itself
    assert pump(root, lambda: "The end" in words(player), limit=15)
    assert pump(root, lambda: off() == 0, limit=0.5)
    share = slider.coords(slider._knob)[0] / slider.winfo_width()
    assert share > 0.95


def assert_complete(window) -> None:
    """All widgets in a window have the room that they need, and the window is on the screen."""
    window.update()
    assert 0 <= window.winfo_rootx() and 0 <= window.winfo_rooty()
    assert window.winfo_rootx() + window.winfo_width() <= window.winfo_screenwidth()
    assert window.winfo_rooty() + window.winfo_height() <= window.winfo_screenheight()
    for widget in mapped_within(window):
        if widget.winfo_class() in ("TButton", "TLabel", "TEntry", "TRadiobutton", "TScale"):
            assert widget.winfo_width() >= widget.winfo_reqwidth(), widget
            assert widget.winfo_height() >= widget.winfo_reqheight(), widget
        right = widget.winfo_rootx() + widget.winfo_width()
        bottom = widget.winfo_rooty() + widget.winfo_height()
        assert right <= window.winfo_rootx() + window.winfo_width(), widget
        assert bottom <= window.winfo_rooty() + window.winfo_height(), widget


def mapped_within(widget) -> list:
    found = []
    for child in widget.winfo_children():
        if child.winfo_ismapped() and child.winfo_class() not in ("Toplevel", "Menu"):
            found += [child, *mapped_within(child)]
    return found


@pytest.mark.parametrize(("said", "factor"), [(1.04, 1.0), (1.25, 1.25), (1.96, 2.0)])
def test_a_screen_of_nearly_whole_scale_does_not_blur_the_picture(
    open_player, root, tmp_path, said, factor
):
    root.tk.call("tk", "scaling", said * UNSCALED)
    Image.new("RGB", (640, 320), "teal").save(tmp_path / "teal.mjpeg", "JPEG")
    with ServerProcess(tmp_path, "--loop") as server:
        player = open_player(0, f"rtsp://{HOST}:{server.port}/teal.mjpeg")
        player.window.play()

        def fits() -> bool:
            left, _, right, _ = player.window.picture.box
            return abs(right - left - 640 * factor) <= 1

        assert pump(root, fits), player.window.picture.box
        player.close()


def test_words_upon_the_picture_stay_on_their_plate_when_text_grows(watch, root, display):
    root.tk.call("tk", "scaling", UNSCALED)
    player = watch()
    area = player.window.picture
    player.pause.invoke()
    assert pump(root, lambda: enabled(player) == ["start", "teardown"])
    focus(root, display)
    display.key("f")
    assert pump(root, lambda: area.winfo_height() == root.winfo_screenheight())
    area.say(Headline("The end", "Press Play to watch it again."))
    display.key("ctrl+plus", "ctrl+plus", "ctrl+plus")
    assert pump(root, lambda: player.window.theme.zoom == 1.5)
    pump(root, lambda: False, limit=0.2)
    items = area.find_withtag("headline")
    title = next(item for item in items if area.type(item) == "text")
    left, top, right, bottom = area.bbox(title)
    assert bottom - top > 0.035 * root.winfo_screenheight()  # one line, legible in a hall
    (plate,) = (area.bbox(item) for item in items if area.type(item) == "image")
    for box in (area.bbox(item) for item in items if area.type(item) == "text"):
        assert plate[0] < box[0] and plate[1] < box[1]
        assert box[2] < plate[2] and box[3] < plate[3]


def test_all_text_grows_and_shrinks_by_keys_and_is_never_cut_off(watch, root, display):
    root.tk.call("tk", "scaling", UNSCALED)  # what other tests have set stays with the display
    player = watch()
    theme = player.window.theme
    focus(root, display)
    display.key("i")
    assert pump(root, lambda: player.window.panel.open)
    height = player.window.controls.winfo_reqheight()
    for key, zoom in [("ctrl+plus", 1.1), ("ctrl+plus", 1.25), ("ctrl+plus", 1.5)]:
        display.key(key)
        assert pump(root, lambda zoom=zoom: theme.zoom == zoom)
        pump(root, lambda: False, limit=0.2)
        assert theme.font.cget("size") == -round(13 * zoom * theme.screen_scale)
        assert f"Text {round(100 * zoom)}%" in words(player)
        for page in PAGES:
            player.window.panel.show(page)
            pump(root, lambda: False, limit=0.4)
            assert_complete(root)
    assert player.window.controls.winfo_reqheight() > 1.3 * height
    display.key("ctrl+minus", "ctrl+0")
    assert pump(root, lambda: theme.zoom == 1.0)
    assert pump(root, lambda: player.window.controls.winfo_reqheight() == height)
