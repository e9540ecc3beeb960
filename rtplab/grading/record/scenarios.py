"""The scenarios by name, each a function that runs the submission and records what it sees."""

from __future__ import annotations

from rtplab.grading.record import clients, packets, servers
from rtplab.grading.record.extensions import EXTENSIONS
from rtplab.grading.record.robust import ROBUST
from rtplab.grading.record.run import Scenario
from rtplab.grading.record.together import both

RUNNERS: dict[str, Scenario] = {
    "packet": packets.call_packet,
    "server.session": servers.session,
    "server.second": servers.second,
    "client.session": clients.session,
    "client.slow-reply": clients.slow_reply,
    "client.error": clients.error,
    "both": both,
    **EXTENSIONS,
    **ROBUST,
}
