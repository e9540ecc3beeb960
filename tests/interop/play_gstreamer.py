"""A GStreamer player that is told what to do; the tests run it with the system's own Python.

    play_gstreamer.py URL udp|tcp STEP...

A STEP is `frames:N` (take the next N pictures), `pause:SECONDS` (pause so long, then go on),
`seek:SECONDS` (go to that time of the movie) or `end` (take all that comes until the end).
Each picture goes to stdout as a PPM whose comment says at which step (from 0) it was taken.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

# Latency: milliseconds for which packets wait to be put in order; the default of 2000 is long.
SOURCE = "rtspsrc location={url} protocols={transport} latency=500 ! rtpjpegdepay"
# rtspsrc that a slow decoder holds up may miss the end of the stream: packets must flow off. When
# it has sought it makes up an end of its own now and then, unless it is held up.
QUEUE = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! "
REST = "jpegdec ! videoconvert ! video/x-raw,format=RGB"
SINK = "appsink name=sink max-buffers=1"
LIMIT = 10 * Gst.SECOND
REASON_LIMIT = 2 * Gst.SECOND  # the reason of a failure may come a moment after it
BYTES_PER_PIXEL = 3


class Player:
    def __init__(self, url, transport, steps):
        self.steps = steps
        source = SOURCE.format(url=url, transport=transport)
        queue = "" if any(step.startswith("seek") for step in steps) else QUEUE
        self.pipeline = Gst.parse_launch(f"{source} ! {queue}{REST} ! {SINK}")
        self.sink = self.pipeline.get_by_name("sink")
        self.bus = self.pipeline.get_bus()
        self.step = 0

    def run(self):
        self.change_state(Gst.State.PLAYING)
        for number, step in enumerate(self.steps):
            self.step = number
            name, _, value = step.partition(":")
            getattr(self, name)(*filter(None, [value]))
        self.pipeline.set_state(Gst.State.NULL)

    def frames(self, count):
        for _ in range(int(count)):
            if not self.take():
                self.fail("the movie ended too soon")

    def end(self):
        while self.take():
            pass

    def pause(self, seconds):
        self.change_state(Gst.State.PAUSED)
        self.bus.timed_pop_filtered(int(float(seconds) * Gst.SECOND), Gst.MessageType.ERROR)
        self.change_state(Gst.State.PLAYING)

    def seek(self, seconds):
        flags = Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE
        position = int(float(seconds) * Gst.SECOND)
        if not self.pipeline.seek_simple(Gst.Format.TIME, flags, position):
            self.fail("the seek was refused")

    def change_state(self, state):
        self.pipeline.set_state(state)
        if self.pipeline.get_state(LIMIT)[0] == Gst.StateChangeReturn.FAILURE:
            self.fail(f"the state can't be changed to {state}")

    def take(self):
        """Write the next picture; False at the end of the movie."""
        sample = self.sink.emit("try-pull-sample", LIMIT)
        if sample is not None:
            self.write(sample)
            return True
        if not self.sink.get_property("eos"):
            self.fail("no picture came")
        return False

    def write(self, sample):
        shape = sample.get_caps().get_structure(0)
        width, height = shape.get_value("width"), shape.get_value("height")
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        stride = len(data) // height  # lines are filled up to a multiple of 4 bytes
        length = width * BYTES_PER_PIXEL
        lines = (data[start : start + length] for start in range(0, stride * height, stride))
        head = f"P6\n# {self.step}\n{width} {height}\n255\n".encode()
        sys.stdout.buffer.write(head + b"".join(lines))

    def fail(self, what):
        message = self.bus.timed_pop_filtered(REASON_LIMIT, Gst.MessageType.ERROR)
        self.pipeline.set_state(Gst.State.NULL)
        sys.exit(f"{what}: {message.parse_error() if message else 'no reason is given'}")


if __name__ == "__main__":
    Gst.init(None)
    Player(sys.argv[1], sys.argv[2], sys.argv[3:]).run()
