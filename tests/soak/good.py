"""What viewers do who behave: this and that, at random, as people and their players do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from soak.films import Film
from soak.lab import LAB, LabViewer
from soak.multicast import MULTICAST, MulticastViewer
from soak.stage import Stage
from soak.tally import Fault
from soak.viewer import TCP, TLS, UDP, Viewer

WAYS = (LAB, UDP, TCP, MULTICAST, TLS)
ACTS_AT_MOST = 8  # in one session
RATES = (0.5, 1, 2, 4)

Act = Callable[[Viewer], Awaitable[None]]


async def visit(stage: Stage, rng: random.Random, way: str, film: Film) -> None:
    """Come, see and go. Raises Fault."""
    if way == LAB:
        await LabViewer(stage, rng, film).visit()
        return
    viewer = new_viewer(stage, rng, way, film)
    try:
        await viewer.connect()
        await _look_around(viewer)
        for _ in range(rng.choice((1, 1, 1, 2))):
            await viewer.set_up()
            await _watch(viewer)
            if not await _goes_on_after_leaving(viewer):
                return
    finally:
        viewer.close()


async def warm_up(stage: Stage, way: str, film: Film) -> None:
    """See a short film as a whole, of a long one the beginning: the server's caches are full then.

    Raises Fault.
    """
    rng = random.Random(0)
    seconds = min(1.0, film.seconds / 4)
    if way == LAB:
        await LabViewer(stage, rng, film).look_in(seconds)
        return
    viewer = new_viewer(stage, rng, way, film)
    try:
        await viewer.connect()
        await viewer.set_up()
        await viewer.play(start=1, speed=4)
        await stage.rest(seconds)
        await viewer.tear_down()
    finally:
        viewer.close()


def new_viewer(stage: Stage, rng: random.Random, way: str, film: Film) -> Viewer:
    if way == MULTICAST:
        return MulticastViewer(stage, rng, film)
    return Viewer(stage, rng, way, film)


async def _look_around(viewer: Viewer) -> None:
    if viewer.rng.random() < 0.5:
        await viewer.ask("OPTIONS", uri=viewer.rng.choice(("*", viewer.url)))
    if viewer.rng.random() < 0.7:
        reply = await viewer.ask("DESCRIBE", "Accept: application/sdp")
        if b"m=video" not in reply.body:
            raise Fault(f"{viewer.way}: a description without a video")


async def _watch(viewer: Viewer) -> None:
    for _ in range(viewer.rng.randint(1, ACTS_AT_MOST)):
        if not viewer.stage.remaining:
            break
        await _next_act(viewer)(viewer)
        viewer.check()


def _next_act(viewer: Viewer) -> Act:
    if viewer.is_playing:
        acts: dict[Act, int] = {_look: 6, _pause: 4, _seek: 3, _see_the_end: 2}
        acts |= {_keep_alive: 1, _report: 1, _play_again: 1, _change_pace: 1}
    else:
        acts = {_play: 6, _seek: 4, _play_whole: 3, _keep_alive: 1, _pause: 1}
    if viewer.way == MULTICAST:
        acts = {act: weight for act, weight in acts.items() if act not in (_seek, _change_pace)}
    return viewer.rng.choices(list(acts), list(acts.values()))[0]


async def _look(viewer: Viewer) -> None:
    await viewer.stage.rest(viewer.rng.uniform(0.2, 4))


async def _play(viewer: Viewer) -> None:
    await viewer.play(scale=_rate(viewer), speed=_rate(viewer))
    await _look(viewer)


async def _seek(viewer: Viewer) -> None:
    """To some place, at rest or while it plays; now and then only as far as some other."""
    start = viewer.rng.randint(1, len(viewer.film))
    end = viewer.rng.choice((0, 0, viewer.rng.randint(start, len(viewer.film))))
    await viewer.play(start, end, _rate(viewer), _rate(viewer))
    await _look(viewer)


async def _change_pace(viewer: Viewer) -> None:
    await viewer.play(scale=_rate(viewer), speed=viewer.rng.choice(RATES))
    await _look(viewer)


async def _play_again(viewer: Viewer) -> None:
    """PLAY that asks for nothing new, while it plays: a sign of life."""
    await viewer.play()
    await _look(viewer)


async def _play_whole(viewer: Viewer) -> None:
    await viewer.play(start=1, scale=_rate(viewer), speed=_rate(viewer))
    await viewer.see_the_end()


async def _see_the_end(viewer: Viewer) -> None:
    """Stay to the end; then, now and then, play again."""
    await viewer.see_the_end()
    if viewer.stage.remaining and viewer.rng.random() < 0.5:
        await _play(viewer)


async def _pause(viewer: Viewer) -> None:
    await viewer.pause()
    await _look(viewer)


async def _keep_alive(viewer: Viewer) -> None:
    await viewer.ask(viewer.rng.choice(("GET_PARAMETER", "SET_PARAMETER", "OPTIONS")))
    await _look(viewer)


async def _report(viewer: Viewer) -> None:
    viewer.send_report()
    await _look(viewer)


def _rate(viewer: Viewer) -> float:
    """Mostly 0: nothing is said, and the film runs as usual."""
    return viewer.rng.choice(RATES) if viewer.rng.random() < 0.2 else 0


async def _goes_on_after_leaving(viewer: Viewer) -> bool:
    """Tear down, or be gone in a ruder way; tell if the connection is still of use."""
    how = viewer.rng.choices(("TEARDOWN", "closed", "reset"), (6, 2, 1))[0]
    viewer.stage.tally.endings[how] += 1
    if how == "TEARDOWN":
        await viewer.tear_down()
    elif how == "reset":
        viewer.hang_up()
    return how == "TEARDOWN"
