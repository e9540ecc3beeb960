"""A server in a network of its own, and what viewers in other networks see of its movie."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frames import numbers_of
from namespaces import SERVER_HOST, Network
from peers import ffmpeg, numbers_by_step, output_of
from processes import ClientRun, ServerProcess, run_client
from standard_clients import StandardClient

LAB = "lab"
LIMIT = 60.0


@dataclass
class View:
    """The numbers of the frames that a viewer has shown, each equal to the file's."""

    shown: list[int]
    run: ClientRun | None = None


class RemoteServer:
    """A server at its place in a network, for a `with` statement."""

    def __init__(
        self,
        network: Network,
        media: Path,
        *options: str,
        program: Sequence[str | Path] = (),
    ) -> None:
        how = {"program": program} if program else {}
        prefix = network.server.prefix
        self._network = network
        self._process = ServerProcess(media, *options, host=SERVER_HOST, prefix=prefix, **how)

    def __enter__(self) -> RemoteServer:
        self._process.__enter__()
        self.url = f"rtsp://{SERVER_HOST}:{self._process.port}/movie.Mjpeg"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def log(self) -> str:
        """What the server has said so far."""
        return self._process.errors()

    def memory(self) -> int:
        """Bytes of memory that the server has now."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def threads(self) -> int:
        """How many threads the server has now: one for each client, and a few of its own."""
        return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))

    def watch(
        self, place: int, kind: str, folder: Path, originals: list[bytes], *options: object
    ) -> View:
        """Watch with our client, by "udp", "tcp" or "lab"; `folder` must not be there yet."""
        address = [self.url, "--transport", kind]
        if kind == LAB:
            address = [SERVER_HOST, self._process.port, 0, "movie.Mjpeg"]
        options = ("--headless", "--json", "--save", folder, *options)
        prefix = self._network.viewer(place).prefix
        run = run_client(*address, *options, limit=LIMIT, prefix=prefix)
        return View(numbers_of(folder, originals), run)

    def watch_with_ffmpeg(self, place: int, transport: str) -> View:
        command = [*self._network.viewer(place).prefix, *ffmpeg(self.url, transport)]
        return View(numbers_by_step(output_of(command, LIMIT))[0])

    def viewer(self, place: int) -> StandardClient:
        """A viewer of the standard, who must watch by TCP."""
        control = self._network.viewer(place).socket(socket.SOCK_STREAM)
        control.settimeout(LIMIT)
        control.connect((SERVER_HOST, self._process.port))
        return StandardClient(self._process.port, control=control)
