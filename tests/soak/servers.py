"""What the soak looks at from outside: a server's memory, threads, descriptors and its log."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from processes import HOST, ServerProcess

MIB = 1 << 20
SETTLED = 0.5  # seconds without a change: then nobody is coming or going
SETTLING_LIMIT = 30.0  # seconds; a converter ends ten seconds after its last viewer

MOST_SHOWN = 500  # characters of what is wrong
# All that a server has to say at its usual log level, whatever its clients do.
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
_CLIENT = r"\d+\.\d+\.\d+\.\d+:\d+"
_EXPECTED = re.compile(
    rf"{_TIME} (INFO|WARNING) {_CLIENT}:? "
    r"(connected|gone: .*|set up \S+ by .*|plays from .*|pauses at .*|tears down"
    r"|refused with 4\d\d: .*|refused with (501|505|551): .*"
    r"|publishes \S+|set up \S+ by .*, to publish it"
    r"|reached the end of the movie|was accepted, but is not valid: .*"
    r"|sending stopped: its (RTP port can't be reached|connection is lost): .*"
    r"|tried a wrong user name or password"
    r"|reports [0-9.]+ % of its last packets lost, .*)"
    rf"|{_TIME} INFO {_CLIENT}: \d+ frames dropped because it read too slowly"
    rf"|{_TIME} INFO \d+\.\d+\.\d+\.\d+ "
    r"(watches \S+ by HTTP|\(HTTP\): (?P<dropped>\d+) frames dropped because it read too slowly"
    r"|\(HTTP\): sending stopped: its connection is lost: .*)"
    rf"|{_TIME} WARNING \S+: some published pictures can't be shown: .*"
    rf"|{_TIME} WARNING \S+: a picture is skipped, and perhaps others: .*"
    rf"|{_TIME} INFO \d+\.\d+\.\d+\.\d+ sends too many requests: they are delayed"
    rf"|{_TIME} INFO the multicast of \S+ reached the end of the movie"
    rf"|{_TIME} WARNING (?P<skipped>\d+) frames skipped: "
    r"(?:the server can't send as much as clients ask for"
    r"|\S+ can't be read, or converted, as fast as it is played)"
)


class Sample(NamedTuple):
    """One look at a process."""

    memory: float  # MiB that are its own: without the films, which are mapped files
    threads: int
    descriptors: int


class Watched:
    """A server, and what was seen of it."""

    def __init__(self, name: str, server: ServerProcess) -> None:
        self.name = name
        self._server = server
        self._cpu_before = 0.0
        self.rest_before: Sample = self.sample()
        self.rest_after: Sample | None = None
        self.samples: list[Sample] = []
        self.cpu = 0.0  # seconds of processor time while it was watched
        self.left_out = 0  # frames, as it says itself
        self.unexpected_lines: list[str] = []  # of its log, or no lines of a log at all

    @property
    def port(self) -> int:
        return self._server.port

    def sample(self) -> Sample:
        """Raises OSError when the process has ended."""
        process = Path(f"/proc/{self._server.pid}")
        status = (process / "status").read_text()
        anonymous = re.search(r"RssAnon:\s+(\d+) kB", status)
        threads = re.search(r"Threads:\s+(\d+)", status)
        if not anonymous or not threads:
            raise ProcessLookupError(f"the server ({self.name}) has ended")
        descriptors = len(os.listdir(process / "fd"))
        return Sample(int(anonymous[1]) * 1024 / MIB, int(threads[1]), descriptors)

    async def settle(self, wanted: Sample | None = None) -> Sample:
        """Wait until threads and descriptors stay as they are, and are no more than `wanted`."""
        await self._knock()
        deadline = time.monotonic() + SETTLING_LIMIT
        last, since = self.sample(), time.monotonic()
        while time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            now = self.sample()
            if now[1:] != last[1:]:
                last, since = now, time.monotonic()
            is_low = wanted is None or (
                now.threads <= wanted.threads and now.descriptors <= wanted.descriptors
            )
            if is_low and time.monotonic() > since + SETTLED:
                break
        return self.sample()

    async def _knock(self) -> None:
        """Come and go: only then the server forgets the films of those who were the last."""
        _, writer = await asyncio.open_connection(HOST, self.port)
        writer.close()
        await writer.wait_closed()

    def quarter(self, which: int) -> Sample:
        """The median of the samples of one quarter of the time, from 0."""
        count = len(self.samples)
        part = self.samples[which * count // 4 : (which + 1) * count // 4] or self.samples[-1:]
        return Sample(*(statistics.median(values) for values in zip(*part, strict=True)))

    def begin(self) -> None:
        """Everybody is about to come."""
        self._cpu_before = self._cpu()

    def end(self) -> None:
        """Everybody has gone: stop the server, and read what it has said."""
        self.cpu = self._cpu() - self._cpu_before
        try:
            self._server.stop()
        except AssertionError as error:  # it may hold nothing but the log, which is read below
            if not _EXPECTED.match(str(error)):
                self.unexpected_lines.append(str(error)[:MOST_SHOWN])
        for line in self._server.errors().splitlines():
            match = _EXPECTED.fullmatch(line)
            if match is None:
                self.unexpected_lines.append(line)
            else:
                self.left_out += int(match["skipped"] or match["dropped"] or 0)

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
