"""The list of keys: on one page or several, large enough to read, with nothing left out."""

from __future__ import annotations

import pytest

from rtplab.player.model.commands import COMMANDS
from rtplab.player.model.keylist import COLUMN_WIDTH, LINE, PADDING, arranged, key_sections

# At 1x: the smallest window, the first one, a larger one, and two screens.
ROOMS = [(484, 150), (560, 416), (884, 665), (1264, 784), (1904, 1064)]


@pytest.mark.parametrize("system", ["x11", "win32", "aqua"])
@pytest.mark.parametrize("zoom", [0.6, 1.0, 3.0])
@pytest.mark.parametrize("room", ROOMS)
def test_every_key_is_there_once_and_within_the_room(room, zoom, system):
    keys = arranged(key_sections(system), *room, system, zoom)
    lines = [line for page in keys.pages for column in page for line in column]
    told = [label for key, label in lines if key and not label.startswith("Page ")]
    assert sorted(told) == sorted(c.label.removesuffix(" …") for c in COMMANDS if c.keys)
    for page in keys.pages:
        width = (len(page) * COLUMN_WIDTH + 2 * PADDING) * keys.scale
        height = (max(map(len, page)) * LINE + 2 * PADDING) * keys.scale
        assert width <= room[0] and height <= room[1]
        assert all(column[0][1] and not column[0][0] for column in page)  # a heading


@pytest.mark.parametrize("room", ROOMS)
def test_the_text_is_as_large_as_any_other_or_nearly(room):
    assert arranged(key_sections("x11"), *room, "x11", 1.0).scale >= 0.85


def test_a_large_room_has_one_page_of_large_text():
    keys = arranged(key_sections("x11"), 1904, 1064, "x11", 1.0)
    assert len(keys.pages) == 1 and keys.scale > 2


def test_several_pages_say_which_one_is_seen_and_how_to_see_the_next():
    keys = arranged(key_sections("x11"), 560, 416, "x11", 1.0)
    assert [page[0][-1] for page in keys.pages] == [("?", "Page 1 of 2"), ("?", "Page 2 of 2")]


@pytest.mark.parametrize("room", [(320, 122), (484, 150), (512, 254), *ROOMS])
def test_the_keys_of_a_menu_stay_in_their_order(room):
    keys = arranged(key_sections("x11"), *room, "x11", 1.0)
    told: dict[str, list[str]] = {}
    for heading, lines in sections_of(keys.pages):
        told.setdefault(heading, []).extend(lines)
    for heading, *lines in key_sections("x11"):
        assert told[heading[1]] == [label for _, label in lines]


def sections_of(pages) -> list[tuple[str, list[str]]]:
    """Each heading and what stands below it, as they are read."""
    found: list[tuple[str, list[str]]] = []
    for key, label in (line for page in pages for column in page for line in column):
        if label and not key:
            found.append((label, []))
        elif label and not label.startswith("Page "):
            found[-1][1].append(label)
    return found
