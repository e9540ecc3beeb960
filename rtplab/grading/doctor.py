"""Changes one thing at a time until a submission works, and says which thing that was.

There are two uses. The *ladder* finds the form of requests or replies that a submission
understands, and the grader then uses that form, so that a wrong space costs its own points and
nothing else. The *doctor* answers "why does my client show nothing?".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rtplab.grading.judge import client
from rtplab.grading.model.checks import Diagnosis, Outcome, Result
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recording
from rtplab.grading.record import trials
from rtplab.grading.record.run import Scenario

Facts = Mapping[str, Any]
Try = Callable[[str, Scenario, Facts], Recording]
"""Runs a scenario of this name with these facts."""


@dataclass(frozen=True)
class Factor:
    """One thing that can be changed."""

    when: str
    """As in "it plays when ..."."""
    facts: Facts
    but: str
    """What the assignment says about it."""


LF = Factor(
    "lines end with LF, and the last one has no end",
    {"reply": "python"},
    "The Java handout has CR LF.",
)
LF_BLANK = Factor(
    "a reply ends with a blank line", {"reply": "lf-blank"}, "The given server sends none."
)
CR_LF = Factor("lines end with CR LF", {"reply": "java"}, "The Python handout has only LF.")
CR_LF_BLANK = Factor(
    "lines end with CR LF, and a blank line follows",
    {"reply": "crlf-blank"},
    "RFC 2326 requires it, but the given server does not do it.",
)
SEGMENTS = Factor(
    "a reply comes in two segments",
    {"pieces": 2},
    "The given server sends it in one: recv may return all of it at once.",
)
REPLIES: tuple[Factor, ...] = (
    LF_BLANK,
    Factor(
        "each line of a reply ends with LF", {"reply": "lf-ended"}, "The handout's last has none."
    ),
    CR_LF,
    CR_LF_BLANK,
    SEGMENTS,
)
REQUESTS: tuple[Factor, ...] = (
    Factor(
        "each line of a request ends with LF", {"form": "lf-ended"}, "The handout's last has none."
    ),
    Factor(
        "a request ends with a blank line", {"form": "lf-blank"}, "The given client sends none."
    ),
    Factor("lines end with CR LF", {"form": "java"}, "The Python handout has only LF."),
    Factor(
        "lines end with CR LF, and a blank line follows",
        {"form": "crlf-blank"},
        "RFC 2326 requires it, but the given client does not do it.",
    ),
    Factor(
        "there is no space after client_port=",
        {"form": "no-space"},
        "The given server takes the fourth word of the line.",
    ),
    Factor(
        "the number is alone in the second line, and headers have no names",
        {"form": "older"},
        "An older handout has it so; this one has CSeq, Transport and Session.",
    ),
    Factor(
        "Transport is that of RFC 2326 (RTP/AVP)",
        {"form": "rtp-avp"},
        "The assignment has RTP/UDP.",
    ),
)
ALONE = Factor(
    "only Setup and Play are clicked, and the first frame comes at once",
    {},
    "It must also play if buttons were clicked in the wrong state, and if the first frame comes"
    " 0.4 s after the reply.",
)
"""A trial without any change: it is shorter than a whole session."""
MARKER = Factor("the marker is 1", {"marker": 1}, "The assignment sets it to 0.")
SMALL = Factor(
    "frames are smaller than 1,400 bytes",
    {"small": True},
    "Frames of the lab's movie have up to 14,500: receive that many, in one datagram.",
)
IN_ONE = Factor(
    "each frame fits into one packet",
    {"small": True},
    "Larger frames come in pieces: put these together, up to the one with the marker.",
)
SIX_DIGITS = Factor("the session id is 123456", {"session": "123456"}, "It may be any number.")
LIMIT = 30.0
"""Seconds after which nothing else is tried: some programs take ten to start."""


UNCHANGED = Factor("asked once more", {}, "A busy machine may have been the reason.")


def ladder(scenario: str, first: Recording, attempt: Try) -> Facts | None:
    """The facts with which a submission understands us; None if no other run is needed.

    The first that is tried is the same form once more.
    """
    if scenario == "server.session" and first.of("tcp.listening"):
        factors, trial, works = REQUESTS, trials.server_trial, trials.has_answered
    elif scenario == "client.session" and b"SETUP" in first.received():
        factors, trial, works = REPLIES, trials.client_trial, trials.has_asked_to_play
    else:
        return None
    if works(first):
        return None
    facts, factor, _ = _first_that_helps((UNCHANGED, *factors), trial, works, attempt)
    return None if factor is None else facts


def changes(edition: Edition) -> tuple[Factor, ...]:
    """What is tried if nothing is shown: at most six changes, as each takes three seconds.

    In HD the marker is where a frame ends, and so 1 anyway.
    """
    packets = (IN_ONE,) if edition.fragments else (MARKER, SMALL)
    replies = (CR_LF_BLANK, LF) if edition.reply_form == "java" else (LF_BLANK, CR_LF)
    return (*packets, SIX_DIGITS, *replies, SEGMENTS)


def diagnoses(results: Mapping[str, Result], attempt: Try, edition: Edition) -> list[Diagnosis]:
    """What helps if nothing is shown. Only if that very check has failed."""
    shows = results.get("client.shows")
    if shows is None or shows.verdict.outcome is not Outcome.FAILED:
        return []

    def is_shown(trial: Recording) -> bool:
        return client.shows({client.SESSION: trial}, edition).outcome is Outcome.PASSED

    factors = (ALONE, *changes(edition))
    _, factor, tried = _first_that_helps(factors, trials.client_trial, is_shown, attempt)
    if factor is None:
        sentence = "None of these changes made it play."
    else:
        sentence = f"It plays when {factor.when}. {factor.but}"
    return [Diagnosis("client.shows", sentence, tried)]


def _first_that_helps(
    factors: Iterable[Factor], scenario: Scenario, works: Callable[[Recording], bool], attempt: Try
) -> tuple[Facts, Factor | None, tuple[str, ...]]:
    """The first change with which it works, and all changes that were tried."""
    tried: list[str] = []
    deadline = time.monotonic() + LIMIT
    for factor in factors:
        if time.monotonic() > deadline:
            break
        tried.append(factor.when)
        if works(attempt("trial", scenario, factor.facts)):
            return factor.facts, factor, tuple(tried)
    return {}, None, tuple(tried)
