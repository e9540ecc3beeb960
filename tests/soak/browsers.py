"""Browsers who behave: the list, stills and moving pictures, each compared with the film's file."""

from __future__ import annotations

import asyncio
import random

from soak.films import Film
from soak.link import HOST, PATIENCE
from soak.stage import Stage
from soak.tally import Fault

HTTP = "HTTP"


async def visit(stage: Stage, rng: random.Random) -> None:
    """Ask for one thing, by a connection of its own. Raises Fault."""
    film = stage.films[rng.randrange(4)]
    act = rng.choice((_list, _still, _moving, _moving))
    try:
        opening = asyncio.open_connection(HOST, stage.http)
        reader, writer = await asyncio.wait_for(opening, PATIENCE)
        try:
            await asyncio.wait_for(act(stage, rng, film, reader, writer), PATIENCE)
        finally:
            writer.transport.abort()
    except (OSError, EOFError, asyncio.TimeoutError) as error:
        raise Fault(f"{HTTP}: no answer: {error!r}") from error
    stage.tally.sessions[HTTP] += 1


async def _list(
    stage: Stage,
    rng: random.Random,
    film: Film,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    page = await _get(reader, writer, "/")
    if film.name.encode() not in page:
        raise Fault(f"{HTTP}: the list lacks {film.name}")


async def _still(
    stage: Stage,
    rng: random.Random,
    film: Film,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    for _ in range(rng.randint(1, 3)):
        if await _get(reader, writer, f"/{film.name}.jpg") not in film.frames:
            raise Fault(f"{HTTP}: a still that is none of the film's")
        stage.tally.frames[HTTP] += 1


async def _moving(
    stage: Stage,
    rng: random.Random,
    film: Film,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    await _ask(reader, writer, f"/{film.name}.mjpeg")
    due: set[int] = set()  # where the next frame may be: a film may have one picture twice
    for _ in range(rng.randint(5, 40)):
        if not stage.remaining:
            break
        head = await reader.readuntil(b"\r\n\r\n")
        picture = await reader.readexactly(_length(head))
        places = {place for place, frame in enumerate(film.frames) if frame == picture}
        if not places:
            raise Fault(f"{HTTP}: a moving picture that is none of the film's")
        # What the server has no time for is left out: then it tells so.
        stage.tally.left_out += bool(due) and not places & due
        due = {(place + 1) % len(film) for place in (places & due or places)}
        stage.tally.frames[HTTP] += 1
        stage.tally.bytes += len(picture)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    """Return the head of the answer, which must be 200. Raises Fault."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Fault(f"{HTTP}: {path} is answered with {head[9:12]!r}")
    return head


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    return await reader.readexactly(_length(await _ask(reader, writer, path)))


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n")[0])
