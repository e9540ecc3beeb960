"""What a program publishes, in other people's players."""

from __future__ import annotations

import subprocess
import threading

import pytest
from movies import MOVIE, frames_of
from peers import need_command

import rtplab

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ffmpeg_plays_what_is_published(transport) -> None:
    need_command("ffmpeg")
    stop = threading.Event()

    def produce(cam: rtplab.Publication) -> None:
        for frame in frames_of(MOVIE):
            if stop.wait(0.04):
                return
            cam.send(frame)

    with rtplab.serve(port=0, host="127.0.0.1") as server, server.publish("cam") as cam:
        producer = threading.Thread(target=produce, args=(cam,))
        producer.start()
        arguments = ("-rtsp_transport", transport, "-i", server.url("cam"), "-frames:v", "20")
        done = subprocess.run(
            ["ffmpeg", "-v", "warning", *arguments, "-f", "framecrc", "-"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        stop.set()
        producer.join()
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stdout.splitlines() if line.startswith("0,")]) == 20
