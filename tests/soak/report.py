"""The table at the end of a soak, and the judgement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from soak.hostile import ACTS, name_of
from soak.servers import Sample, Watched
from soak.tally import Tally

LINES_SHOWN = 12  # of those that a server should not have written


@dataclass(frozen=True)
class Limits:
    """What is still good."""

    # A viewer waits a second for an answer without wondering. The machine may have other work.
    reply: float = 1.0  # seconds
    # Players buffer half a second and more, so that nobody sees less than that.
    frame: float = 0.5  # seconds
    # Of replies and of frames; those that the server leaves out count as late. A machine that has
    # other work to do stops any process for a while, and then all viewers are late together.
    late_share: float = 0.01
    # Of the time: when the load itself stood still for longer, the servers did so too, and lateness
    # says nothing about them.
    held_up_share: float = 0.02
    # MiB by which the last quarter's median may be above the second one's. What long requests took,
    # the C library keeps in its arenas, of which there are 8 a core: it takes some thousand hostile
    # acts to fill them, and half an hour has 600. In half an hour some 3,000 sessions lie between
    # the two quarters, so that 1.5 KB left behind by each would be seen.
    memory: float = 4.0
    memory_minutes: float = 10.0  # a shorter soak sees but how caches fill
    # Share, and number, by which the median of threads and of descriptors may grow: how many
    # viewers there are at a moment is chance. What leaks is in those that are left at the end.
    growth: float = 0.15
    few: int = 5


@dataclass(frozen=True)
class Outcome:
    """All that is known at the end."""

    seed: int
    minutes: float
    viewers: int
    tally: Tally
    servers: list[Watched]
    load_cpu: float  # seconds
    limits: Limits

    def failures(self) -> list[str]:
        """What has failed, each as a sentence; none when all is well."""
        tally = self.tally
        found = [f"{kind} ({count} times)." for kind, count in tally.faults.items()]
        if not tally.frames:
            found.append("No frame was seen.")
        if not self.is_starved:
            found += self._lateness()
        if tally.left_out and not any(server.left_out for server in self.servers):
            found.append(f"{tally.left_out} frames were missing, of which no server has told.")
        for server in self.servers:
            found += self._growth(server) + self._remains(server)
            if lines := server.unexpected_lines:
                shown = "\n  ".join(lines[:LINES_SHOWN])
                found.append(f"The server ({server.name}) wrote to stderr:\n  {shown}")
        return found

    @property
    def is_starved(self) -> bool:
        """Whether the machine gave the load itself too little time to judge the servers by time."""
        return self.tally.beat.total > self.limits.held_up_share * self.minutes * 60

    def _lateness(self) -> list[str]:
        tally, limits, found = self.tally, self.limits, []
        late, replies = tally.late_replies, tally.replies
        if late > limits.late_share * replies:
            found.append(f"{late} of {replies} replies took longer than {limits.reply:g} s.")
        late, frames = tally.late_frames + tally.left_out, tally.frames.total()
        if late > limits.late_share * frames:
            found.append(f"{late} of {frames} frames came {limits.frame:g} s late or never.")
        return found

    def _growth(self, server: Watched) -> list[str]:
        second, last = server.quarter(1), server.quarter(3)
        found = []
        is_judged = self.minutes >= self.limits.memory_minutes
        if is_judged and last.memory > second.memory + self.limits.memory:
            grown = last.memory - second.memory
            found.append(f"The memory of the server ({server.name}) has grown by {grown:.1f} MiB.")
        for name in ("threads", "descriptors"):
            before, after = getattr(second, name), getattr(last, name)
            if after > before * (1 + self.limits.growth) + self.limits.few:
                found.append(f"The server ({server.name}) had {before:g} {name}, later {after:g}.")
        return found

    def _remains(self, server: Watched) -> list[str]:
        """What the server keeps when everybody has gone: no more than before they came."""
        before, after = server.rest_before, server.rest_after
        return [
            f"The server ({server.name}) is left with {getattr(after, name)} {name}, "
            f"not {getattr(before, name)}."
            for name in ("threads", "descriptors")
            if getattr(after, name) > getattr(before, name)
        ]

    def table(self) -> str:
        """The report."""
        rows = [f"Soak of {self.minutes:g} min with {self.viewers} viewers, seed {self.seed}", ""]
        head = ("", "", "at rest", "1/4", "1/2", "3/4", "end", "at rest")
        rows.append("{:<12}{:<14}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}".format(*head))
        for server in self.servers:
            rows += self._server_rows(server)
        rows += ["", *self._figures(), "", "Hostile acts:"]
        rows += [f"  {name_of(act):<26}{self.tally.hostile[name_of(act)]:>7}" for act in ACTS]
        if self.tally.examples:
            rows += ["", "Faults:", *(f"  {example}" for example in self.tally.examples)]
        return "\n".join(rows)

    def _server_rows(self, server: Watched) -> list[str]:
        columns = [server.rest_before, *(server.quarter(which) for which in range(4))]
        columns.append(server.rest_after or server.rest_before)
        names = {"memory": "memory, MiB", "threads": "threads", "descriptors": "descriptors"}
        rows = []
        for name, title in names.items():
            values = "".join(f"{_figure(column, name):>9}" for column in columns)
            rows.append(f"{server.name:<12}{title:<14}{values}")
        return rows

    def _figures(self) -> list[str]:
        tally, seconds = self.tally, self.minutes * 60
        cpu = ", ".join(f"{server.name} {server.cpu / seconds:.2f}" for server in self.servers)
        lines = {
            "sessions": _by_kind(tally.sessions),
            "  which ended by": _by_kind(tally.endings),
            "requests": _by_kind(tally.requests),
            "  answered late": f"{tally.late_replies}, the slowest in {tally.slowest_reply:.2f} s",
            "frames compared": f"{_by_kind(tally.frames)}; {tally.bytes / 1e6:,.0f} MB",
            "  late": f"{tally.late_frames}, the latest by {tally.latest_frame:.2f} s",
            "  left out": f"{tally.left_out}, as the server was given no time",
            "films seen to the end": str(tally.films_seen),
            "packets lost": f"{tally.lost_packets}, for want of room or time of the load itself",
            "faults": str(tally.faults.total()),
            "cores in use": f"{cpu}, the load {self.load_cpu / seconds:.2f}",
            "load held up": self._held_up(),
        }
        return [f"{name + ':':<24}{value}" for name, value in lines.items()]

    def _held_up(self) -> str:
        beat = self.tally.beat
        share = beat.total / (self.minutes * 60)
        verdict = "; lateness is not judged for that" if self.is_starved else ""
        return f"for {share:.1%} of the time, {beat.longest:.2f} s at the longest{verdict}"


def _by_kind(counts: Counter[str]) -> str:
    parts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    return f"{counts.total():,} ({parts})"


def _figure(sample: Sample, name: str) -> str:
    value = getattr(sample, name)
    return f"{value:.1f}" if name == "memory" else f"{value:g}"
