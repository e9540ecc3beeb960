"""All keys, arranged for the room that the picture has. Needs no Tk. Lengths are pixels at 1x."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from rtplab.player.model.commands import BY_NAME, COMMANDS, MENUS, Command, key_label

LINE = 19  # height
KEY_WIDTH = 84
COLUMN_WIDTH = 236
PADDING = 16  # within the edge of the card
_LONGEST = 9  # characters of the keys of a command: there is no room for more of them
_SMALLEST = 0.85  # of the size of other text, that can still be read
_MOST_PAGES = 4  # unless the text would be too small
_FEWEST_LINES = 2  # of a column: a heading and a key

Line = tuple[str, str]  # keys, and what they do; a heading has no keys
Column = list[Line]


class KeyList(NamedTuple):
    """Pages of columns, and how much larger than at 1x they are drawn."""

    pages: list[list[Column]]
    scale: float


def key_sections(system: str) -> list[Column]:
    """The keys of each menu below its name; the short menus first, which share a column."""
    sections = {
        menu: [("", menu)]
        + [
            (_keys_of(command, system), command.label.removesuffix(" …"))
            for command in COMMANDS
            if command.menu == menu and command.keys
        ]
        for menu in MENUS
    }
    return [sections[menu] for menu in ("Stream", "Session", "Panel", "Playback", "View")]


def _keys_of(command: Command, system: str) -> str:
    """The first key, and the second if there is room for it."""
    labels = [key_label(key, system) for key in command.keys[:2]]
    both = "  ".join(labels)
    return both if len(both) <= _LONGEST else labels[0]


def arranged(
    sections: list[Column], width: float, height: float, system: str, zoom: float
) -> KeyList:
    """Return the keys on one page, as large as it can be, or on several if it would be too small.

    The text on several is nearly as large as any other. Where the viewer has zoomed that, it may be
    smaller, for fewer pages, but hardly smaller than at 1x.
    """
    whole = max(
        (_one_page(sections, columns, width, height) for columns in range(1, len(sections) + 1)),
        key=lambda keys: keys.scale,
    )
    if whole.scale >= _SMALLEST:
        return whole
    sizes = (1.0, 0.95, 0.9, _SMALLEST)
    keys = min(
        (_on_pages(sections, width, height, size, system) for size in sizes),
        key=lambda keys: len(keys.pages),
    )
    while len(keys.pages) > _MOST_PAGES and keys.scale * zoom > 1:
        keys = _on_pages(sections, width, height, keys.scale * _SMALLEST, system)
    return keys


def _on_pages(
    sections: list[Column], width: float, height: float, scale: float, system: str
) -> KeyList:
    """As many pages as it takes at this scale, which is less if there is hardly any room."""
    # One line more says that there are other pages.
    lines = max(_FEWEST_LINES, int((height / scale - 2 * PADDING) / LINE) - 1)
    columns = _placed([part for section in sections for part in _parts(section, lines)], lines)
    beside = max(1, int((width / scale - 2 * PADDING) / COLUMN_WIDTH))
    pages = [columns[first : first + beside] for first in range(0, len(columns), beside)]
    help_key = key_label(BY_NAME["help"].keys[0], system)
    for number, page in enumerate(pages, start=1):
        page[0] = page[0] + [("", "")] * (max(map(len, page)) - len(page[0]))
        page[0].append((help_key, f"Page {number} of {len(pages)}"))
    return KeyList(pages, min(scale, _fitting(pages, width, height)))


def _one_page(sections: list[Column], columns: int, width: float, height: float) -> KeyList:
    """As few lines as this many columns can have."""
    longest = max(map(len, sections))
    page = next(
        page for lines in count(longest) if len(page := _placed(sections, lines)) <= columns
    )
    return KeyList([page], _fitting([page], width, height))


def _fitting(pages: list[list[Column]], width: float, height: float) -> float:
    """The scale at which the largest of these pages just fits."""
    columns = max(map(len, pages))
    lines = max(len(column) for page in pages for column in page)
    return min(
        width / (COLUMN_WIDTH * columns + 2 * PADDING), height / (LINE * lines + 2 * PADDING)
    )


def _placed(sections: list[Column], lines: int) -> list[Column]:
    """Put each section into the first column that has room for it.

    A part of a section does not stand before the part of the same heading that came before it.
    """
    columns: list[Column] = []
    places: dict[Line, int] = {}  # of the last part, by its heading
    for section in sections:
        heading = section[0]
        for number in range(places.get(heading, 0), len(columns)):
            if len(columns[number]) + 1 + len(section) <= lines:
                columns[number] += [("", ""), *section]
                break
        else:
            number = len(columns)
            columns.append([*section])
        places[heading] = number
    return columns


def _parts(section: Column, lines: int) -> list[Column]:
    """A section in parts of no more lines, each below its heading."""
    heading, *keys = section
    step = lines - 1
    return [[heading, *keys[first : first + step]] for first in range(0, len(keys), step)]
