"""Tables of which each row costs less to check than a test of its own would."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def check_each(rows: Iterable[tuple[object, ...]], check: Callable[..., object]) -> None:
    """Call `check` with each row, and fail with all that failed, and why."""
    failed, checked = [], 0
    for row in rows:
        checked += 1
        try:
            check(*row)
        except Exception as error:
            failed.append(f"{', '.join(map(repr, row))[:200]}: {type(error).__name__}: {error}")
    assert checked, "there is no row"
    assert not failed, f"{len(failed)} of {checked}:\n" + "\n".join(failed[:20])
