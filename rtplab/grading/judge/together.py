"""Whether the submission's client plays from the submission's server."""

from __future__ import annotations

from rtplab.grading.judge import client, server
from rtplab.grading.judge.seen import crash, packets, pictures, several, transcript, whole_frames
from rtplab.grading.model.checks import Outcome, Verdict, failed
from rtplab.grading.model.editions import Edition
from rtplab.grading.model.recording import Recordings

SCENARIO = "both"
ENOUGH = 0.5
"""Share of the frames up to the last one shown; client.shows asks for all of them."""
KEPT_AT_MOST = 1 / 3
"""Share of the sent frames that must be shown; the others may wait in a cache."""

CAUSES = (
    ("client.transport", client.transport, client.SESSION),
    ("client.header", client.header, client.SESSION),
    ("client.cseq", client.cseq, client.SESSION),
    ("client.session", client.session, client.SESSION),
    ("client.port", client.port, client.SESSION),
    ("server.reply", server.reply, server.SESSION),
    ("server.session", server.session, server.SESSION),
    ("server.header", server.header, server.SESSION),
    ("server.numbers", server.numbers, server.SESSION),
)
"""Mistakes seen on each side alone, which may make the other side fail."""


def movie(recordings: Recordings, edition: Edition) -> Verdict:
    recording = recordings[SCENARIO]
    received = packets(recording, "udp.in")
    sent = whole_frames(received) if edition.fragments else received
    shown = set(pictures(recording))
    reached = max(shown, default=0)
    if shown and reached >= KEPT_AT_MOST * len(sent) and len(shown) >= ENOUGH * reached:
        return Verdict(Outcome.PASSED, 1.0)
    for cause, judge, scenario in CAUSES:
        if scenario in recordings and judge(recordings, edition).outcome is Outcome.FAILED:
            return Verdict(Outcome.BLOCKED, blocked_by=cause)
    end = recording.step("teardown") or 1e9
    errors = [error for role in ("server", "client") if (error := crash(recording, role, end))]
    wrote = f" It wrote: {errors[0]}." if errors else ""
    return failed(
        f"Your client showed {several(len(shown), 'frame')} of the {len(sent):,} that your server"
        f" sent; expected nearly all.{wrote}",
        "Each works with the grader's other side, so look at the messages between them.",
        transcript(recording),
    )
