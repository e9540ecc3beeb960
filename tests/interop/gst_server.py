"""A real RTSP server: GStreamer's, with RTP/JPEG made by GStreamer's own encoder and payloader.

    /usr/bin/python3 gst_server.py FRAMES MOVIE NAME=ELEMENTS...

Packs the JPEGs of the folder FRAMES (00001.jpg and so on, 20 a second) into the AVI file MOVIE,
then serves it as rtsp://127.0.0.1:PORT/NAME for each NAME, decoded and sent through ELEMENTS, of
which the last is the payloader. Prints PORT. Needs the system's Python, for GStreamer's bindings.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PACKING_LIMIT = 10 * Gst.SECOND


def pack(frames: str, movie: str) -> None:
    """Put the JPEGs into an AVI file, untouched: in one, unlike in a row of files, one can seek."""
    pipeline = Gst.parse_launch(
        f'multifilesrc location="{frames}/%05d.jpg" start-index=1'
        ' caps="image/jpeg,framerate=20/1,width=384,height=288"'
        f' ! avimux ! filesink location="{movie}"'
    )
    pipeline.set_state(Gst.State.PLAYING)
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(PACKING_LIMIT, wanted)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type == Gst.MessageType.ERROR:
        sys.exit(f"can't make {movie}: {message.parse_error() if message else 'it takes too long'}")


def serve(movie: str, streams: dict[str, str]) -> None:
    """Serve until killed, each viewer a pipeline of his own."""
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for name, elements in streams.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(
            f'( filesrc location="{movie}" ! avidemux ! jpegdec ! {elements} name=pay0 pt=26 )'
        )
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    Gst.init(None)
    pack(sys.argv[1], sys.argv[2])
    serve(sys.argv[2], dict(argument.split("=", 1) for argument in sys.argv[3:]))
