"""The scenarios beyond the assignment, in which the given code and public programs fail.

Each has the steps "start", "act", "after" (is it still well?) and "end".
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from rtplab.grading.record import clients, servers
from rtplab.grading.record.labclient import LabClient, status_of
from rtplab.grading.record.labserver import Stranger
from rtplab.grading.record.movie import draw_movie
from rtplab.grading.record.run import Run

LOOK = 1.0  # seconds for watching what a server without a client sends, and its CPU time
SOME = 10  # packets
SHORT = 20  # frames of a movie that ends soon
PATIENCE = 3.0  # seconds


# --- Servers -------------------------------------------------------------------------------------


def _with_server(
    act: Callable[[Run, LabClient], None], movie_frames: int = 0, another: bool = True
) -> Callable[[Run], None]:
    """A scenario with a client that is connected. `another` asks it afterwards if all is well."""

    def scenario(run: Run) -> None:
        if movie_frames:
            run.use(draw_movie(run.seed, movie_frames))
        client = servers.connected(run)
        if client is None:
            return
        run.recorder.step("act")
        act(run, client)
        run.recorder.step("after")
        if another:
            with suppress(OSError):
                other = LabClient(run, int(run.recorder.facts["rtsp_port"]), 9)
                other.ask("SETUP", limit=servers.AFTERWARDS)
        run.recorder.step("end")

    return scenario


def _split(run: Run, client: LabClient) -> None:
    client.ask("SETUP", pieces=2)


def _missing(run: Run, client: LabClient) -> None:
    client.movie = "nosuch.Mjpeg"
    client.ask("SETUP")


def _path(run: Run, client: LabClient) -> None:
    client.movie = "../outside.Mjpeg"
    if status_of(client.ask("SETUP")) == 200:
        client.ask("PLAY")
        run.recorder.wait_for("udp.in", LOOK, 2)


def _early(run: Run, client: LabClient) -> None:
    client.ask("SETUP")
    client.ask("TEARDOWN")


def _hangup(run: Run, client: LabClient) -> None:
    _play(run, client)
    client.connection.close()
    server = run.programs[0]
    time.sleep(LOOK / 4)
    server.sample()
    time.sleep(LOOK)
    server.sample()


def _idle(run: Run, client: LabClient) -> None:
    other = LabClient(run, int(run.recorder.facts["rtsp_port"]), 2)
    _play(run, other)


def _two_clients(run: Run, client: LabClient) -> None:
    other = LabClient(run, int(run.recorder.facts["rtsp_port"]), 2)
    run.recorder.facts["rtp_ports"] = [client.rtp.port, other.rtp.port]
    if not all([each.ask("SETUP") for each in (client, other)]):
        return
    for each in (client, other):
        each.ask("PLAY")
    run.recorder.wait_for("udp.in", PATIENCE, 2 * SOME)
    client.ask("TEARDOWN")
    run.recorder.wait_for("udp.in", PATIENCE, SOME)


def _twice(run: Run, client: LabClient) -> None:
    _play(run, client)
    client.ask("PLAY")
    run.recorder.wait_for("udp.in", PATIENCE, SOME)


def _replay(run: Run, client: LabClient) -> None:
    _play(run, client)
    client.ask("TEARDOWN")
    client.connection.close()
    other = LabClient(run, int(run.recorder.facts["rtsp_port"]), 2)
    run.recorder.facts["rtp_ports"] = [client.rtp.port, other.rtp.port]
    _play(run, other)


def _end(run: Run, client: LabClient) -> None:
    _play(run, client, SHORT)
    server = run.programs[0]
    time.sleep(LOOK / 4)
    server.sample()
    time.sleep(LOOK)
    server.sample()
    client.ask("TEARDOWN")


def _garbage(run: Run, client: LabClient) -> None:
    client.connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nothing like it\n\n")
    client.connection.message(LOOK)


def _play(run: Run, client: LabClient, packets: int = SOME) -> None:
    if client.ask("SETUP") and client.ask("PLAY"):
        run.recorder.wait_for("udp.in", PATIENCE, packets)


# --- Clients -------------------------------------------------------------------------------------


def _with_client(act: Callable[[Run, Stranger], None]) -> Callable[[Run], None]:
    def scenario(run: Run) -> None:
        client = clients.started(run)
        if client is None:
            return
        run.recorder.step("act")
        act(run, client)
        run.recorder.step("after")
        if client.program.is_running:
            client.hook.is_responsive()
            client.program.sample()
        run.recorder.step("end")

    return scenario


def _unplayed(run: Run, client: Stranger) -> None:
    client.ask("Setup")
    clients.settle(client)
    clients.tear_down(client)


def _order(run: Run, client: Stranger) -> None:
    """Every fourth datagram comes after its successor."""
    client.packets.swapped = 4
    client.ask("Setup")
    clients.settle(client)
    clients.play(client, 2 * SOME)
    client.pause()
    time.sleep(LOOK / 2)  # a client may show frames a while after they came


def _pieces(run: Run, client: Stranger) -> None:
    run.recorder.facts["pieces"] = 2
    client.ask("Setup")
    clients.settle(client)
    clients.play(client, SOME)


def _vanish(run: Run, client: Stranger) -> None:
    client.ask("Setup")
    clients.settle(client)
    clients.play(client, SOME)
    client.pause()
    if client.connection is not None:
        client.connection.close()
    time.sleep(LOOK / 4)
    client.program.sample()
    time.sleep(LOOK)
    client.program.sample()


def _busy_port(run: Run) -> None:
    """Another program has the RTP port that the client is given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
        another.bind(("", 0))
        run.recorder.facts["rtp_port"] = another.getsockname()[1]
        _with_client(lambda run, client: _set_up_only(client))(run)


def _set_up_only(client: Stranger) -> None:
    client.ask("Setup")
    clients.settle(client)


def _double_click(run: Run, client: Stranger) -> None:
    for button in ("Setup", "Play"):
        client.hook.click(button)
        client.hook.click(button, LOOK)  # a window that waits for the reply takes it later
        first = client.request()
        client.reply(first)
        client.reply(client.request(clients.NOTHING_SENT))
        clients.settle(client)
    client.play()
    run.recorder.wait_for("udp.out", PATIENCE, SOME)
    client.program.sample()


def _quick_resume(run: Run, client: Stranger) -> None:
    client.ask("Setup")
    clients.settle(client)
    clients.play(client, SOME)
    client.ask("Pause")
    client.pause()
    time.sleep(0.1)
    clients.play(client, SOME)


def _window(run: Run, client: Stranger) -> None:
    client.ask("Setup")
    clients.settle(client)
    clients.play(client, SOME)
    so_far = run.recorder.count("tcp.in")
    client.hook.close_window()
    run.recorder.wait_until_count("tcp.in", so_far + 1, PATIENCE)
    client.pause()
    for _ in range(3):
        client.reply(client.request(LOOK))
    client.program.wait(clients.TORN_DOWN)


ROBUST: dict[str, Callable[[Run], None]] = {
    "robust.split": _with_server(_split),
    "robust.missing": _with_server(_missing),
    "robust.path": _with_server(_path),
    "robust.early": _with_server(_early),
    "robust.hangup": _with_server(_hangup),
    "robust.idle": _with_server(_idle),
    "robust.two-clients": _with_server(_two_clients),
    "robust.twice": _with_server(_twice),
    "robust.replay": _with_server(_replay, another=False),
    "robust.end": _with_server(_end, SHORT),
    "robust.garbage": _with_server(_garbage),
    "robust.unplayed": _with_client(_unplayed),
    "robust.order": _with_client(_order),
    "robust.pieces": _with_client(_pieces),
    "robust.vanish": _with_client(_vanish),
    "robust.busy-port": _busy_port,
    "robust.double-click": _with_client(_double_click),
    "robust.quick-resume": _with_client(_quick_resume),
    "robust.window": _with_client(_window),
}
