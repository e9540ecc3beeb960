"""The server, or players, are suspended for ten seconds (SIGSTOP) and go on (SIGCONT)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from audience import HOST, KINDS, LAB, Audience
from movies import MOVIE, frames_of, write_movie
from programs import Player, Server, wait_until

FPS = 20
SUSPENDED = 10.0  # seconds
WATCHED = 2.0  # seconds before it, and after it
MOST_AT_ONCE = 2 * FPS
"""Frames in a second: on a busy machine some come late, and then closer together."""


@dataclass
class Outcome:
    """What came of the suspension."""

    audience: Audience  # of the server that was suspended
    continued_at: float
    statuses: list[int]  # of the audience's TEARDOWN
    players: dict[str, tuple[dict[str, Any], str, int]]  # that were suspended


def player_of(kind: str, port: int) -> Player:
    duration = ("--duration", SUSPENDED + 2 * WATCHED)
    if kind == LAB:
        return Player(HOST, port, 0, "movie.Mjpeg", *duration)
    return Player(f"rtsp://{HOST}:{port}/movie.Mjpeg", "--transport", kind, *duration)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Both experiments, side by side."""
    media = write_movie(tmp_path_factory.mktemp("media") / "movie.Mjpeg", frames_of(MOVIE)).parent
    options = ("--fps", str(FPS), "--log-level", "debug")
    with Server(media, *options) as suspended, Server(media, *options) as server:
        with (
            Audience(suspended.port) as audience,
            player_of(KINDS[0], server.port) as first,
            player_of(KINDS[1], server.port) as second,
            player_of(KINDS[2], server.port) as third,
        ):
            victims = (suspended, first, second, third)
            wait_until(lambda: len(server.log_lines("< PLAY")) == len(KINDS), "all play")
            time.sleep(WATCHED)
            for victim in victims:
                victim.send_signal(signal.SIGSTOP)
            time.sleep(SUSPENDED)
            continued_at = time.monotonic()
            for victim in victims:
                victim.send_signal(signal.SIGCONT)
            audience.play_on(int(WATCHED * FPS))
            statuses = [viewer.ask("TEARDOWN") for viewer in audience.viewers]
            reports = [player.outcome() for player in (first, second, third)]
            yield Outcome(audience, continued_at, statuses, dict(zip(KINDS, reports, strict=True)))


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_a_server_that_was_suspended(outcome: Outcome, number: int) -> None:
    """Pass: its viewers' sessions go on where they stood, with no packet left out, and what was not
    sent meanwhile does not come in a burst: no more than 40 frames in the first second, not 200."""
    viewer = outcome.audience.viewers[number]
    first_second = viewer.frames_within(outcome.continued_at, 1.0)
    print(f"{viewer.kind}: {first_second} frames in the first second")
    assert first_second <= MOST_AT_ONCE
    assert viewer.frames_within(outcome.continued_at - 5, 4.9) == 0, "it was suspended"
    assert viewer.lost == 0
    assert outcome.statuses[number] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_player_that_was_suspended(outcome: Outcome, kind: str) -> None:
    """Pass: it plays on to the end that was asked for, still in its session; of what was sent
    meanwhile it gets what the system kept, and in whole frames, and all that is sent then."""
    report, stderr, status = outcome.players[kind]
    print(f"{kind}: {report}")
    assert (status, stderr, report["error"], report["state"]) == (0, "", None, "PLAYING")
    assert report["seconds"] > SUSPENDED + WATCHED
    assert report["frames"] >= WATCHED * 2 * FPS * 0.7
