"""What a client makes of how its user names a movie, and of a server that sends it elsewhere."""

from __future__ import annotations

import pytest

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.urls import parse_url
from rtplab.receiving.rtsp.labdialogue import LabDialogue
from rtplab.receiving.rtsp.moviesource import MovieSource
from rtplab.receiving.rtsp.standarddialogue import StandardDialogue

HERE = "rtsp://ann:secret@here/movie.Mjpeg"


def test_a_file_name_is_asked_for_in_the_lab_dialect():
    lab = MovieSource("localhost", 5678, "movie.Mjpeg", "tcp")
    assert (lab.host, lab.port, lab.name) == ("localhost", 5678, "movie.Mjpeg")
    assert isinstance(lab.dialogue(), LabDialogue)
    assert lab.dialogue().uses_udp, "the lab knows nothing else"


def test_an_address_goes_before_host_and_port():
    standard = MovieSource("localhost", 5678, "rtsp://here:8554/movie.Mjpeg")
    assert (standard.host, standard.port) == ("here", 8554)
    assert isinstance(standard.dialogue(), StandardDialogue)


def test_an_invalid_address_is_refused():
    with pytest.raises(MessageError):
        MovieSource("", 0, "ftp://here/movie.Mjpeg")


def test_the_name_does_not_show_the_password():
    source = MovieSource("", 0, HERE)
    assert source.name == "rtsp://here/movie.Mjpeg"
    assert source.login.user == "ann"


@pytest.mark.parametrize(
    ("address", "transport", "uses_udp"),
    [
        ("rtsp://here/x", "auto", True),
        ("rtsp://here/x", "udp", True),
        ("rtsp://here/x", "tcp", False),
        ("rtsps://here/x", "udp", False),  # which everybody on the way could read
    ],
)
def test_the_transport_that_is_wanted(address, transport, uses_udp):
    assert MovieSource("", 0, address, transport).dialogue().uses_udp is uses_udp


@pytest.mark.parametrize(
    ("name", "transport", "changes"),
    [
        ("rtsp://here/x", "auto", True),
        ("rtsp://here/x", "udp", False),
        ("movie.Mjpeg", "auto", False),
    ],
)
def test_tcp_instead_of_udp_where_the_user_does_not_mind(name, transport, changes):
    source = MovieSource("here", 554, name, transport)
    assert source.change_to_tcp() is changes
    assert source.dialogue().uses_udp is not changes
    assert not source.change_to_tcp(), "there is nothing else left"


def test_who_logs_in():
    source = MovieSource("", 0, HERE)
    source.log_in("bob", "other")
    assert source.login.user == "bob"
    source.log_in("", "")
    assert source.login.user == "ann", "whom the address names"


def test_nobody_logs_in_to_a_lab_server():
    lab = MovieSource("here", 554, "movie.Mjpeg")
    lab.log_in("bob", "other")
    assert lab.login.user == ""


def test_a_redirection_within_the_server_keeps_the_login():
    source = MovieSource("", 0, HERE)
    login = source.login
    source.redirect(parse_url("rtsp://here/other.Mjpeg"))
    assert source.login is login


@pytest.mark.parametrize("address", ["rtsp://there/movie.Mjpeg", "rtsp://here:8554/movie.Mjpeg"])
def test_a_redirection_elsewhere_takes_no_login_along(address):
    source = MovieSource("", 0, HERE)
    source.redirect(parse_url(address))
    assert (source.login.user, source.host) == ("", parse_url(address).host)
