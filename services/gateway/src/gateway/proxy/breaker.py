"""When a service is asked at all, and when a request may be sent a second time."""

from time import monotonic


class Breaker:
    """Opens when half of at least twenty requests of the last ten seconds timed out or broke off; then it probes.

    A refused connection is not counted: it costs nothing, and the service is used again the moment it listens.
    """

    WINDOW = 10.0
    LEAST = 20
    SHARE = 0.5
    OPEN_SECONDS = 5.0

    __slots__ = ("_failed", "_probing", "_started", "_total", "open_until")

    def __init__(self) -> None:
        self.open_until = 0.0
        self._probing = False
        self._restart(monotonic())

    def _restart(self, now: float) -> None:
        self._started, self._total, self._failed = now, 0, 0

    def allows(self, now: float) -> bool:
        """True when a request may go; while half open, for one request only."""
        if not self.open_until:
            return True
        if now < self.open_until or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._total += 1
        if self.open_until:
            self.open_until, self._probing = 0.0, False
            self._restart(monotonic())

    def failed(self, now: float) -> None:
        if now - self._started > self.WINDOW:
            self._restart(now)
        self._total += 1
        self._failed += 1
        if self._probing or (self._total >= self.LEAST and self._failed >= self._total * self.SHARE):
            self.open_until, self._probing = now + self.OPEN_SECONDS, False

    def undecided(self) -> None:
        """The request ended without saying anything about the service."""
        self._probing = False


class RetryBudget:
    """At most a tenth of the traffic is sent twice, so that retries never double the load of a service in trouble."""

    SHARE = 0.1
    MOST = 20.0

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = self.MOST

    def earn(self) -> None:
        if self._left < self.MOST:
            self._left += self.SHARE

    def spend(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True
