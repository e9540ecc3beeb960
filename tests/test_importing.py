"""Movies made by `rtplab import` with nothing but Pillow."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from movies import MOVIE, ROOT, avi_header, avi_of, chunk, frames_of, jpeg_of_size, write_movie
from pictures import without_huffman
from PIL import Image, ImageChops, ImageDraw, ImageStat
from systems import needs_names_by_case, needs_signals
from wording import lacks

from rtplab.__main__ import main
from rtplab.importing import command, encoding, pyav, videos
from rtplab.importing.encoding import Encoder, TooLarge, fitted
from rtplab.importing.progress import Progress
from rtplab.importing.sources import open_source
from rtplab.importing.wanted import Wanted
from rtplab.movies.movie import Movie
from rtplab.movies.ratecomment import rate_in, with_rate
from rtplab.movies.writing import MovieWriter
from rtplab.protocol.errors import MovieError
from rtplab.protocol.rtp import jpeg, rtpjpeg
from VideoStream import VideoStream

FRAMES = frames_of(MOVIE)[:12]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder is an empty one, and no ffmpeg and no PyAV is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(videos, "is_available", lambda: False)
    monkeypatch.setattr(pyav, "is_available", lambda: False)
    return tmp_path


def drawn(number, size=(96, 72)):
    image = Image.new("RGB", size, "navy")
    ImageDraw.Draw(image).rectangle((number * 8, 10, number * 8 + 16, 50), fill="orange")
    return image


def animation(path, durations, size=(96, 72), **options):
    first, *others = [drawn(number, size) for number in range(len(durations))]
    first.save(path, save_all=True, append_images=others, duration=durations, **options)
    return path


def imported(name="a.Mjpeg"):
    movie = Movie(name)
    return movie, [bytes(movie.frame(number)) for number in range(1, len(movie.frames) + 1)]


def pixels(picture):
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("RGB")


def difference(first, second):
    means = ImageStat.Stat(ImageChops.difference(first, second)).mean
    return sum(means) / len(means)


def numbers(frames, count=8):
    """Which of the drawn pictures each frame is."""
    known = [drawn(number) for number in range(count)]
    return [
        min(range(count), key=lambda at: difference(pixels(frame), known[at])) for frame in frames
    ]


# --- What the result is --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animation_keeps_its_time(name):
    animation(name, [100, 50, 50, 150])
    assert main(["import", name]) == 0
    movie, found = imported()
    assert movie.frame_rate == 20
    assert numbers(found) == [0, 0, 1, 2, 3, 3, 3]


def test_a_folder_is_in_the_order_of_its_numbers(here):
    folder = here / "pictures"
    folder.mkdir()
    for number, name in enumerate(("p1.png", "p2.jpg", "p10.bmp", "p11.gif")):
        drawn(number).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    assert main(["import", "pictures", "--fps", "2"]) == 0
    movie, found = imported("pictures.Mjpeg")
    assert numbers(found) == [0, 1, 2, 3]
    assert movie.frame_rate == 2


def test_all_pictures_have_the_size_of_the_first(here):
    for number, size in enumerate([(96, 72), (50, 50), (200, 20)]):
        drawn(number, size).save(here / f"{number}.png")
    assert main(["import", ".", "-o", "a.Mjpeg"]) == 0
    assert [pixels(frame).size for frame in imported()[1]] == [(96, 72)] * 3


def test_a_single_picture_is_upright_and_on_white(here):
    photo = Image.new("RGB", (64, 32), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    photo.save("photo.jpg", exif=exif)
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save("clear.png")
    assert main(["import", "photo.jpg", "clear.png"]) == 0
    ((turned,), (clear,)) = imported("photo.Mjpeg")[1], imported("clear.Mjpeg")[1]
    assert pixels(turned).size == (32, 64)
    assert min(pixels(clear).getpixel((8, 8))) > 250


@pytest.mark.parametrize("format_", ["lab", "bare"])
def test_every_frame_is_as_all_clients_take_it(format_):
    animation("a.gif", [50] * 6, size=(101, 77))
    assert main(["import", "a.gif", "--format", format_]) == 0
    movie, found = imported("a.Mjpeg" if format_ == "lab" else "a.mjpeg")
    assert (movie.width, movie.height) == (96, 72)
    assert movie.damage == ""
    for frame in found:
        assert rtpjpeg.unsupported_reason(jpeg.parse(frame)) is None
        assert len(frame) <= 14_500
    data = Path(movie.path).read_bytes()
    assert data.startswith(b"0" if format_ == "lab" else b"\xff\xd8")
    assert [VideoStream(movie.path).nextFrame()] == found[:1]


@pytest.mark.parametrize(
    ("source", "box", "size"),
    [
        ((101, 77), None, (96, 72)),
        ((1920, 1080), (640, 640), (640, 360)),
        ((100, 100), (384, 288), (288, 288)),
        ((854, 480), (384, 288), (384, 208)),
        ((5, 300), None, (8, 296)),
    ],
)
def test_the_shape_is_kept_but_for_what_is_cut_off(source, box, size):
    assert fitted(source, box) == size


def test_what_is_cut_off_is_cut_off_on_both_sides():
    image = Image.new("RGB", (100, 16), "white")
    image.paste("black", (2, 0, 98, 16))
    frame = Encoder(Wanted(), None).encode(image)
    assert max(pixels(frame).getpixel((0, 8))) < 30 and max(pixels(frame).getpixel((95, 8))) < 30


# --- The bound of a frame ------------------------------------------------------------------------


def noisy(size):
    return Image.effect_noise(size, 60).convert("RGB")


@pytest.mark.parametrize("most", [3_000, 6_000, 14_500])
def test_the_quality_is_lowered_frame_by_frame(most):
    encoder = Encoder(Wanted(max_frame=most), None)
    plain, hard = drawn(1, (128, 96)), noisy((96, 96))
    for image in (plain, hard, plain):
        try:
            frame = encoder.encode(image)
        except TooLarge:
            assert most < 6_000 and image is hard
        else:
            assert len(frame) <= most
    # And it comes back: the last one is as good as if it were alone.
    assert encoder.encode(plain) == Encoder(Wanted(max_frame=most), None).encode(plain)


def test_the_best_quality_that_fits_is_found():
    image = noisy((96, 96))
    sizes = {}
    for quality in range(40, 86):
        image.save(file := io.BytesIO(), "JPEG", quality=quality, subsampling="4:2:0")
        sizes[quality] = len(file.getvalue())
    most = sizes[63]
    frame = Encoder(Wanted(max_frame=most), None).encode(image)
    assert len(frame) == max(size for size in sizes.values() if size <= most)


def test_few_qualities_are_tried_where_one_picture_is_like_the_other(monkeypatch):
    tried = []
    encode = encoding._jpeg
    monkeypatch.setattr(
        encoding, "_jpeg", lambda image, quality: tried.append(quality) or encode(image, quality)
    )
    encoder = Encoder(Wanted(max_frame=5_000), None)
    for _ in range(20):
        encoder.encode(noisy((96, 96)))
    assert len(tried) < 20 * 4


def test_below_40_the_picture_shrinks_and_a_line_says_so(here, capsys):
    folder = here / "pictures"
    folder.mkdir()
    for number in range(3):
        drawn(number, (400, 304)).save(folder / f"{number}.png")
    noisy((400, 304)).save(folder / "3.png")
    assert main(["import", "pictures", "--max-frame", "9000"]) == 0
    said = capsys.readouterr().err
    assert "frame 4" in said and "9,000 bytes" in said and "400x304" in said
    movie, found = imported("pictures.Mjpeg")
    assert {pixels(frame).size for frame in found} == {(movie.width, movie.height)}
    assert 100 < movie.width < 400 and movie.largest <= 9_000
    assert list(here.glob(".*")) == []


def test_without_a_bound_frames_are_as_large_as_they_are(here, capsys):
    noisy((640, 480)).save("a.png")
    assert main(["import", "a.png", "--max-frame", "0", "--quality", "95"]) == 0
    movie, (frame,) = imported()
    assert len(frame) > 99_999 and "99,999" in capsys.readouterr().out


def test_a_bound_that_cannot_be_kept_is_an_error(here, capsys):
    drawn(1, (2000, 8)).save("a.png")
    assert main(["import", "a.png", "--max-frame", "1000"]) == 1
    assert "1,000 bytes" in capsys.readouterr().err
    assert os.listdir(here) == ["a.png"]


# --- Movies as sources ---------------------------------------------------------------------------


def test_pictures_that_are_as_they_should_be_are_not_touched():
    assert main(["import", str(MOVIE), "-o", "a.mjpeg", "--format", "bare"]) == 0
    movie, found = imported("a.mjpeg")
    originals = frames_of(MOVIE)
    assert found[1:] == originals[1:]
    assert found[0] == with_rate(originals[0], Fraction(20))


@needs_names_by_case
def test_there_and_back_again():
    write_movie(Path("first.Mjpeg"), FRAMES)
    assert main(["import", "first.Mjpeg", "--format", "bare"]) == 0
    assert main(["import", "first.mjpeg", "-o", "second.Mjpeg"]) == 0
    assert frames_of("second.Mjpeg")[1:] == FRAMES[1:]


def test_the_frame_rate_goes_along():
    chunks = b"".join(chunk(b"00dc", without_huffman(frame)) for frame in FRAMES)
    Path("a.avi").write_bytes(avi_of(chunks, avi_header(30000, 1001)))
    assert main(["import", "a.avi"]) == 0
    movie, found = imported()
    assert movie.frame_rate == Fraction(30000, 1001)
    assert found[1:] == [jpeg.completed(without_huffman(frame)) for frame in FRAMES[1:]]


def test_another_rate_keeps_the_time():
    chunks = b"".join(chunk(b"00dc", frame) for frame in FRAMES)
    Path("a.avi").write_bytes(avi_of(chunks, avi_header(20, 1)))
    assert main(["import", "a.avi", "--fps", "10"]) == 0
    movie, found = imported()
    assert movie.frame_rate == 10 and found[1:] == FRAMES[2::2]


def test_of_a_movie_without_a_rate_the_user_tells_it():
    write_movie(Path("first.Mjpeg"), FRAMES)
    assert main(["import", "first.Mjpeg", "-o", "a.Mjpeg", "--fps", "10"]) == 0
    movie, found = imported()
    assert movie.frame_rate == 10 and found[1:] == FRAMES[1:]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--start", "0.2"), slice(4, None)),
        (("--duration", "0.2"), slice(0, 4)),
        (("--start", "0:00.1", "--duration", "0:0:0.25"), slice(2, 7)),
        (("--duration", "99"), slice(0, None)),
    ],
)
def test_a_part_is_taken(options, part):
    write_movie(Path("first.Mjpeg"), FRAMES)
    assert main(["import", "first.Mjpeg", "-o", "a.Mjpeg", *options]) == 0
    assert imported()[1][1:] == FRAMES[part][1:]


def test_another_size_makes_all_pictures_anew():
    write_movie(Path("first.Mjpeg"), FRAMES)
    assert main(["import", "first.Mjpeg", "-o", "a.Mjpeg", "--size", "192x192"]) == 0
    movie, found = imported()
    assert (movie.width, movie.height, len(found)) == (192, 144, len(FRAMES))
    for frame, original in zip(found, FRAMES, strict=True):
        assert difference(pixels(frame), pixels(original).resize((192, 144))) < 4


# --- The rate in the file ------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [Fraction(20), Fraction(30000, 1001), Fraction(1, 10)])
def test_the_rate_stands_in_the_first_picture(rate):
    picture = with_rate(FRAMES[0], rate)
    assert rate_in(picture) == rate and rate_in(FRAMES[0]) is None
    assert str(rate).encode() in picture
    assert picture[:20] == FRAMES[0][:20], "JFIF comes first"
    assert difference(pixels(picture), pixels(FRAMES[0])) == 0


@pytest.mark.parametrize(
    "text", [b"rtplab fps=0", b"rtplab fps=5/0", b"rtplab fps=99999", b"fps=5"]
)
def test_a_rate_that_no_movie_has_is_not_believed(text):
    assert rate_in(jpeg.with_comment(FRAMES[0], text)) is None


# --- What the user does wrong --------------------------------------------------------------------


def test_what_is_there_is_not_replaced_unless_told_so(capsys):
    animation("a.gif", [50, 50])
    Path("a.Mjpeg").write_text("mine")
    assert main(["import", "a.gif"]) == 1
    assert "--force" in capsys.readouterr().err
    assert Path("a.Mjpeg").read_text() == "mine"
    assert main(["import", "a.gif", "--force"]) == 0
    assert len(imported()[1]) == 2


def test_a_movie_never_takes_its_source_s_place(capsys):
    write_movie(Path("a.Mjpeg"), FRAMES)
    assert main(["import", "a.Mjpeg", "--force"]) == 1
    assert "-o" in capsys.readouterr().err
    assert frames_of("a.Mjpeg") == FRAMES


def test_one_of_many_that_fails_does_not_stop_the_others(capsys):
    animation("a.gif", [50, 50])
    Path("bad.gif").write_bytes(b"GIF89a" + bytes(20))
    animation("b.gif", [50, 50])
    assert main(["import", "a.gif", "bad.gif", "b.gif"]) == 1
    assert "bad.gif" in capsys.readouterr().err
    assert sorted(path.name for path in Path().glob("*.Mjpeg")) == ["a.Mjpeg", "b.Mjpeg"]


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("missing.mp4", None, "No such file"),
        ("film.mp4", b"\0\0\0\x20ftypisom" + bytes(100), "rtplab[import]"),
        ("text.txt", b"hello", "ffmpeg"),
        ("empty.mp4", b"", "empty"),
    ],
)
def test_what_can_not_be_read_is_a_sentence(file, content, words, capsys):
    if content is not None:
        Path(file).write_bytes(content)
    assert main(["import", file]) == 1
    said = capsys.readouterr().err
    assert file in said and words in said and said.count("\n") == 1
    assert not list(Path().glob("*.Mjpeg"))


def test_damaged_metadata_is_nobody_s_concern(here):
    drawn(0).save("photo.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\5\1\x12")
    run = subprocess.run(
        [sys.executable, "-m", "rtplab", "import", "photo.jpg"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (run.returncode, run.stderr) == (0, b"")


def test_an_empty_folder_and_a_damaged_picture_are_sentences(here, capsys):
    (here / "pictures").mkdir()
    assert main(["import", "pictures"]) == 1
    drawn(0).save("pictures/1.png")
    Path("pictures/2.png").write_bytes(Path("pictures/1.png").read_bytes()[:100])
    assert main(["import", "pictures"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "no picture" in first and "2.png" in second
    assert os.listdir(here) == ["pictures"]


@pytest.mark.parametrize(
    "options",
    [
        ["--fps", "0"], ["--fps", "1/0"], ["--fps", "x"], ["--size", "5"], ["--size", "0x0"],
        ["--quality", "0"], ["--quality", "100"], ["--max-frame", "-1"], ["--max-frame", "10"],
        ["--start", "x"], ["--start", "1:2:3:4"], ["--duration", "0"], ["--format", "avi"],
        ["b.gif", "-o", "c.Mjpeg"],
    ],
)  # fmt: skip
def test_wrong_options_are_a_usage_error(options, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["import", "a.gif", *options])
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err or "-o" in options


@pytest.mark.parametrize("output", ["nowhere/a.Mjpeg", "folder"])
def test_an_invalid_place_is_a_sentence(here, output, capsys):
    animation("a.gif", [50, 50])
    (here / "folder").mkdir()
    (here / "folder" / "a.Mjpeg").mkdir()
    assert main(["import", "a.gif", "-o", output]) == 1
    assert "folder" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(here, monkeypatch, capsys):
    animation("a.gif", [50, 50])

    def full(writer, picture):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MovieWriter, "add", full)
    assert main(["import", "a.gif"]) == 1
    assert not lacks(capsys.readouterr().err, "a.Mjpeg", "No space left")
    assert os.listdir(here) == ["a.gif"]


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
@needs_signals
def test_a_signal_leaves_no_half_file(here, signal_):
    folder = here / "pictures"
    folder.mkdir()
    noisy((640, 480)).save(folder / "0.png")
    for number in range(1, 2000):
        os.link(folder / "0.png", folder / f"{number}.png")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "rtplab", "import", "pictures"],
        stderr=subprocess.PIPE,
        env=environment,
    )
    deadline = time.monotonic() + 10
    while not list(here.glob(".pictures*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(here.glob(".pictures*"))
    process.send_signal(signal_)
    _, said = process.communicate(timeout=10)
    # Python itself ends by SIGINT if that has come while a module was being made.
    assert process.returncode in (1, -signal.SIGINT) and said.startswith(b"Stopped"), said
    assert os.listdir(here) == ["pictures"]


def test_without_pillow_a_sentence_says_what_to_do(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("rtplab.importing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(["import", "a.gif"]) == 1
    assert "pip install Pillow" in capsys.readouterr().err


# --- Progress ------------------------------------------------------------------------------------


def test_the_progress_says_rate_and_time_left():
    line = Progress("a.Mjpeg", 500).line(100, 2.0)
    assert "100 of 500" in line and "20 %" in line and "50 a second" in line and "0:08" in line
    assert "100 frames" in Progress("a.Mjpeg", 0).line(100, 2.0)


def test_the_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    progress = Progress("a.Mjpeg", 10)
    progress._due = 0.0
    progress.tell(5)
    progress.clear()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress("a.Mjpeg", 10)
    progress._due = 0.0
    progress.tell(5)
    progress.tell(6)
    progress.clear()
    said = capsys.readouterr().err
    assert "5 of 10" in said and "6 of 10" not in said and said.endswith("\r")


# --- Sources -------------------------------------------------------------------------------------


def test_how_many_pictures_are_expected():
    animation("a.gif", [100, 50, 50, 150])
    write_movie(Path("b.Mjpeg"), FRAMES)
    for name in ("a.gif", "b.Mjpeg"):
        for wanted in (Wanted(), Wanted(start=Fraction(1, 10)), Wanted(duration=Fraction(1, 4))):
            source = open_source(Path(name), wanted)
            assert source.count == len(list(source.pictures()))


def test_a_video_in_which_a_picture_happens_to_be_is_no_movie():
    data = b"something else" * 20 + jpeg_of_size(900) + bytes(10_000)
    Path("a.bin").write_bytes(data)
    assert Movie("a.bin").frames
    assert main(["import", "a.bin"]) == 1


def test_a_rate_is_exact():
    assert command._fps("30000/1001") == Fraction(30000, 1001)
    assert command._fps("29.97") == Fraction(2997, 100)
    with pytest.raises(MovieError):
        with_rate(b"no picture", Fraction(20))
