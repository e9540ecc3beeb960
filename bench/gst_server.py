"""The server to compare with: gst-rtsp-server, each viewer with a pipeline of its own.

    /usr/bin/python3 gst_server.py FRAMES FPS WIDTH HEIGHT [shared]

Serves the JPEGs of the folder FRAMES (00001.jpg and so on) as rtsp://127.0.0.1:PORT/movie, and once
more as /slow, from a file of that name; prints PORT. They are packed into an AVI file first and
then sent as they are: nothing is decoded. With `shared`, /movie is one
pipeline for all viewers, which shows the JPEGs over and over as a live source does. Needs the
system's Python.
"""

from __future__ import annotations

import os
import sys
import tempfile

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def pack(frames: str, fps: str, width: str, height: str, packed: str) -> None:
    pipeline = Gst.parse_launch(
        f'multifilesrc location="{frames}/%05d.jpg" start-index=1'
        f' caps="image/jpeg,framerate={fps}/1,width={width},height={height}"'
        f' ! avimux ! filesink location="{packed}"'
    )
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    pipeline.set_state(Gst.State.NULL)


def serve(folder: str) -> None:
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for name in ("movie", "slow"):
        source = f'filesrc location="{folder}/{name}.avi"'
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(f"( {source} ! avidemux ! rtpjpegpay name=pay0 pt=26 )")
        server.get_mount_points().add_factory(f"/{name}", factory)
    _attach(server)


def serve_shared(frames: str, fps: str, width: str, height: str) -> None:
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(
        f'( multifilesrc location="{frames}/%05d.jpg" start-index=1 loop=true'
        f' caps="image/jpeg,framerate={fps}/1,width={width},height={height}"'
        " ! rtpjpegpay name=pay0 pt=26 )"
    )
    factory.set_shared(True)
    server.get_mount_points().add_factory("/movie", factory)
    _attach(server)


def _attach(server: GstRtspServer.RTSPServer) -> None:
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    Gst.init(None)
    if sys.argv[5:] == ["shared"]:
        serve_shared(*sys.argv[1:5])
    with tempfile.TemporaryDirectory() as folder:
        pack(*sys.argv[1:5], f"{folder}/movie.avi")
        os.link(f"{folder}/movie.avi", f"{folder}/slow.avi")
        serve(folder)
