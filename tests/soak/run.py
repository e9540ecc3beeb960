"""The soak: many viewers for a long time, some of them hostile, on real server processes.

    python tests/soak/run.py [MINUTES [SEED]]

The exit status is 0 when all was well, and 1 when not, with a sentence for whatever has failed.
What each viewer does follows from the seed; what the others do at that moment does not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import random
import resource
import secrets
import shutil
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Coroutine, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from certificates import make_certificate  # noqa: E402
from processes import ServerProcess  # noqa: E402

from soak import browsers, good, hostile, live, slow  # noqa: E402
from soak.films import make_films, make_slow_film  # noqa: E402
from soak.login import PASSWORD, USER  # noqa: E402
from soak.report import Limits, Outcome  # noqa: E402
from soak.servers import MOST_SHOWN, Watched  # noqa: E402
from soak.stage import Stage  # noqa: E402
from soak.tally import Fault, Heartbeat, Tally  # noqa: E402

SERVER = (HERE.parent.parent / "Server.py",)
VIEWERS = 50
HOSTILE_SHARE = 0.05
SLOW_VIEWERS = 2
PUBLISHERS = 2
LIVE_VIEWERS = 3
BROWSERS = 3
GROUP = "239.255.66.6"
LONGEST_PATIENCE = 20.0  # seconds that hostile ones wait
ARRIVAL = 0.05  # seconds between two viewers at the start
FILM_WEIGHTS = (4, 4, 1, 2, 2)  # the large one has ten times the bytes of the others


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", nargs="?", type=float, default=5)
    parser.add_argument("seed", nargs="?", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        print("The soak looks at its servers by /proc, which only Linux has.", file=sys.stderr)
        return 1
    if not shutil.which("openssl"):
        print("The soak needs the command openssl, to make a certificate.", file=sys.stderr)
        return 1
    print(f"Soak of {options.minutes:g} min with SEED={options.seed}", flush=True)
    try:
        outcome = soak(options.minutes, options.seed, Limits())
    except AssertionError as error:
        print(f"The soak has failed: {str(error)[:MOST_SHOWN]}", file=sys.stderr)
        return 1
    print(outcome.table())
    failures = outcome.failures()
    print(*failures, sep="\n", file=sys.stderr)
    print("The soak has failed." if failures else "All was well.")
    return 1 if failures else 0


def soak(
    minutes: float, seed: int, limits: Limits, program: Sequence[str | Path] = SERVER
) -> Outcome:
    """Start the servers, let everybody in, and return what came of it.

    `program` is what Python runs as a server.
    Raises AssertionError with a server's log when that ends before its time.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        films = make_films(folder / "films")
        slow_film = make_slow_film(folder / "films")
        certificate, key = map(str, make_certificate(folder))
        group = f"{GROUP}:{free_group_port(len(films))}"
        http = free_tcp_port()
        login = f"{USER}:{PASSWORD}"
        options = {
            "plain": ("--multicast", group, "--publish", "--http", str(http)),
            "TLS, login": ("--tls", certificate, key, "--user", login),
        }
        servers = [
            Watched(name, stack.enter_context(running))
            for name, more in options.items()
            for running in (ServerProcess(folder / "films", *more, program=program),)
        ]
        tally = Tally(Heartbeat(), limits.reply, limits.frame)
        plain, secure = (server.port for server in servers)
        tls = ssl.create_default_context(cafile=certificate)
        patience = min(LONGEST_PATIENCE, minutes * 60 / 10)
        stage = Stage(films, slow_film, tally, plain, http, secure, tls, patience)
        cpu = asyncio.run(Run(stage, servers, seed).everything(minutes * 60))
        for server in servers:
            server.end()
        return Outcome(seed, minutes, VIEWERS, tally, servers, cpu, limits)


def free_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def free_group_port(films: int) -> int:
    """An even port, with room above it for each film's pair.

    It is below those that systems give to any program that wants one: each is bound only while
    somebody watches.
    """
    return random.randrange(20_000, 30_000 - 2 * films, 2)


class Run:
    """One soak, on servers that run."""

    def __init__(self, stage: Stage, servers: list[Watched], seed: int) -> None:
        self._stage = stage
        self._servers = servers
        self._seed = seed
        self._hostile = math.ceil(VIEWERS * HOSTILE_SHARE)
        self._good = VIEWERS - self._hostile - SLOW_VIEWERS - LIVE_VIEWERS - BROWSERS

    async def everything(self, seconds: float) -> float:
        """Warm up, play, see what is left; return the load's seconds of processor time."""
        asyncio.get_running_loop().set_exception_handler(self._note_error)
        beat = asyncio.create_task(self._stage.tally.beat.run())
        try:
            await self._warm_up()
            before = _cpu()
            self._stage.deadline = time.monotonic() + seconds
            await asyncio.gather(*self._seats(), self._watch(seconds))
            cpu = _cpu() - before
            for server in self._servers:
                server.rest_after = await server.settle(server.rest_before)
            return cpu
        finally:
            beat.cancel()

    async def _warm_up(self) -> None:
        self._stage.deadline = time.monotonic() + 60
        await asyncio.gather(
            *(
                self._guarded(good.warm_up(self._stage, way, film), "at the beginning")
                for way in good.WAYS
                for film in self._stage.films
            )
        )
        for server in self._servers:
            server.rest_before = await server.settle()
            server.begin()
        self._stage.tally.forget_figures()

    def _seats(self) -> list[Coroutine[Any, Any, None]]:
        seats = [self._good_seat(number) for number in range(self._good)]
        seats += [self._slow_seat(number) for number in range(SLOW_VIEWERS)]
        seats += [self._publisher_seat(number) for number in range(PUBLISHERS)]
        for what, visit, count in (
            ("live", live.watch, LIVE_VIEWERS),
            ("HTTP", browsers.visit, BROWSERS),
        ):
            seats += [self._seat(f"{what} {number}", visit) for number in range(count)]
        return seats + [self._hostile_seat(number) for number in range(self._hostile)]

    async def _good_seat(self, number: int) -> None:
        """One viewer after the other."""
        await self._stage.rest(number * ARRIVAL)
        visits = 0
        while self._stage.remaining:
            visits += 1
            name = f"good {number} {visits}"
            rng = random.Random(f"{self._seed} {name}")
            # Each seat begins with another way and goes through all of them.
            way = good.WAYS[(number + visits) % len(good.WAYS)]
            (film,) = rng.choices(self._stage.films, FILM_WEIGHTS)
            await self._guarded(good.visit(self._stage, rng, way, film), name)
            await self._stage.rest(rng.uniform(0, 0.5))

    async def _slow_seat(self, number: int) -> None:
        visits = 0
        while self._stage.remaining:
            visits += 1
            name = f"slow {number} {visits}"
            rng = random.Random(f"{self._seed} {name}")
            await self._guarded(slow.visit(self._stage, rng), name)

    async def _publisher_seat(self, number: int) -> None:
        """One stream after the other, each under a name of its own."""
        visits = 0
        while self._stage.remaining:
            visits += 1
            name = f"live-{number}-{visits}"
            rng = random.Random(f"{self._seed} {name}")
            await self._guarded(live.publish(self._stage, rng, name), name)
            await self._stage.rest(rng.uniform(0, 0.5))

    async def _seat(self, seat: str, visit: hostile.Act) -> None:
        """One visit after the other."""
        visits = 0
        while self._stage.remaining:
            visits += 1
            name = f"{seat} {visits}"
            rng = random.Random(f"{self._seed} {name}")
            await self._guarded(visit(self._stage, rng), name)
            await self._stage.rest(rng.uniform(0, 0.5))

    async def _hostile_seat(self, number: int) -> None:
        visits = 0
        rng = random.Random(f"{self._seed} hostile {number}")
        acts = rng.sample(hostile.ACTS, len(hostile.ACTS))
        share = len(acts) // self._hostile
        while self._stage.remaining:
            act = acts[(visits + number * share) % len(acts)]
            visits += 1
            name = f"hostile {number} {visits}"
            rng = random.Random(f"{self._seed} {name}")
            with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
                await self._guarded(act(self._stage, rng), name)
            self._stage.tally.hostile[hostile.name_of(act)] += 1
            await self._stage.rest(0.05)

    async def _guarded(self, doing: Awaitable[None], name: str) -> None:
        try:
            await doing
        except Fault as fault:
            self._stage.tally.fault(str(fault), name)
        except ValueError as error:
            self._stage.tally.fault(f"what a server says can't be read: {error}", name)

    async def _watch(self, seconds: float) -> None:
        """Look at the servers now and then."""
        while self._stage.remaining:
            for server in self._servers:
                server.samples.append(server.sample())
            await self._stage.rest(min(1.0, seconds / 100))

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._stage.tally.fault(f"the load itself failed: {context['message']}", repr(error))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
