"""Fetches a stream from another server for a server of ours: what `--pull` needs of a client."""

from __future__ import annotations

from collections.abc import Callable

LOOK_INTERVAL = 0.25  # seconds between two looks if the stream is still wanted


def fetcher(
    url: str, allow_basic: bool = False
) -> Callable[[Callable[[bytes, float | None], None], Callable[[], bool]], str]:
    """Return what fetches the stream at `url` (see `rtplab.serving.rtp.pulled.Fetch`).

    `allow_basic` lets a password in `url` go where everybody on the way can read it.
    """
    # A server that pulls nothing starts without its client.
    from rtplab.protocol.rtsp.states import State
    from rtplab.receiving.opening import client_for
    from rtplab.receiving.rtsp.moviesource import MovieSource
    from rtplab.receiving.rtsp.trust import TlsTrust

    transport = "auto"  # then TCP, once UDP has been found not to get through

    def fetch(show: Callable[[bytes, float | None], None], is_wanted: Callable[[], bool]) -> str:
        nonlocal transport
        source = MovieSource("", 0, url, transport, TlsTrust(allow_basic=allow_basic))
        client = client_for(source)
        client.on_frame = lambda frame: show(frame.data, client.frame_rate)
        is_asked_for = False

        def is_news() -> bool:
            is_ready = client.state is State.READY and not is_asked_for
            return bool(client.error) or client.ended or is_ready

        try:
            client.set_up()
            while is_wanted():
                if client.error or client.ended:
                    return client.error or client.notice
                if client.state is State.READY and not is_asked_for:
                    is_asked_for = True
                    client.play_movie()
                client.wait_for(is_news, LOOK_INTERVAL)
            return ""
        finally:
            client.tear_down()
            transport = source.transport

    return fetch
