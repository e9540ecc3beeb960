"""The frame rate of a movie, in a comment within its first picture.

    FFFE 0019 rtplab fps=30000/1001

Neither the lab's format nor bare JPEGs have a place for it, and no other reader minds a comment
(T.81 section B.2.4.5).
"""

from __future__ import annotations

import re
from fractions import Fraction

from rtplab.movies.index import possible_rate
from rtplab.protocol.rtp import jpeg

_RATE = re.compile(rb"rtplab fps=(\d{1,9})(?:/(\d{1,9}))?\Z")


def with_rate(picture: bytes, rate: Fraction) -> bytes:
    """Return the picture with the frame rate in it. Raises MovieError if it is not a JPEG."""
    return jpeg.with_comment(picture, b"rtplab fps=%b" % str(rate).encode())


def rate_in(picture: bytes) -> Fraction | None:
    """Return the frame rate in a picture's comment, if any. Raises MovieError."""
    for comment in jpeg.comments(picture):
        if rate := _RATE.match(comment):
            return possible_rate(int(rate[1]), int(rate[2] or 1))
    return None
