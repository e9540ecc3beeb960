"""`--http` with `--tls`: browsers are served inside TLS, by the same certificate."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing
from http.client import HTTPSConnection

import pytest
from certificates import make_certificate
from movies import MOVIE, frames_of
from needs import need
from processes import HOST, ServerProcess
from test_http import LIMIT, raw, serving

import rtplab

FRAMES = frames_of(MOVIE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def port(certificate, small_movie):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with serving(small_movie.parent, tls=context) as port:
        yield port


@pytest.fixture
def trust(certificate):
    return ssl.create_default_context(cafile=str(certificate.certificate))


def test_pages_stills_and_figures_on_one_connection(port, trust) -> None:
    with closing(HTTPSConnection(HOST, port, timeout=LIMIT, context=trust)) as connection:
        for path, kind in (
            ("/", "text/html"),
            ("/movie.Mjpeg", "text/html"),
            ("/movie.Mjpeg.jpg", "image/jpeg"),
            ("/movie.Mjpeg.json", "application/json"),
            ("/nothing", "text/html"),
        ):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == (404 if path == "/nothing" else 200)
            assert answer.headers["Content-Type"].startswith(kind)
            if path == "/movie.Mjpeg":
                assert f"rtsps://{HOST}:554/movie.Mjpeg".encode() in body


def test_many_watch_the_moving_picture(port, certificate) -> None:
    found: list[bytes] = []

    def watch() -> None:
        url = f"https://{HOST}:{port}/movie.Mjpeg.mjpeg"
        with rtplab.play(url, cafile=str(certificate.certificate)) as frames:
            found.extend(next(frames).jpeg for _ in range(5))

    threads = [threading.Thread(target=watch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40 and all(picture in FRAMES for picture in found)


def test_plain_http_is_told_where_to_go(port) -> None:
    answer = raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer
    with pytest.raises(rtplab.PlayError, match="400"):
        next(rtplab.play(f"http://{HOST}:{port}/movie.Mjpeg.mjpeg"))


def test_a_certificate_that_is_not_trusted_is_told(port) -> None:
    with pytest.raises(rtplab.PlayError, match="not trusted"):
        next(rtplab.play(f"https://{HOST}:{port}/movie.Mjpeg.mjpeg"))


def test_garbage_in_the_handshake_harms_nobody(port, trust) -> None:
    for data in (b"\x16", b"\x16\x03\x01\xff\xff" + bytes(200), b"\x16\x03\x01\x00\x01x"):
        with socket.create_connection((HOST, port), LIMIT) as connection:
            connection.sendall(data)
    with closing(HTTPSConnection(HOST, port, timeout=LIMIT, context=trust)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


@pytest.mark.long
def test_the_program_serves_both_inside_tls(certificate, small_movie) -> None:
    need(shutil.which("curl"), "curl")
    need(shutil.which("ffmpeg"), "ffmpeg")
    options = ["--http", "0", "--tls", str(certificate.certificate), str(certificate.key)]
    with ServerProcess(small_movie.parent, *options) as server:
        address = re.search(r"In a browser: https://localhost:(\d+)/", server.output())
        assert address
        url = f"https://localhost:{address[1]}/"
        ca = str(certificate.certificate)
        page = subprocess.run(
            ["curl", "-s", "--cacert", ca, url], capture_output=True, check=True, timeout=20
        )
        assert b"movie.Mjpeg" in page.stdout
        watch = ["ffmpeg", "-v", "error", "-i", f"{url}movie.Mjpeg.mjpeg", "-frames:v", "5"]
        done = subprocess.run(
            [*watch, "-f", "null", "-"], capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
