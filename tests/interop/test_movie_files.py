"""Movie files of every kind that people have: FFmpeg and our index find the same frames."""

from __future__ import annotations

import io
import json
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from movies import MOVIE, avi_of, chunk, frames_of, jpeg_of_size, multipart_of
from peers import need_command
from pictures import lossless, without_huffman
from PIL import Image

from rtplab.movies.movie import Movie

pytestmark = pytest.mark.peers

FRAMES = frames_of(MOVIE)[:10]
COUNT = len(FRAMES)


def converted(picture: bytes, **options) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        image.save(output := io.BytesIO(), "JPEG", **options)
    return output.getvalue()


def with_thumbnail(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        image.resize((64, 48)).save(output := io.BytesIO(), "JPEG")
    segment = b"Exif\0\0" + output.getvalue()
    return picture[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + picture[2:]


def padded(picture: bytes, byte: bytes) -> bytes:
    return picture + byte * (-len(picture) % 4 or 4)


def stereo(first: bytes, second: bytes) -> bytes:
    with Image.open(io.BytesIO(first)) as image, Image.open(io.BytesIO(second)) as other:
        image.save(output := io.BytesIO(), "MPO", save_all=True, append_images=[other])
    return output.getvalue()


def damaged(at: int, *bytes_: bytes) -> bytes:
    """The movie with a picture of which the rest is gone, but for these bytes."""
    return b"".join((*FRAMES[:at], *bytes_, *FRAMES[at + 1 :]))


FILL = [
    picture.replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)[:-2] + b"\xff\xff\xff\xd9"
    for picture in FRAMES
]

FILES = {
    "as ffmpeg writes it": b"".join(FRAMES),
    "padded with NUL": b"".join(padded(picture, b"\0") for picture in FRAMES),
    "padded with FF": b"".join(padded(picture, b"\xff") for picture in FRAMES),
    "junk between": b"old memory\n".join(FRAMES),
    "a final newline": b"".join(FRAMES) + b"\n",
    "half a picture": damaged(4, FRAMES[4][:3000]),
    "one without its end": damaged(4, FRAMES[4][:-2]),
    "all without their end": b"".join(picture[:-2] for picture in FRAMES),
    "bytes that are no data": damaged(4, FRAMES[4][:3000], b"\xff\x02", FRAMES[4][3000:]),
    "another size": b"".join((*FRAMES[:5], *[jpeg_of_size(900)] * 5)),
    "thumbnails": b"".join(map(with_thumbnail, FRAMES)),
    "stereo": stereo(*FRAMES[:2]) * 3,
    "progressive": b"".join(converted(picture, progressive=True) for picture in FRAMES),
    "restart markers": b"".join(converted(one, restart_marker_blocks=4) for one in FRAMES),
    "fill bytes": b"".join(FILL),
    "arithmetic": b"".join(picture.replace(b"\xff\xc0", b"\xff\xc9", 1) for picture in FRAMES),
    "without Huffman tables": b"".join(map(without_huffman, FRAMES)),
    "lossless": lossless(64, 48) * 5,
    "lab": b"".join(b"%05d%b" % (len(picture), picture) for picture in FRAMES),
    "lab, six digits": b"".join(b"%05d%b" % (len(one), one) for one in [jpeg_of_size(120_000)] * 3),
    "lab, bytes after the end": b"".join(
        b"%05d%b\0\0\0" % (len(picture) + 3, picture) for picture in FRAMES
    ),
    "lab, without their end": b"".join(
        b"%05d%b" % (len(picture) - 2, picture[:-2]) for picture in FRAMES
    ),
    "multipart": multipart_of(FRAMES),
    "AVI": avi_of(b"".join(chunk(b"00dc", without_huffman(picture)) for picture in FRAMES)),
    "AVI with sound": avi_of(
        b"".join(chunk(b"00dc", one) + chunk(b"01wb", bytes(99)) for one in FRAMES)
    ),
}

LEFT_OUT = {"bytes that are no data": 1}
"""Pictures that FFmpeg shows as far as they go, and we leave out."""


def ffprobe(path: Path, *options: str) -> dict[str, str]:
    run = subprocess.run(
        [
            *("ffprobe", "-v", "error", *options, "-count_packets", "-select_streams", "v"),
            *("-show_entries", "stream=nb_read_packets", "-of", "json", str(path)),
        ],
        capture_output=True,
        check=True,
    )
    (stream,) = json.loads(run.stdout)["streams"]
    return stream


@pytest.mark.parametrize("kind", FILES)
def test_ffmpeg_finds_as_many_frames(tmp_path, kind):
    need_command("ffprobe")
    path = tmp_path / "movie.mjpeg"
    path.write_bytes(FILES[kind])
    forced = () if kind.startswith(("AVI", "multipart")) else ("-f", "mjpeg")
    found = int(ffprobe(path, *forced)["nb_read_packets"])
    assert len(Movie(path).frames) == found - LEFT_OUT.get(kind, 0) > 0


SOUND = ("-f", "lavfi", "-i", "sine=duration=1")


@pytest.mark.parametrize(
    ("name", "rate", "sound", "options"),
    [
        ("movie.avi", "30000/1001", (), ()),
        ("movie.avi", "25", SOUND, ("-c:a", "pcm_s16le")),
        ("movie.avi", "25", (), ("-vf", "select='mod(n,3)'", "-fps_mode", "passthrough")),
        ("movie.mjpeg", None, (), ("-f", "mpjpeg")),
        ("movie.mjpeg", None, (), ("-f", "mpjpeg", "-boundary_tag", "camera")),
    ],
)
def test_what_ffmpeg_writes_is_read(tmp_path, name, rate, sound, options):
    need_command("ffmpeg", "ffprobe")
    path = tmp_path / name
    source = f"testsrc2=size=320x240:rate={rate or 25}:duration=1"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *sound, *options]
    subprocess.run([*command, "-c:v", "mjpeg", str(path)], check=True)
    movie = Movie(path)
    assert movie.damage == ""
    assert movie.frame_rate == (rate and Fraction(rate))
    assert len(set(movie.frames)) == int(ffprobe(path)["nb_read_packets"])
    for number in range(1, len(movie.frames) + 1):
        with Image.open(io.BytesIO(movie.frame(number))) as picture:
            picture.load()
