"""RTSP addresses: taken apart and put together, resolved against a description, hostile ones."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_rtsp import Peer, running_server

from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.urls import (
    DEFAULT_PORTS,
    MAX_URL,
    Url,
    escaped,
    meant_address,
    parse_url,
    resolve,
    without_password,
)

BOTH_WAYS = {
    "rtsp://host/movie.Mjpeg": Url("rtsp", "host", 554, "/movie.Mjpeg"),
    "rtsp://host:5678/a/b?x=1": Url("rtsp", "host", 5678, "/a/b?x=1"),
    "rtsps://192.0.2.7/": Url("rtsps", "192.0.2.7", 322, "/"),
    "rtsp://[::1]:5678/m": Url("rtsp", "::1", 5678, "/m"),
    "rtsp://[2001:db8::7]/m": Url("rtsp", "2001:db8::7", 554, "/m"),
    "rtsp://host/\udcff": Url("rtsp", "host", 554, "/\udcff"),
    "rtsp://[fe80::1%25eth0]/m": Url("rtsp", "fe80::1%eth0", 554, "/m"),
}


@pytest.mark.parametrize(("text", "url"), BOTH_WAYS.items(), ids=ascii)
def test_both_ways(text: str, url: Url) -> None:
    assert parse_url(text) == url
    assert str(url) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RTSP://Host:554/Movie", "rtsp://host/Movie"),
        ("rtsp://host", "rtsp://host/"),
        ("rtsp://host:/m#part", "rtsp://host/m"),
        ("rtsp://ann:secret@host/m", "rtsp://host/m"),
        ("rtsp://ann:p@ss@host/m", "rtsp://host/m"),
        ("rtsp://[fe80::1%eth0]/m", "rtsp://[fe80::1%25eth0]/m"),
    ],
)
def test_as_users_write_it(text: str, shown: str) -> None:
    assert str(parse_url(text)) == shown


@pytest.mark.parametrize(
    ("user_info", "user", "password"),
    [
        ("ann:s%40%3Ax", "ann", "s@:x"),
        ("ann", "ann", ""),
        ("%C3%A4:%FF", "ä", "\ufffd"),
        ("\udcff:\udcfe", "\ufffd", "\ufffd"),
    ],
    ids=ascii,
)
def test_user_and_password(user_info: str, user: str, password: str) -> None:
    url = parse_url(f"rtsp://{user_info}@host/m")
    assert (url.user, url.password) == (user, password)
    assert "s@" not in repr(url)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/movie.Mjpeg", "movie.Mjpeg"),
        ("/a%20b/c%2Fd/", "a b/c/d"),
        ("/%FF", "\udcff"),
        ("/\udcff", "\udcff"),
        ("/%", "%"),
    ],
    ids=ascii,
)
def test_the_name_of_a_file(path: str, name: str) -> None:
    assert parse_url(f"rtsp://host{path}").name == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "movie.Mjpeg", "http://host/m", "rtsp:/host/m", "rtsp://", "rtsp:///m", "rtsp://@/"),
        *("rtsp://host:0/", "rtsp://host:65536/", "rtsp://host:x/", "rtsp://host:-1/"),
        *("rtsp://[::1/", "rtsp://::1]/", "rtsp://\u2100/", "rtsp://host/" + "x" * MAX_URL),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_url(text)
    assert (caught.value.status, caught.value.fatal) == (400, False)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rtsp:/host/x", "rtsp://host/x"),
        ("rtsp//host/x", "rtsp://host/x"),
        ("rtsp:host:554/x", "rtsp://host:554/x"),
        ("rtsp:///host/x", "rtsp://host/x"),
        ("RTSP:\\\\host\\x", "rtsp://host/x"),
        ("rtps://host/x", "rtsp://host/x"),
        ("rstp://host/x", "rtsp://host/x"),
        ("rtsps:/host/x", "rtsps://host/x"),
        ("http:/host:5678/x", "http://host:5678/x"),
        ("https://host/x", None),
        (' "rtsp://host/x" ', "rtsp://host/x"),
        ("host:5678/x", "rtsp://host:5678/x"),
        ("rtspcam:5678/x", "rtsp://rtspcam:5678/x"),
        ("[::1]:5678/x", "rtsp://[::1]:5678/x"),
        ("192.168.1.5/x", "rtsp://192.168.1.5/x"),
        ("a movie.Mjpeg", "rtsp://localhost:5678/a%20movie.Mjpeg"),
        ("rtsp://host/x", None),
        ("localhost", None),
        ("folder/movie.Mjpeg", None),
        (r"C:\folder\movie.Mjpeg", None),
        ("rtsp:/user:secret@host/x", None),
        ("rtsp:", None),
        ("rtsp:/host/" + "x" * 150, None),
        ("", None),
    ],
)
def test_what_is_nearly_an_address(text: str, meant: str | None) -> None:
    assert meant_address(text) == meant


@pytest.mark.parametrize(
    ("control", "url"),
    [
        ("", "rtsp://h/m"),
        ("*", "rtsp://h/m"),
        ("trackID=0", "rtsp://h/m/trackID=0"),
        ("RTSP://other/x", "RTSP://other/x"),
        ("/x", "rtsp://h/x"),
        ("//other/x", "rtsp://other/x"),
        ("a?x=1", "rtsp://h/m/a?x=1"),
        ("a/../b", "rtsp://h/m/a/../b"),
        ("video:0", "rtsp://h/m/video:0"),
        ("\udcff", "rtsp://h/m/\udcff"),
    ],
    ids=ascii,
)
def test_a_control_attribute(control: str, url: str) -> None:
    assert resolve("rtsp://h/m", control) == url
    if control not in ("", "*"):
        assert resolve("rtsp://h/m/", control) == url


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://h/c/r?a=1&b=2", "trackID=0", "rtsp://h/c/r?a=1&b=2/trackID=0"),
        ("rtsp://h/c/r?a=1&b=2/", "trackID=0", "rtsp://h/c/r?a=1&b=2/trackID=0"),
        ("rtsp://h/c/r?a=1", "*", "rtsp://h/c/r?a=1"),
        ("rtsp://h/c/r?a=1", "/x?b=2", "rtsp://h/x?b=2"),
        ("rtsp://h:8554/c?a=1", "//other/x", "rtsp://other/x"),
        ("rtsps://h/c?a=1", "/x", "rtsps://h/x"),
        ("rtsp://h/m", "?x=1", "rtsp://h/m?x=1"),
        ("rtsp://h/m/", "?x=1", "rtsp://h/m/?x=1"),
        ("rtsp://h", "t", "rtsp://h/t"),
    ],
)
def test_a_control_attribute_beside_a_query(base: str, control: str, url: str) -> None:
    assert resolve(base, control) == url


def test_an_address_with_a_query_and_no_path() -> None:
    assert str(parse_url("rtsp://h?x=1")) == "rtsp://h/?x=1"


@pytest.mark.parametrize(("base", "control"), [("rtsp://h/m", "//[x"), ("rtsp://[x/m", "track")])
def test_a_control_attribute_that_makes_no_sense(base: str, control: str) -> None:
    with pytest.raises(MessageError):
        resolve(base, control)


@pytest.mark.parametrize("port", ["99999", "0", "abc", "-1"])
def test_a_wrong_port_is_named(port: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_url(f"rtsp://h:{port}/m")
    assert "65535" in str(caught.value)


def test_what_may_be_logged() -> None:
    assert without_password("at rtsp://ann:secret@host/m!") == "at rtsp://host/m!"


def test_the_server_looks_for_a_name_that_is_no_text(small_movie: Path) -> None:
    with running_server(small_movie.parent) as port, Peer(port) as peer:
        for uri in (f"{peer.base}/\udcff", "rtsp://\udcff:x@h/m", "rtsp://h\udcff/m"):
            assert peer.ask("DESCRIBE", uri).status == 404
        assert peer.ask("DESCRIBE", f"{peer.base}/{small_movie.name}").status == 200


SECRETS = [
    "rtsp://ann:p@zz@host/m",
    "rtsp://ann:p/zz@host/m",
    "rtsp://ann:p?zz@host/m",
    "rtsp://ann:p#zz@host/m",
    "rtsp://ann:pqzz@",
    "rtsp://ann:pqzz@host:port/m",
    "rtsp://ann:p[zz@host/m",
    "rtsp://ann:pqzz@[host/m",
    "rtsp:/ann:pqzz@host/m",
    "ann:pqzz@host/m",
    "http://ann:pqzz@host/m",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_part_of_a_password_is_shown(text: str) -> None:
    try:
        shown = str(parse_url(text))
    except MessageError as error:
        shown = str(error)
    assert "z" not in shown and "ann" not in shown
    if "://" in text:
        assert "z" not in without_password(f"DESCRIBE {text} RTSP/1.0")


def test_what_follows_the_host_is_no_password() -> None:
    for text in ("rtsp://host/a@b", "rtsp://host:5678/a@b/c:d@e", "rtsp://[::1]:5678/a@b"):
        assert without_password(text) == text


# --- Whatever is given ---------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=[]) | st.sampled_from("/:@[]?#%"), max_size=40)
hosts = st.one_of(
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True), st.ip_addresses().map(str)
)
paths = st.binary(max_size=40).map(lambda data: "/" + quote(data))
addresses = st.builds(
    Url, st.sampled_from(sorted(DEFAULT_PORTS)), hosts, st.integers(1, 65535), paths
)


@given(addresses)
def test_what_is_written_reads_the_same(url: Url) -> None:
    assert parse_url(str(url)) == url


@given(st.text(max_size=20), st.text(max_size=20), addresses)
def test_any_user_and_password_can_be_given(user: str, password: str, url: Url) -> None:
    scheme, rest = str(url).split("://")
    text = f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"
    read = parse_url(text)
    assert (read.user, read.password, str(read)) == (user, password, str(url))
    assert without_password(text) == str(url)


@given(st.sampled_from(["", "rtsp://", "rtsp://h/", "rtsp://[", "rtsps://a:b@"]), any_text)
def test_any_text_is_an_address_or_a_message_error(start: str, text: str) -> None:
    try:
        url = parse_url((start + text).encode("utf-8", "replace").decode())
    except MessageError:
        return
    assert 0 < url.port <= 65535 and url.path.startswith("/")
    assert parse_url(str(url)).name == url.name


@given(st.binary(max_size=40))
def test_any_bytes_are_an_address_or_a_message_error(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for start in ("rtsp://", "rtsp://h/"):
        try:
            url = parse_url(start + text)
            url.name.encode("utf-8", "surrogateescape")
        except MessageError:
            pass


@given(addresses, any_text)
def test_any_control_attribute_makes_an_address_or_a_message_error(url: Url, control: str) -> None:
    try:
        assert "://" in resolve(str(url), control)
    except MessageError:
        pass


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("rtsp://h/a b.mjpeg", "rtsp://h/a%20b.mjpeg"),
        ("rtsp://h/a%20b.mjpeg", "rtsp://h/a%20b.mjpeg"),
        ("rtsp://h/fünf.mjpeg", "rtsp://h/f%C3%BCnf.mjpeg"),
        ("rtsp://[::1]:8554/cam?channel=1&subtype=0", "rtsp://[::1]:8554/cam?channel=1&subtype=0"),
        ("rtsp://h/\udcff", "rtsp://h/%FF"),
        ('rtsp://h/"<>', "rtsp://h/%22%3C%3E"),
    ],
)
def test_addresses_are_sent_with_escapes(url, sent):
    assert escaped(url) == sent
    assert escaped(sent) == sent
