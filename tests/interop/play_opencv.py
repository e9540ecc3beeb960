"""Plays with OpenCV: `play_opencv.py URL OPTIONS [PICTURES SECONDS]`.

OPTIONS are those of FFmpeg's library, as in `rtsp_transport;tcp|max_delay;0`.
It plays to the end; or it takes so many pictures, goes to that time, and plays from there to the
end. Each picture goes to stdout as a PPM whose comment is 0, and 1 behind the seek.
"""

import os
import sys

url, options, *seek = sys.argv[1:]
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = options
import cv2  # noqa: E402  # it reads its options when it is imported


def write(picture, step):
    height, width, _ = picture.shape
    sys.stdout.buffer.write(f"P6\n# {step}\n{width} {height}\n255\n".encode())
    sys.stdout.buffer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes())


movie = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
if not movie.isOpened():
    sys.exit("the movie can't be opened")
if seek:
    for _ in range(int(seek[0])):
        write(movie.read()[1], 0)
    movie.set(cv2.CAP_PROP_POS_MSEC, float(seek[1]) * 1000)
while (picture := movie.read()[1]) is not None:
    write(picture, 1 if seek else 0)
