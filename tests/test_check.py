"""`rtplab check`: what it tells of servers and cameras of all kinds, and its exit status."""

from __future__ import annotations

import json
import socket
import time

import pytest
from http_cameras import HttpCamera, sends, stream
from movies import MOVIE, frames_of
from processes import HOST, ServerProcess
from standard_servers import StandardServer, jpeg_payloads
from wording import lacks

from rtplab import check
from rtplab.__main__ import main

PICTURES = [jpeg_payloads(picture) for picture in frames_of(MOVIE)[:40]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "WATCHED", 0.3)
    monkeypatch.setattr(
        check, "LIMITS", check.TimeLimits(connect=1, reply=0.5, silence=0.5, loss=0.5, teardown=0.2)
    )


def checked(capsys, *arguments: str) -> tuple[int, dict]:
    status = main(["check", "--json", *arguments])
    printed = capsys.readouterr()
    assert printed.err == "" and printed.out.count("\n") == 1
    report = json.loads(printed.out)
    assert report["plays"] is (status == 0)
    return status, report


def page(capsys, *arguments: str) -> tuple[int, str]:
    status = main(["check", *arguments])
    return status, capsys.readouterr().out


@pytest.mark.long
def test_our_server(small_movie, capsys) -> None:
    with ServerProcess(small_movie.parent, "--loop") as server:
        url = f"rtsp://{HOST}:{server.port}/movie.Mjpeg"
        status, report = checked(capsys, url)
        assert status == 0 and not lacks(report["verdict"], "plays", "UDP and TCP")
        methods = [one["request"].split()[0] for one in report["dialogue"]]
        assert methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
        assert all("200 OK" in one["reply"] and one["ms"] >= 0 for one in report["dialogue"])
        assert "a=rtpmap:26 JPEG/90000" in report["description"]
        for trial, way in zip(report["trials"], ("UDP", "TCP"), strict=True):
            assert trial["transport"] == way and trial["plays"] and not trial["error"]
            assert trial["frames"] > 2 and trial["payload_types"] == [26] and not trial["lost"]
            assert trial["pictures"] == ["384x288, baseline, 4:2:0"]
            assert trial["announced_fps"] == 20 and 10 < trial["fps"] < 30
            assert trial["rtcp"]["SenderReport"] >= 1
        assert report["forgiven"] == []
        status, text = page(capsys, url)
        assert "384x288" in text and "payload type 26" in text and "Over TCP" in text


@pytest.mark.long
def test_a_camera_by_http(capsys) -> None:
    with HttpCamera(stream) as camera:
        status, report = checked(capsys, camera.url(user="ann:secret@"))
        assert status == 0 and report["url"] == camera.url()
        assert report["trials"][0]["transport"] == "HTTP" and report["trials"][0]["frames"] > 5
        status, text = page(capsys, camera.url(user="ann:secret@"))
    assert status == 0 and "GET /stream HTTP/1.1" in text and "secret" not in text


class SendsH264(StandardServer):
    """A camera whose stream this player does not show."""

    def media_lines(self):
        return ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=control:trackID=1"]


def test_a_camera_of_another_codec(capsys) -> None:
    with SendsH264(PICTURES) as server:
        status, report = checked(capsys, server.url)
        assert server.methods() == ["OPTIONS", "DESCRIBE"] * len(report["trials"])
    assert status == 1 and "H264" in report["verdict"] and "MJPEG" in report["verdict"]
    assert "H264/90000" in report["description"]


class RefusesUdp(StandardServer):
    """A server that serves by TCP alone."""

    def do_SETUP(self, viewer, request):
        if "TCP" in request.headers["transport"]:
            super().do_SETUP(viewer, request)
        else:
            self.reply(viewer, request, "461 Unsupported Transport")


def test_a_server_of_one_transport(capsys) -> None:
    with RefusesUdp(PICTURES, 0.05) as server:
        status, report = checked(capsys, server.url)
    assert status == 0 and "--transport tcp" in report["verdict"]
    assert [trial["plays"] for trial in report["trials"]] == [False, True]
    assert "461" in report["trials"][0]["error"]


class SendsNothing(StandardServer):
    """A server whose packets never come, as behind a firewall."""

    def stream(self, viewer):
        pass


def test_a_server_that_sends_nothing(capsys) -> None:
    with SendsNothing(PICTURES) as server:
        status, report = checked(capsys, server.url)
    assert status == 1 and "No picture arrived" in report["verdict"]
    assert len(report["trials"]) == 2


class Sloppy(StandardServer):
    """A server without a number of the session in its reply."""

    def base_headers(self):
        return ["Content-Base: movie"]


def test_what_is_forgiven_is_told(capsys) -> None:
    with Sloppy(PICTURES, 0.05) as server:
        status, report = checked(capsys, server.url)
        assert status == 0 and "Content-Base" in report["forgiven"][0]
        assert "breaks some rules" in report["verdict"]
        text = page(capsys, server.url)[1]
    assert "Forgiven" in text and text.count("Content-Base is") == 1


class WantsPassword(StandardServer):
    """A server that lets nobody in."""

    def do_DESCRIBE(self, viewer, request):
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        self.reply(viewer, request, "401 Unauthorized", [challenge])


def test_a_server_that_wants_a_password(capsys) -> None:
    with WantsPassword(PICTURES) as server:
        status, report = checked(capsys, server.url)
        assert status == 1 and "rtsp://USER:PASSWORD@" in report["verdict"]
        status, report = checked(capsys, server.url.replace("//", "//ann:secret@"))
    assert status == 1 and "does not accept" in report["verdict"]
    assert "secret" not in json.dumps(report)


def test_no_http_where_rtsp_is_meant(capsys) -> None:
    with HttpCamera(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as camera:
        status, report = checked(capsys, f"rtsp://{HOST}:{camera.port}/x")
    assert status == 1 and "HTTP" in report["verdict"] and len(report["trials"]) == 1


def test_a_single_picture(capsys) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nServer: cam\x1b[2J\r\n\r\n"
    with HttpCamera(sends(head)) as camera:
        status, text = page(capsys, camera.url())
    assert status == 1 and "single picture" in text.splitlines()[-1]
    assert "\x1b" not in text and "server: cam" in text


def test_where_nobody_listens(capsys) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    status, report = checked(capsys, f"rtsp://{HOST}:{port}/x")
    assert status == 1 and not lacks(report["verdict"], "listening", str(port))
    assert report["dialogue"] == []


def test_silence(capsys) -> None:
    with socket.create_server((HOST, 0)) as silent:
        began = time.monotonic()
        status, report = checked(capsys, f"rtsp://{HOST}:{silent.getsockname()[1]}/x")
    assert status == 1 and "has not answered" in report["verdict"]
    assert time.monotonic() - began < 5
    assert report["dialogue"][0]["reply"] is None


@pytest.mark.parametrize("url", ["movie.Mjpeg", "ftp://host/x", "rtsp://ann:secret@host:x/"])
def test_what_is_no_address_is_usage(url, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["check", url])
    assert end.value.code == 2 and "secret" not in capsys.readouterr().err


def test_the_address_that_is_meant_is_asked_for(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["check", "camera:8554/stream"])
    assert "rtsp://camera:8554/stream?" in capsys.readouterr().err
