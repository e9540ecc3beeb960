"""Makes movie.Mjpeg, the demonstration movie: python tools/make_movie.py [output]

25 seconds at 20 frames/s that end where they begin. Every frame shows its number, its time and, in
the bottom strip, its number in binary, so that a lost or swapped frame can be seen and measured.
The scene is drawn by the modules in tools/movie. Needs Pillow 10.1 or newer.
"""

from __future__ import annotations

import io
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import PIL
from movie.light import FRAMES, moment_of
from movie.scene import draw_scene
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FRAMES_PER_SECOND = 20
WIDTH, HEIGHT = 384, 288
STRIP_CELLS, STRIP_HEIGHT = 16, 16
QUALITY = 45
SMALLEST, LARGEST = 6_000, 14_500  # bytes; the lab's clients in Java receive into 15,000
BLACK, WHITE, SHADOW = (0, 0, 0), (255, 255, 255), (16, 18, 44)


def main(arguments: list[str]) -> int:
    if len(arguments) > 1:
        print("usage: python tools/make_movie.py [output]", file=sys.stderr)
        return 2
    output = Path(arguments[0]) if arguments else Path(__file__).parent.parent / "movie.Mjpeg"
    try:
        check_pillow()
        frames = make_frames()
        check_sizes(frames)
        output.write_bytes(movie_of(frames))
    except (ValueError, OSError) as error:
        print(f"No movie was made: {error}", file=sys.stderr)
        return 1
    mean = sum(map(len, frames)) // len(frames)
    print(f"{output}: {len(frames)} frames of {mean} bytes on average")
    return 0


def check_pillow() -> None:
    """Raise ValueError if Pillow has no scalable typeface of its own."""
    major, minor = PIL.__version__.split(".")[:2]
    if (int(major), int(minor)) < (10, 1):
        raise ValueError(f"Pillow 10.1 or newer is needed, and this is {PIL.__version__}.")


def make_frames() -> list[bytes]:
    """All frames as JPEG, drawn on all processors."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(make_frame, range(1, FRAMES + 1), chunksize=10))


def check_sizes(frames: list[bytes]) -> None:
    """Raise ValueError if a frame is not of a size that every client can take."""
    for number, frame in enumerate(frames, 1):
        if not SMALLEST <= len(frame) <= LARGEST:
            raise ValueError(
                f"frame {number} has {len(frame)} bytes, not {SMALLEST} to {LARGEST}. "
                "Change QUALITY or the scene."
            )


def movie_of(frames: list[bytes]) -> bytes:
    """The lab's file format: each frame after its length in five digits, and nothing else."""
    return b"".join(b"%05d%b" % (len(frame), frame) for frame in frames)


def make_frame(number: int) -> bytes:
    """Frame `number` (from 1) as baseline JPEG with the standard Huffman tables."""
    file = io.BytesIO()
    draw_frame(number).save(
        file, "JPEG", quality=QUALITY, subsampling="4:2:0", optimize=False, progressive=False
    )
    return file.getvalue()


def draw_frame(number: int) -> Image.Image:
    """The scene with the frame's number and time, and the number in binary below."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    image.paste(draw_scene(moment_of(number)))
    draw_text(image, (10, 2), str(number), 46, "la")
    draw_text(image, (WIDTH - 10, 12), time_text(number), 26, "ra")
    draw_strip(image, number)
    return image


def time_text(number: int) -> str:
    """When the frame is due: minutes, seconds and hundredths."""
    seconds, hundredths = divmod((number - 1) * 100 // FRAMES_PER_SECOND, 100)
    return f"{seconds // 60:02}:{seconds % 60:02}.{hundredths:02}"


def draw_text(
    image: Image.Image, place: tuple[int, int], text: str, size: int, anchor: str
) -> None:
    """White letters on a soft shadow, legible by day and by night."""
    shadow = Image.new("L", image.size)
    ImageDraw.Draw(shadow).text(place, text, 255, font(size), anchor, stroke_width=2)
    image.paste(SHADOW, mask=shadow.filter(ImageFilter.GaussianBlur(3)))
    ImageDraw.Draw(image).text(place, text, WHITE, font(size), anchor)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface, so that the movie looks the same whatever is installed."""
    return ImageFont.load_default(size)


def draw_strip(image: Image.Image, number: int) -> None:
    """The frame number in binary, most significant bit at the left, white 1 and black 0."""
    draw = ImageDraw.Draw(image)
    width, top = WIDTH // STRIP_CELLS, HEIGHT - STRIP_HEIGHT
    for cell in range(STRIP_CELLS):
        bit = number >> (STRIP_CELLS - 1 - cell) & 1
        box = (cell * width, top, (cell + 1) * width - 1, HEIGHT - 1)
        draw.rectangle(box, WHITE if bit else BLACK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
