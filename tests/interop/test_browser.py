"""The pages in a real browser, on a screen of its own."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from display import Display, running_display
from movies import MOVIE, frames_of, write_movie
from peers import need_command
from processes import ServerProcess
from strip import frame_number

import rtplab

pytestmark = pytest.mark.peers

HOST = "127.0.0.1"
LIMIT = 40.0  # a browser starts slowly on a busy machine
SIZE = 384, 288
EDGE = 20  # pixels: beyond the window's border, where there is nothing but the page

FPS = 20


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    frames = frames_of(MOVIE)
    for number in range(12):
        write_movie(folder / f"movie{number}.Mjpeg", frames)
    return folder


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    with running_display("800x600") as display:
        yield display


@contextmanager
def browser(screen: Display, profile: Path, address: str) -> Iterator[None]:
    """Chromium, filling the screen with the page at this address."""
    need_command("chromium")
    options = ("--kiosk", "--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-sync")
    process = subprocess.Popen(
        ["chromium", *options, f"--user-data-dir={profile}", address],
        env=screen.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def number_shown(screen: Display) -> int | None:
    """The frame in the middle of the page; None if there is no picture to be seen."""
    page = screen.screenshot().convert("RGB")
    left = (page.width - SIZE[0]) // 2
    background = page.getpixel((EDGE, page.height - EDGE))
    column = [(y, page.getpixel((page.width // 2, y))) for y in range(EDGE, page.height - SIZE[1])]
    top = next((y for y, pixel in column if pixel != background), None)
    if top is None:
        return None
    try:
        return frame_number(page.crop((left, top, left + SIZE[0], top + SIZE[1])))
    except ValueError:
        return None


def wait_for(condition: Callable[[], object], seen: Sequence[object] = ()) -> object:
    """Wait until it holds; otherwise fail, and tell what was `seen`."""
    end = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain; seen: {seen[-20:]}"
        time.sleep(0.1)
    return found


def wait_until_it_moves(screen: Display) -> None:
    """Wait until the picture moves at the movie's rate."""
    seen: list[tuple[float, int]] = []

    def moves_at_its_rate() -> bool:
        """Compare with earlier readings: those of a half-built page may be wrong."""
        number, now = number_shown(screen), time.monotonic()
        if number is not None:
            seen.append((now, number))
        return any(
            0.7 * FPS < (seen[-1][1] - number) / (seen[-1][0] - then) < 1.1 * FPS
            for then, number in seen
            if seen[-1][0] - then > 2
        )

    wait_for(moves_at_its_rate, seen)


@contextmanager
def crowd(port: int | None, path: str, count: int) -> Iterator[Counter[int]]:
    """So many other viewers, who read all they get: the bytes that each has received."""
    received: Counter[int] = Counter()
    has_ended = threading.Event()

    def read(selector: selectors.BaseSelector) -> None:
        while not has_ended.is_set():
            for key, _ in selector.select(0.1):
                received[key.fd] += len(key.fileobj.recv(1 << 20))  # type: ignore[union-attr]

    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(count):
            viewer = stack.enter_context(socket.create_connection((HOST, port), LIMIT))
            viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            selector.register(viewer, selectors.EVENT_READ)
        thread = threading.Thread(target=read, args=(selector,))
        thread.start()
        try:
            yield received
        finally:
            has_ended.set()
            thread.join()


def test_the_picture_moves_on_its_page_beside_a_hundred_viewers(media, screen, tmp_path) -> None:
    with rtplab.serve(port=0, media=str(media), host=HOST, http=0) as server:
        address = f"http://{HOST}:{server.http_port}/movie3.Mjpeg"
        with crowd(server.http_port, "/movie3.Mjpeg.mjpeg", 100) as received:
            with browser(screen, tmp_path, address):
                wait_until_it_moves(screen)
        assert len(received) == 100 and min(received.values()) > max(received.values()) / 2


def test_the_picture_moves_behind_a_login(media, screen, tmp_path) -> None:
    with ServerProcess(media, "--http", "0", "--user", "ann:secret") as server:
        found = re.search(r"In a browser: http://[^:]+:(\d+)/", server.output())
        assert found
        with browser(screen, tmp_path, f"http://ann:secret@{HOST}:{found[1]}/movie3.Mjpeg"):
            wait_until_it_moves(screen)


def test_a_list_of_twelve_movies_has_a_still_of_each(media, screen, tmp_path) -> None:
    with rtplab.serve(port=0, media=str(media), host=HOST, http=0) as server:
        with browser(screen, tmp_path, f"http://{HOST}:{server.http_port}/"):

            def has_stills() -> bool:
                """Dark water and bright sky in each of the two columns that are seen whole."""
                page = screen.screenshot().convert("L").resize((80, 60))
                return all(
                    len({page.getpixel((x, y)) // 16 for y in range(8, 24)}) > 4 for x in (15, 40)
                )

            wait_for(has_stills)
            first = screen.screenshot()
            wait_for(lambda: screen.screenshot().tobytes() != first.tobytes())


def test_a_page_shows_its_stream_again_when_it_is_back(media, screen, tmp_path) -> None:
    frames = frames_of(MOVIE)

    def is_shown(cam: rtplab.Publication, number: int) -> bool:
        cam.send(frames[number - 1])  # again and again: a browser shows a picture with the next
        return number_shown(screen) == number

    with rtplab.serve(port=0, host=HOST, http=0) as server:
        with server.publish("cam") as cam:
            cam.send(frames[9])
            with browser(screen, tmp_path, f"http://{HOST}:{server.http_port}/cam"):
                wait_for(lambda: is_shown(cam, 10))
                cam.close()
                with server.publish("cam") as again:  # at once, before the page can know
                    wait_for(lambda: is_shown(again, 20))
                time.sleep(3)  # it is told that there is no such stream
                with server.publish("cam") as again:
                    wait_for(lambda: is_shown(again, 30))
