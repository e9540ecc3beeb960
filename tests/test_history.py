"""What is remembered between runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtplab.player.model import history
from rtplab.player.model.history import Address, Settings, parse_address, parse_url


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_settings_come_back(folder):
    kept = Settings(colours="light")
    kept.remember(Address("localhost", 5678, 6666, "movie.Mjpeg"))
    kept.remember(Address(url="rtsp://host:8554/movie"))
    history.save(kept)
    assert history.load() == kept
    assert (folder / "rtplab" / "player.json").is_file()


def test_the_last_ten_are_kept_newest_first():
    kept = Settings()
    for port in range(1, 13):
        kept.remember(Address("h", port, 0, "m"))
    kept.remember(Address("h", 8, 0, "m"))
    assert [address.port for address in kept.recent] == [8, 12, 11, 10, 9, 7, 6, 5, 4, 3]


def test_without_a_file_there_is_nothing(folder):
    assert history.load() == Settings()


def test_a_place_that_cannot_be_written_is_no_error(folder):
    (folder / "rtplab").write_text("a file where a folder should be")
    history.save(Settings(colours="light"))
    assert history.load() == Settings()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["recent", "colours", "host", "port", "rtp_port", "movie", "url"]),
                inner,
            )
        ),
    )
)
def test_no_file_makes_it_fail(folder, content):
    path = folder / "rtplab" / "player.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    assert isinstance(history.load(), Settings)


def test_addresses_are_read():
    assert parse_address(" localhost ", "5678", "", "m.Mjpeg") == Address(
        "localhost", 5678, 0, "m.Mjpeg"
    )
    assert parse_url(" rtsp://host/m ") == Address(url="rtsp://host/m")


@pytest.mark.parametrize(
    "fields",
    [("", "1", "1", "m"), ("h", "0", "1", "m"), ("h", "x", "1", "m"), ("h", "1", "65536", "m"),
     ("h", "1", "1", " "), ("rtsp:/h", "1", "1", "m")],
)  # fmt: skip
def test_wrong_addresses_are_a_sentence(fields):
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        parse_address(*fields)


@pytest.mark.parametrize("url", ["", "ftp://host/m", "rtsp://", "rtsp://host:x/m"])
def test_wrong_urls_are_a_sentence(url):
    with pytest.raises(ValueError, match="rtsp://"):
        parse_url(url)


def test_what_is_nearly_an_address_is_asked_for():
    with pytest.raises(ValueError, match=r"rtsp://h/m\?"):
        parse_url("rtsp:/h/m")


@pytest.mark.parametrize("width", ["500", 0, -1, 10**9, True, 500.5, [500]])
def test_a_width_that_makes_no_sense_is_left_out(folder, width):
    path = folder / "rtplab" / "player.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"panel_width": width}))
    assert history.load().panel_width is None


def test_titles():
    assert Address("h", 1, 2, "m.Mjpeg").title == "m.Mjpeg from h, port 1"
    assert Address(url="rtsp://h/m").title == "rtsp://h/m"


def test_no_password_is_remembered():
    settings = Settings()
    settings.remember(parse_url("rtsp://anna:secret@camera/movie"))
    assert [address.url for address in settings.recent] == ["rtsp://camera/movie"]
