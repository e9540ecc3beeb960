"""Plays with OpenCV to the end: `play_opencv.py URL udp|tcp`. Each picture goes to stdout as PPM.

OpenCV's VideoCapture can't pause, and seeks in network streams only by reading on.
"""

import os
import sys

os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"rtsp_transport;{sys.argv[2]}"
import cv2  # noqa: E402  # it reads its options when it is imported

movie = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
if not movie.isOpened():
    sys.exit("the movie can't be opened")
while (picture := movie.read()[1]) is not None:
    height, width, _ = picture.shape
    sys.stdout.buffer.write(f"P6\n{width} {height}\n255\n".encode())
    sys.stdout.buffer.write(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes())
