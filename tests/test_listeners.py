"""Listening sockets: both families on one port, or none; alone on Windows."""

from __future__ import annotations

import errno
import re
import socket
import subprocess
import sys
from contextlib import ExitStack, closing

import pytest
from movies import ROOT

from rtplab.serving.scaling import listeners
from rtplab.serving.scaling.listeners import open_both, open_listener

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")


@needs_ipv6
def test_one_port_answers_by_both_families():
    with ExitStack() as stack:
        both = [stack.enter_context(closing(each)) for each in open_both(0)]
        assert [each.family for each in both] == [socket.AF_INET, socket.AF_INET6]
        (port,) = {each.getsockname()[1] for each in both}
        for host in LOOPBACK.values():
            socket.create_connection((host, port), 5).close()


@needs_ipv6
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_that_one_family_does_not_get_is_left_to_its_owner(family):
    with socket.socket(family) as owner:
        if family == socket.AF_INET6:
            owner.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        owner.bind((LOOPBACK[family], 0))
        owner.listen()
        port = owner.getsockname()[1]
        with pytest.raises(OSError) as refusal:
            open_both(port)
        assert refusal.value.errno == errno.EADDRINUSE
    with ExitStack() as stack:  # nothing of it is left
        for each in open_both(port):
            stack.enter_context(each)


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_it_goes_on_with_ipv4(monkeypatch, number):
    def only_ipv4(host, port, **options):
        if ":" in host:
            raise OSError(number, "no IPv6")
        return open_listener(host, port, **options)

    monkeypatch.setattr(listeners, "open_listener", only_ipv4)
    (only,) = open_both(0)
    with only:
        assert only.family == socket.AF_INET


def test_on_windows_nobody_can_take_the_port_over(monkeypatch):
    set_here = []

    class Noted(socket.socket):
        def setsockopt(self, level, option, value):
            set_here.append((level, option, value))

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    monkeypatch.setattr(socket, "socket", Noted)
    with open_listener("127.0.0.1", 0):
        assert set_here == [(socket.SOL_SOCKET, -5, 1)]


def test_the_server_says_both_addresses_and_serves_both(tmp_path):
    """Scripts read the first line."""
    command = [sys.executable, str(ROOT / "Server.py"), "0", "--media", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            first, second = server.stdout.readline(), server.stdout.readline()
            found = re.fullmatch(r"Listening on 0\.0\.0\.0:(\d+)\n", first)
            assert found is not None
            if has_ipv6():
                assert second == f"Listening on [::]:{found[1]}\n"
                for host in LOOPBACK.values():
                    with socket.create_connection((host, int(found[1])), 5) as client:
                        client.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                        assert client.recv(12) == b"RTSP/1.0 200"
        finally:
            server.terminate()
            assert server.wait(10) == 0 or sys.platform == "win32"  # which lets nobody say farewell
            server.stdout.read()
