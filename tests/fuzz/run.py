"""Fuzzes the targets one after the other: `run.py SECONDS [TARGET...]`, SECONDS for each.

What is found along the way stays in build/fuzz for the next run. A finding is a file there; the
way to mend it begins with `python tests/fuzz/one.py TARGET FILE`. Exit status 1 if there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOUND = ROOT / "build" / "fuzz"

# What one input may take at the most: all of ours take milliseconds and a few megabytes.
MAX_SECONDS, MAX_MEGABYTES = 10, 1024
# Bytes of one input: more than fits the head of a request would only slow the search.
MAX_LENGTH = 24 * 1024


@dataclass(frozen=True)
class Outcome:
    """What came of fuzzing one target; `coverage` counts the branches that were reached."""

    target: str
    executions: int
    coverage: int
    findings: list[Path]

    def __str__(self) -> str:
        files = ", ".join(str(path.relative_to(ROOT)) for path in self.findings) or "nothing"
        return f"{self.target:16}{self.executions:12,}{self.coverage:8}    {files}"


def main(arguments: list[str]) -> int:
    targets = arguments[1:] or sorted(path.name for path in (HERE / "corpus").iterdir())
    unknown = [target for target in targets if not (HERE / "corpus" / target).is_dir()]
    if unknown or not arguments or not re.fullmatch(r"[1-9]\d{0,5}", arguments[0], re.ASCII):
        print(f"Usage: run.py SECONDS [TARGET...]; unknown: {unknown or 'how many seconds'}")
        return 2
    print(f"{'target':16}{'executions':>12}{'cover':>8}    found", flush=True)
    found = False
    for target in targets:
        outcome = fuzz(target, int(arguments[0]))
        print(outcome, flush=True)
        found = found or bool(outcome.findings)
    return 1 if found else 0


def fuzz(target: str, seconds: int) -> Outcome:
    """Fuzz one target for so long, beginning with its corpus and with what was found before."""
    own, log = FOUND / target, FOUND / f"{target}.log"
    own.mkdir(parents=True, exist_ok=True)
    before = set(_findings(target))
    command = [sys.executable, str(HERE / "one.py"), target]
    command += [f"-max_total_time={seconds}", f"-timeout={MAX_SECONDS}"]
    command += [f"-rss_limit_mb={MAX_MEGABYTES}", f"-max_len={MAX_LENGTH}"]
    command += ["-print_final_stats=1", f"-artifact_prefix={FOUND / target}-"]
    with log.open("wb") as output:
        done = subprocess.run(
            [*command, str(own), str(HERE / "corpus" / target)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    findings = [path for path in _findings(target) if path not in before]
    if done.returncode and not findings:
        findings = [log]  # it did not even begin
    text = log.read_text(errors="replace")
    return Outcome(
        target,
        _last_number(r"stat::number_of_executed_units: (\d+)", text),
        _last_number(r"cov: (\d+)", text),
        findings,
    )


def _findings(target: str) -> list[Path]:
    kinds = ("crash", "timeout", "oom", "leak")
    return [path for kind in kinds for path in sorted(FOUND.glob(f"{target}-{kind}-*"))]


def _last_number(pattern: str, text: str) -> int:
    return int((re.findall(pattern, text) or ["0"])[-1])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
