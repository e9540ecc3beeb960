"""Viewers whose address says only half of where they are."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from namespaces import Namespace, Network
from processes import ServerProcess, run_client
from standard_clients import StandardClient

pytestmark = pytest.mark.peers  # needs root, or user namespaces

LIMIT = 20.0
GROUP, GROUP_PORT = "239.7.8.9", 40_000


def connected(place: Namespace, host: str, port: int) -> socket.socket:
    control = place.socket(socket.SOCK_STREAM)
    control.settimeout(LIMIT)
    control.connect((host, port))
    return control


def member(place: Namespace, by: str) -> socket.socket:
    """A member of the group, by the interface that has this address."""
    end = place.socket(socket.SOCK_DGRAM)
    end.bind((GROUP, GROUP_PORT))
    request = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(by))
    end.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    end.settimeout(LIMIT)
    return end


def test_multicast_reaches_every_network_that_a_viewer_comes_from(small_movie: Path) -> None:
    """The first sits at the server itself, whose packets to 127.0.0.1 nobody else would get."""
    with (
        Network(0) as network,
        ServerProcess(
            small_movie.parent,
            *("--loop", "--multicast", f"{GROUP}:{GROUP_PORT}"),
            host="0.0.0.0",
            prefix=network.server.prefix,
        ) as server,
    ):
        places = {"127.0.0.1": network.server, "10.99.0.2": network.router}
        ours = {"127.0.0.1": "127.0.0.1", "10.99.0.2": "10.99.0.1"}
        members = [member(place, ours[host]) for host, place in places.items()]
        viewers = []
        for host, place in places.items():
            control = connected(place, host, server.port)
            viewer = StandardClient(server.port, control=control)
            viewers.append(viewer)
            assert viewer.set_up("RTP/AVP;multicast").status == 200
            assert viewer.play("Range: npt=0-").status == 200
        packets = [end.recv(2048) for end in members]
        assert packets[0][8:12] == packets[1][8:12], "one source for all"
        for viewer, end in zip(viewers, members, strict=True):
            viewer.__exit__()
            end.close()


@pytest.mark.parametrize("kind", ["udp", "tcp", "lab"])
def test_addresses_that_are_good_on_one_link_only(small_movie: Path, kind: str) -> None:
    """RFC 4007: beside fe80::1 it must be said by which interface."""
    with Namespace() as place:
        place.configure(
            "link add name near type veth peer name far",
            "link set near up",
            "link set far up",
            "address add fe80::1/64 dev near nodad",
            "address add fe80::2/64 dev far nodad",
        )
        with ServerProcess(small_movie.parent, host="::", prefix=place.prefix) as server:
            address = [f"rtsp://[fe80::1%25far]:{server.port}/movie.Mjpeg", "--transport", kind]
            if kind == "lab":
                address = ["fe80::1%far", server.port, 0, "movie.Mjpeg"]
            options = ("--headless", "--frames", "5", "--json")
            run = run_client(*address, *options, limit=LIMIT, prefix=place.prefix)
            assert run.status == 0, (run, server.errors())
