"""What users and operators write on a command line: any text is a good value or one sentence.

And what is written as we would write it reads as what was meant.
"""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from cases import check_each
from hypothesis import given
from hypothesis import strategies as st

from rtplab import playoptions
from rtplab.player.model import history
from rtplab.protocol.errors import MessageError
from rtplab.protocol.rtsp.messages import Request
from rtplab.receiving.rtp.impairment import Conditions, parse_conditions
from rtplab.serving.admission.access import UserDatabase, UsersError, address_key, parse_user
from rtplab.serving.admission.limits import BOUNDS
from rtplab.serving.media.playback import FASTEST_SCALE, SLOWEST, served_rate
from rtplab.serving.process import options
from rtplab.serving.rtp.multicast import MulticastGroup, parse_group
from rtplab.serving.rtsp.session import resource_of

NUMBERS = ["", "0", "1", "-1", "65536", "1e3", "nan", "inf", "0x10", "1_0", "²", "9" * 500]
PARTS = [
    ":",
    "=",
    ",",
    "%",
    "ms",
    "s",
    "k",
    "M",
    "[",
    "]",
    "/",
    ".",
    "loss",
    "delay",
    "rate",
    "::1",
]
texts = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from([*NUMBERS, *PARTS, "10.0.0.7", "239.1.2.3"]), max_size=6).map("".join),
)

OF_THE_COMMAND_LINE: dict[str, Callable[[str], Any]] = {
    "server's port": options._port,
    "workers": options._workers,
    "status": options._seconds,
    "metrics": options._address,
    "trusted proxy": options._network,
    "multicast": options._sentence(parse_group),
    "fps": options._fps,
    "user": options._sentence(parse_user),
    "client's port": playoptions._port,
    "frames": playoptions._count,
    "delay": playoptions._milliseconds,
    "seconds": playoptions._seconds,
    "conditions": playoptions._conditions,
}


def test_invalid_numbers_are_refused_or_read() -> None:
    check_each(
        product(OF_THE_COMMAND_LINE, NUMBERS),
        lambda name, text: _is_read_or_refused(OF_THE_COMMAND_LINE[name], text),
    )


@given(texts)
def test_any_text_is_a_value_or_a_sentence(text: str) -> None:
    for parse in OF_THE_COMMAND_LINE.values():
        _is_read_or_refused(parse, text)
    for bound in BOUNDS.values():
        _is_read_or_refused(bound.parse, text)


def _is_read_or_refused(parse: Callable[[str], Any], text: str) -> None:
    """argparse turns ValueError into a sentence too, but one that names our function."""
    try:
        parse(text)
    except argparse.ArgumentTypeError as error:
        assert str(error)
    except ValueError as error:
        assert getattr(parse, "__name__", "") == "parse", error


@given(texts, texts, texts, texts)
def test_any_fields_of_the_open_dialog_are_an_address_or_a_sentence(
    host: str, port: str, rtp_port: str, movie: str
) -> None:
    for parse in (
        lambda: history.parse_address(host, port, rtp_port, movie),
        lambda: history.parse_url(host),
    ):
        try:
            address = parse()
        except ValueError as error:
            assert str(error).endswith(".")
        else:
            assert 0 <= address.port <= 65535 and address.title


# --- A bad network -------------------------------------------------------------------------------

shares = st.integers(0, 1000).map(lambda number: number / 1000)
times = st.integers(0, 10_000).map(lambda number: number / 1000)
conditions = st.builds(
    Conditions,
    *(shares, st.integers(1, 1000).map(float)),
    *(times, times, shares, shares, st.integers(0, 10**10).map(float)),
    st.integers(0, 2**31 - 1),
)


@given(conditions, st.booleans())
def test_conditions_read_as_they_were_meant(meant: Conditions, with_units: bool) -> None:
    percent = "{:.1f}%" if with_units else "{}"
    text = ",".join(
        [
            "loss=" + percent.format(meant.loss * 100 if with_units else meant.loss),
            f"burst={meant.burst:g}",
            f"delay={meant.delay * 1000:.0f}ms" if with_units else f"delay={meant.delay}s",
            f"jitter={meant.jitter * 1000:.0f}ms" if with_units else f"jitter={meant.jitter}",
            f"reorder={meant.reorder}, duplicate={meant.duplicate}",
            f"rate={meant.rate / 1000:.3f}k" if with_units else f"rate={meant.rate:.0f}",
            f"seed={meant.seed}",
        ]
    )
    read = parse_conditions(text)
    for name, value in vars(meant).items():
        assert getattr(read, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


# --- Addresses -----------------------------------------------------------------------------------


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_to_listen_on(host: ipaddress.IPv4Address, port: int) -> None:
    written = options.host_and_port(str(host), port)
    assert options._address(written) == (str(host), port)


@given(
    st.ip_addresses(v=4, network="224.0.0.0/4") | st.ip_addresses(v=6, network="ff00::/8"),
    st.integers(512, 32500).map(lambda half: 2 * half),
)
def test_a_multicast_group(group: ipaddress.IPv4Address, port: int) -> None:
    written = options.host_and_port(str(group), port)
    assert parse_group(written) == MulticastGroup(str(group), port)


@given(texts)
def test_any_host_counts_as_one_address(host: str) -> None:
    assert isinstance(address_key(host), str)


@given(st.text(min_size=1).filter(lambda name: ":" not in name), st.text(min_size=1))
def test_a_user(name: str, password: str) -> None:
    assert parse_user(f"{name}:{password}")[:2] == (name, password.removesuffix(":publish"))
    assert parse_user(f"{name}:{password}:publish") == (name, password, True)


@given(st.one_of(st.binary(max_size=80), texts.map(str.encode)))
def test_any_file_of_users_is_one_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "users"
    secret = b"0" * 32
    for content in (data, b"ann:films:" + secret + b"\n" + data, data + b":" + secret):
        path.write_bytes(content)
        try:
            users = UserDatabase([], path)
        except UsersError as error:
            assert str(error).endswith(".") and secret.decode() not in str(error)
        else:
            assert users.secret("", "MD5") and users.algorithms


# --- What a request names ------------------------------------------------------------------------


@given(texts)
def test_any_scale_is_one_that_is_served(text: str) -> None:
    assert SLOWEST <= served_rate(text, FASTEST_SCALE) <= FASTEST_SCALE


@given(st.sampled_from(["", "rtsp://h/", "rtsp://h"]), st.one_of(texts, st.binary(max_size=30)))
def test_any_uri_names_a_file_or_is_refused(start: str, rest: str | bytes) -> None:
    text = rest if isinstance(rest, str) else rest.decode("utf-8", "surrogateescape")
    try:
        resource = resource_of(Request("SETUP", start + text))
    except MessageError as error:
        assert error.status == 400
    else:
        assert resource.url.endswith("/") and resource.track_url.startswith(resource.url)


@pytest.mark.parametrize("old", ["--max-connections", "--max-queue", "--idle-timeout", "--mtu"])
def test_an_option_of_old_is_refused_and_means_no_other(old: str) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse_arguments([old, "5"])
    assert ended.value.code == 2
