"""The panel's drawings saved as SVG, or as PNG where the system grants a screenshot."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from display import pump
from PIL import Image, ImageColor, ImageGrab
from windows import answer, asked, dialogs_of, drawn_on, focus

from rtplab.player.savedialog import SaveDialog

pytestmark = pytest.mark.peers

PAGES = {
    "Ladder": lambda page: page.tools.save,
    "Timeline": lambda page: page.tools.buttons["picture"],
    "Packet": lambda page: page.save,
    "Statistics": lambda page: page.picture,
    "Loss": lambda page: page.save,
}


def ask_to_save(player, root, display, name: str):
    """Press the page's button; return the page."""
    window = player.window
    window.panel.show(name)
    page = getattr(window.panel.pages, name.lower())
    assert pump(root, lambda: len(drawn_on(page.canvas)) > 5)
    focus(root, display)
    PAGES[name](page).invoke()
    assert pump(root, lambda: asked(root, "SVG"))
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_drawing_is_saved_as_svg_and_as_png(watch, root, display, tmp_path, name):
    player = watch()
    page = ask_to_save(player, root, display, name)
    drawn = {line for text in drawn_on(page.canvas) for line in text.split("\n")}
    path = tmp_path / "drawing.svg"
    answer(root, display, "ctrl+slash", str(path), "Return")
    assert pump(root, path.exists)
    document = ElementTree.parse(path)
    words = [element.text for element in document.iter("{http://www.w3.org/2000/svg}tspan")]
    assert len(words) > 5 and len(drawn & {*words}) > len({*words}) / 2  # it goes on meanwhile
    page = ask_to_save(player, root, display, name)
    path = tmp_path / "drawing.png"
    answer(root, display, "ctrl+slash", str(path), "Return")
    assert pump(root, path.exists)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (page.canvas.winfo_width(), page.canvas.winfo_height())
        shares = {colour: count for count, colour in image.convert("RGB").getcolors(1 << 24)}
    palette = player.window.theme.palette
    assert max(shares, key=shares.get) in map(ImageColor.getrgb, (palette.window, palette.raised))
    # Of a text in thin strokes all pixels may be mixed with the ground.
    assert {*map(ImageColor.getrgb, (palette.text, palette.muted))} & {*shares}


def test_the_format_is_chosen_by_keys_and_names_the_file(watch, root, display, home):
    player = watch()
    ask_to_save(player, root, display, "Loss")
    answer(root, display, "Tab", "Tab", "space")  # from the name to SVG, and to PNG
    answer(root, display, "Return")
    assert pump(root, lambda: not dialogs_of(root))
    (path,) = home.glob("*.*")
    assert path.name == "movie-loss.png"
    with Image.open(path) as image:
        assert image.format == "PNG"


def black(*arguments, **options):
    """What Wayland gives."""
    return Image.new("RGB", (400, 300))


def refused(*arguments, **options):
    raise OSError("Pillow was built without XCB support")


@pytest.mark.parametrize("grab", [black, refused])
def test_where_no_screenshot_is_granted_one_sentence_offers_svg(
    watch, root, display, home, monkeypatch, grab
):
    player = watch()
    monkeypatch.setattr(ImageGrab, "grab", grab)
    ask_to_save(player, root, display, "Loss")
    answer(root, display, "ctrl+slash", "loss.png", "Return")
    assert pump(root, lambda: asked(root, "Choose SVG"))
    assert not list(home.glob("*.*"))
    answer(root, display, "ctrl+slash", "loss.svg", "Return")
    assert pump(root, lambda: [*home.glob("*.*")] == [home / "loss.svg"])


def test_the_dialog_follows_the_format_and_adds_the_suffix_that_is_missing(root, tmp_path):
    chosen = []
    formats = {".svg": "", ".png": "No screenshot: choose SVG."}
    dialog = SaveDialog(root, "Save", tmp_path / "a.svg", chosen.append, formats)
    dialog.formats[".png"].invoke()
    assert dialog.name.get() == "a.png" and "No screenshot" in dialog.error.cget("text")
    dialog.accept()
    assert not chosen
    dialog.formats[".svg"].invoke()
    assert dialog.name.get() == "a.svg" and not dialog.error.cget("text")
    dialog.name.delete(0, "end")
    dialog.name.insert(0, "version 1.2")
    dialog.accept()
    assert chosen == [tmp_path / "version 1.2.svg"]
