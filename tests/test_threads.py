"""The threads that clients are served in: as many as there are clients, used again, ended soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from threads import no_thread_for

from rtplab.serving import threads
from rtplab.serving.threads import ThreadPool

LIMIT = 5.0  # seconds that anything may take
NAME = "task"


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = ThreadPool()
    yield pool
    pool.close()


def running() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def settles(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def is_idle(pool: ThreadPool) -> bool:
    return len(pool._idle) == running()


def test_tasks_run_side_by_side(pool: ThreadPool) -> None:
    all_there = threading.Barrier(10)
    tasks = [pool.start(lambda: all_there.wait(LIMIT), NAME) for _ in range(10)]
    for task in tasks:
        task.join()
        assert not task.is_alive()
    assert not all_there.broken


def test_a_task_is_alive_until_it_ends(pool: ThreadPool) -> None:
    go_on = threading.Event()
    task = pool.start(lambda: go_on.wait(LIMIT), NAME)
    assert task.is_alive()
    go_on.set()
    task.join()
    assert not task.is_alive()


def test_one_thread_does_what_comes_one_after_the_other(pool: ThreadPool) -> None:
    used = set()
    for _ in range(50):
        pool.start(lambda: used.add(threading.get_ident()), NAME).join()
        assert settles(lambda: is_idle(pool))
    assert len(used) == 1


def test_an_idle_thread_ends_after_a_while(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "IDLE_TIME", 0.05)
    pool.start(lambda: None, NAME).join()
    assert settles(lambda: running() == 0)
    assert pool._idle == []


def test_no_task_is_lost_to_a_thread_that_is_about_to_end(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come just when the time of the idle is over."""
    monkeypatch.setattr(threads, "IDLE_TIME", 0.001)
    done: list[int] = []
    for number in range(500):
        pool.start(lambda number=number: done.append(number), NAME).join()  # type: ignore[misc]
        time.sleep(0.001)
    assert done == list(range(500))


def test_close_ends_the_idle_at_once_and_the_busy_when_they_are_done(pool: ThreadPool) -> None:
    go_on = threading.Event()
    pool.start(lambda: None, NAME)
    busy = pool.start(lambda: go_on.wait(LIMIT), NAME)
    pool.close()
    pool.close()
    began = time.monotonic()
    assert settles(lambda: running() == 1)
    go_on.set()
    busy.join()
    assert settles(lambda: running() == 0)
    assert time.monotonic() - began < threads.IDLE_TIME / 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_task_that_fails_has_ended_too(pool: ThreadPool) -> None:
    def fail() -> None:
        raise LookupError

    failed = pool.start(fail, NAME)
    failed.join()
    assert not failed.is_alive()
    pool.start(lambda: None, NAME).join()


def test_without_a_thread_there_is_an_error(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_thread_for(NAME, monkeypatch), pytest.raises(RuntimeError):
        pool.start(lambda: None, NAME)
    pool.start(lambda: None, NAME).join()
