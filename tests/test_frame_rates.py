"""From one frame in ten seconds to 120 a second: none of these is an outage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import HOST, ServerProcess, run_client

from Client import Client
from rtplab.receiving.headless import HeadlessOptions, HeadlessRun
from rtplab.receiving.rtsp.watch import TimeLimits

pytestmark = pytest.mark.long

LIMIT = 60.0


def client_for(server, movie, silence):
    limits = TimeLimits(silence=silence)
    return Client(None, HOST, server.port, 0, movie.name, limits=limits)


@pytest.mark.parametrize(("fps", "frames"), [(0.1, 2), (0.4, 4), (120, 40)])
def test_every_frame_rate_plays_in_both_dialects(small_movie, fps, frames):
    options = ("--headless", "--json", "--frames", frames)

    def receive(address):
        return run_client(*address, *options, limit=LIMIT).report

    with (
        ServerProcess(small_movie.parent, "--fps", str(fps)) as server,
        ThreadPoolExecutor() as pool,
    ):
        url = f"rtsp://{HOST}:{server.port}/{small_movie.name}"
        addresses = [
            (HOST, server.port, 0, small_movie.name),
            (url, "--transport", "udp"),
            (url, "--transport", "tcp"),
        ]
        reports = list(pool.map(receive, addresses))
    for report in reports:
        assert (report["frames"], report["lost"], report["error"]) == (frames, 0, None)


@pytest.mark.parametrize(("frames", "comes"), [(3, 3), (None, 1)])
def test_a_slow_lab_stream_is_waited_for_if_more_is_asked_for(small_movie, capsys, frames, comes):
    """Of its first frame alone nobody knows how long the next one takes, nor if there is one."""
    with ServerProcess(small_movie.parent, "--fps", "1") as server:
        client = client_for(server, small_movie, 0.3)
        HeadlessRun(client, HeadlessOptions(frames=frames)).run()
    assert f"{comes} frames" in capsys.readouterr().out


def test_a_lab_stream_that_ends_after_one_frame_is_not_waited_for_for_ever(
    small_movie, monkeypatch, capsys
):
    monkeypatch.setattr("rtplab.receiving.headless.SECOND_FRAME", 0.4)
    with ServerProcess(small_movie.parent, "--fps", "0.1") as server:
        client = client_for(server, small_movie, 0.2)
        HeadlessRun(client, HeadlessOptions(frames=2)).run()
    output = capsys.readouterr()
    assert "1 frames" in output.out
    assert "No packet" in output.err
