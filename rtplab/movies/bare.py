"""The format of bare movies: JPEGs one after another, as `ffmpeg -f mjpeg` writes them.

    <JPEG> <JPEG> <padding> <JPEG> ...

Each frame ends at its EOI marker. Cameras leave bytes between frames: the Raspberry Pi pads to a
multiple of 4, the ESP32 sends leftovers of its memory. Some write no EOI: such a frame goes up to
the next one. The last frame of a file then counts as cut off, unless earlier ones have no EOI
either.
"""

from __future__ import annotations

from rtplab.movies.index import START_OF_PICTURE, Format, Index, Pictures, Read
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg


def _recognises(beginning: bytes) -> bool:
    return beginning.startswith(jpeg.START_OF_IMAGE)


def _find_frames(read: Read, size: int, any_frame: bool) -> Index:
    """Find the good pictures. There are no others, since none is announced."""
    index, pictures, position = Index(), Pictures(read, size), 0
    while position < pictures.size and not index.has_too_much_damage(position, size):
        start = pictures.find(position)
        if start > position and not _is_cut_off(index, read, position, start, size):
            index.left_out.add(position, start, "no picture begins there")
        if start >= pictures.size:
            break
        end, problem, lacks_end = pictures.measure(start)
        if problem is None:
            index.frames.append((start, end - start))
        elif lacks_end and (end < pictures.size or index.endless.pictures):
            index.endless.add(start)
            index.frames.append((start, end - start))
        elif problem.offset >= pictures.size and pictures.find(end) >= pictures.size:
            index.cut(problem)
            break
        else:
            index.leave_out(start, end, problem)
        position = end
    return index


def _is_cut_off(index: Index, read: Read, position: int, start: int, size: int) -> bool:
    """Tell if the file ends just where a picture begins."""
    if start < size or size - position >= len(START_OF_PICTURE):
        return False
    if not jpeg.START_OF_IMAGE.startswith(read(position, size - position)):
        return False
    index.cut(MovieError(f"byte {size}: the picture is cut short", size))
    return True


def _cost(beginning: bytes, size: int) -> int:
    return size  # the whole file is walked through


FORMAT = Format("JPEGs one after the other", _recognises, _find_frames, _cost)
