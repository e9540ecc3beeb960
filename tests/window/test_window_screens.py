"""The window on the screens that people have: it fits, and its controls are never cut off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from display import running_display
from movies import ROOT
from processes import ServerProcess

pytestmark = pytest.mark.peers
SCREENS = [(size, dpi) for size in ("1024x768", "1366x768", "1920x1080") for dpi in (96, 144, 192)]


@pytest.fixture(scope="module", params=SCREENS, ids=lambda screen: "-".join(map(str, screen)))
def found(request, tmp_path_factory):
    """What small_screen.py finds on a screen."""
    program = Path(__file__).with_name("small_screen.py")
    home = {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("home"))}
    with running_display(*request.param) as display, ServerProcess(ROOT) as server:
        command = [sys.executable, str(program), str(server.port)]
        environment = {**display.environment, **home}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("moment", ["first", "sized", "panel", "smallest", "closed"])
def test_window_and_controls_are_on_the_screen_and_whole(found, moment):
    view = found[moment]
    left, top, right, bottom = view["window"]
    assert left >= 0 and top >= 0 and right <= found["screen"][0] and bottom <= found["screen"][1]
    for name, widget in view["seen"].items():
        box, needs = widget["box"], widget["needs"]
        assert left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom, name
        if name == "picture":
            assert box[2] - box[0] > 100 and box[3] - box[1] > 50
        else:
            assert box[2] - box[0] >= needs[0] and box[3] - box[1] >= needs[1], name
    boxes = [widget["box"] for widget in view["seen"].values()]
    for number, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:number])


def test_a_window_that_has_just_been_opened_has_every_button(found):
    assert found["sized"]["dropped"] == []


def test_a_window_that_was_moved_for_the_panel_goes_back_when_it_is_closed(found):
    assert found["came_back"]


def test_no_page_of_the_panel_is_cut_off_and_the_picture_has_room(found):
    for name, (end, height) in found["pages"].items():
        assert end <= height, name
    left, top, right, bottom = found["panel"]["seen"]["picture"]["box"]
    assert right - left >= 300 and bottom - top >= 300


def test_every_plot_keeps_to_its_box(found):
    for plots, (left, top, right, bottom) in zip(found["plots"], found["canvas"], strict=True):
        boxes = list(plots.values())
        assert len(boxes) >= 2
        for number, box in enumerate(boxes):
            assert 0 <= box[0] and 0 <= box[1] and box[2] <= right - left and box[3] <= bottom - top
            assert not any(overlap(box, other) for other in boxes[:number])


def overlap(one, other) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(
        one[3], other[3]
    )
