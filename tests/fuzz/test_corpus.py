"""Every committed input of every fuzzing target, without atheris: what broke once stays mended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import http_targets
import pytest
from targets import CORPORA, TARGETS
from wording import lacks


@pytest.fixture(autouse=True)
def closed_server() -> Iterator[None]:
    yield
    http_targets.close_server()


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus(name: str) -> None:
    inputs = sorted((CORPORA / name).iterdir())
    assert len(inputs) > 3, "a target needs a corpus to begin with"
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path} fails") from error


@pytest.mark.parametrize("name", TARGETS)
def test_the_shortest_inputs(name: str) -> None:
    for data in (b"", *(bytes([byte]) for byte in range(256))):
        TARGETS[name](data)


def test_every_corpus_has_its_target() -> None:
    assert {path.name for path in CORPORA.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("arguments", [[], ["x"], ["0"], ["1", "nothing"]])
def test_wrong_arguments_are_a_usage_error(arguments: list[str]) -> None:
    run = [sys.executable, str(CORPORA.parent / "run.py"), *arguments]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "")
    assert not lacks(done.stdout, "usage", "run.py", "SECONDS", "TARGET")
