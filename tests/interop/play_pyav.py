"""Plays with PyAV: `play_pyav.py URL OPTIONS [PICTURES SECONDS]`.

OPTIONS are those of FFmpeg's library, as in `rtsp_transport;tcp|max_delay;0`.
It plays to the end; or it takes so many pictures, goes to that time, and plays from there to the
end. Each picture goes to stdout as a PPM whose comment is 0, and 1 behind the seek.
"""

import itertools
import sys

import av

url, options, *seek = sys.argv[1:]


def write(pictures, step):
    for picture in pictures:
        pixels = picture.to_ndarray(format="rgb24")
        height, width, _ = pixels.shape
        sys.stdout.buffer.write(f"P6\n# {step}\n{width} {height}\n255\n".encode())
        sys.stdout.buffer.write(pixels.tobytes())


with av.open(url, options=dict(option.split(";") for option in options.split("|"))) as movie:
    if seek:
        write(itertools.islice(movie.decode(video=0), int(seek[0])), 0)
        movie.seek(int(float(seek[1]) * av.time_base))
    write(movie.decode(video=0), 1 if seek else 0)
