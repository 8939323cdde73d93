"""Named crash points: tests kill a process exactly where two systems disagree about what has happened.

`LECTERN_CRASH_AT=relay.after_confirm` exits at the first passage, `relay.after_confirm:3` at the third. The points are
`api.after_commit`, `relay.after_confirm`, `consumer.before_commit` and `consumer.after_commit`.
"""

import os
import signal

_name: str | None = None
_left = 0


def arm(spec: str | None) -> None:
    """Choose the point this process dies at; None (every real installation) makes all points free."""
    global _name, _left
    name, _, count = (spec or "").partition(":")
    _name, _left = name or None, int(count or 1)


def point(name: str) -> None:
    """Die here when armed so. SIGKILL, not exit: nothing is flushed, closed or rolled back by us."""
    global _left  # noqa: PLW0603 - one process, one death
    if _name is None or name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
