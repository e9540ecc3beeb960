"""The threads that clients are served in: as many as there are clients, used again, ended soon."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest
from threads import no_thread_for
from waiting import settles

from rtplab.serving.rtsp import threads
from rtplab.serving.rtsp.threads import ThreadPool

LIMIT = 5.0  # seconds that anything may take
NAME = "client"


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = ThreadPool()
    yield pool
    pool.close()


def running() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_tasks_run_side_by_side(pool: ThreadPool) -> None:
    all_there = threading.Barrier(10)
    tasks = [pool.start(lambda: all_there.wait(LIMIT)) for _ in range(10)]
    for task in tasks:
        task.join()
        assert not task.is_alive()
    assert not all_there.broken


def test_a_task_is_alive_until_it_ends(pool: ThreadPool) -> None:
    go_on = threading.Event()
    task = pool.start(lambda: go_on.wait(LIMIT))
    assert task.is_alive()
    go_on.set()
    task.join()
    assert not task.is_alive()


def test_one_thread_does_what_comes_one_after_the_other(pool: ThreadPool) -> None:
    used = set()  # of threads, not of their numbers: the system gives those away again
    for _ in range(50):
        pool.start(lambda: used.add(threading.current_thread())).join()
        assert settles(lambda: len(pool._idle) == 1)
    assert len(used) == 1


def test_an_idle_thread_ends_after_a_while(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "IDLE_TIME", 0.05)
    pool.start(lambda: None).join()
    assert settles(lambda: running() == 0)
    assert pool._idle == []


def test_no_task_is_lost_to_a_thread_that_is_about_to_end(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come just when the time of the idle is over."""
    monkeypatch.setattr(threads, "IDLE_TIME", 0.001)
    done: list[int] = []
    for number in range(500):
        task = pool.start(lambda number=number: done.append(number))  # type: ignore[misc]
        assert settles(lambda task=task: not task.is_alive())  # type: ignore[misc]
    assert done == list(range(500))


def test_close_ends_the_idle_at_once_and_the_busy_when_they_are_done(pool: ThreadPool) -> None:
    go_on = threading.Event()
    pool.start(lambda: None)
    busy = pool.start(lambda: go_on.wait(LIMIT))
    pool.close()
    pool.close()
    began = time.monotonic()
    assert settles(lambda: running() == 1)
    go_on.set()
    busy.join()
    assert settles(lambda: running() == 0)
    assert time.monotonic() - began < threads.IDLE_TIME / 2


def test_a_thread_keeps_nothing_of_what_it_has_done(pool: ThreadPool) -> None:
    class Client:
        def serve(self) -> None:
            pass

    clients = [Client() for _ in range(3)]
    left = [weakref.ref(client) for client in clients]
    gc.disable()
    try:
        while clients:
            task = pool.start(clients.pop().serve)
            task.join()
            assert settles(lambda: len(pool._idle) == 1)
        assert [client() for client in left] == [None] * 3
    finally:
        gc.enable()


def test_a_task_that_fails_is_told_and_has_ended_too(
    pool: ThreadPool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError

    failed = pool.start(fail)
    failed.join()
    assert not failed.is_alive()
    assert settles(lambda: "LookupError" in caplog.text)
    pool.start(lambda: None).join()


def test_without_a_thread_there_is_an_error(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_thread_for(NAME, monkeypatch), pytest.raises(RuntimeError):
        pool.start(lambda: None)
    pool.start(lambda: None).join()
