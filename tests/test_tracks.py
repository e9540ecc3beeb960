"""The positions of the network sliders and what they mean."""

from __future__ import annotations

import pytest

from rtplab.player.panel.tracks import PRESETS, TRACKS
from rtplab.receiving.rtp.impairment import Conditions, parse_conditions

BY_NAME = {track.name: track for track in TRACKS}


@pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.name)
def test_every_position_is_a_value_that_has_this_position(track):
    for step in range(round(track.largest / track.step) + 1):
        value = track.value_at(step * track.step)
        assert track.value_at(track.position_of(value)) == pytest.approx(value)


def test_the_rate_grows_by_a_tenth_a_step_and_has_no_limit_at_the_far_end():
    rate = BY_NAME["rate"]
    assert rate.position_of(Conditions().rate) == rate.largest
    assert rate.value_at(rate.largest) == 0 and rate.text(0) == "no limit"
    values = [rate.value_at(position) for position in range(round(rate.largest))]
    assert values[0] == 1e5 and values[-1] == 1e8
    for one, next_one in zip(values, values[1:], strict=False):
        assert 1.05 < next_one / one < 1.2
    assert rate.text(2e6) == "2 Mbit/s" and rate.text(1.5e5) == "150 kbit/s"


def test_a_value_between_two_steps_is_told_as_it_is():
    assert BY_NAME["loss"].text(0.015) == "1.5 %"
    assert BY_NAME["delay"].text(0.0305) == "30.5 ms"


def test_the_burst_begins_where_losses_are_independent():
    burst = BY_NAME["burst"]
    assert burst.value_at(0) == Conditions().burst and burst.text(1.0) == "no bursts"
    assert burst.text(4.0) == "4 packets"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_stands_on_the_sliders_as_it_is(preset):
    """So nobody who moves a slider there and back changes it."""
    for track in TRACKS:
        value = getattr(preset.conditions, track.name)
        assert track.position_of(value) <= track.largest
        assert track.value_at(track.position_of(value)) == pytest.approx(value, rel=0.1)
    assert not preset.conditions.harmless
    assert preset.conditions == parse_conditions(
        ",".join(f"{track.name}={getattr(preset.conditions, track.name)}" for track in TRACKS)
    )
