"""The rate policy file: read once, checked whole, turned into one pattern."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.identity import Caller

KeyKind = Literal["user", "ip", "client"]


class PolicyError(Exception):
    """The rate policy file cannot be used."""


_Limits = dict[Literal["anonymous", "user", "staff"], int]


class _ClassModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    counter: str = Field(pattern=r"^[a-z_]{1,60}$")
    key: KeyKind
    seconds: int = Field(ge=1, le=86_400)
    limits: _Limits
    when: dict[str, _Limits] = {}
    exempt: Literal["api_key"] | None = None
    closed: bool = False
    routes: list[str]


class _PolicyModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    switches: dict[str, bool] = {}
    classes: dict[str, _ClassModel]

    def limits_of(self, item: _ClassModel) -> _Limits:
        """Those of the first switch that is on, else the ordinary ones."""
        return next((limits for name, limits in item.when.items() if self.switches[name]), item.limits)


@dataclass(frozen=True, slots=True)
class RateClass:
    """Requests that are counted and limited alike."""

    name: str
    counter: str
    key: KeyKind
    seconds: int
    anonymous: int
    user: int
    staff: int
    exempt_api_key: bool
    closed: bool
    most: int
    """The largest limit of all classes that share the counter."""

    def limit(self, caller: Caller) -> int:
        if caller.is_staff:
            return self.staff
        return self.anonymous if caller.is_anonymous else self.user


class Policy:
    """All classes, and which of them a request belongs to."""

    def __init__(self, classes: Mapping[str, tuple[RateClass, Sequence[str]]]) -> None:
        self.classes = {name: rate for name, (rate, _) in classes.items()}
        self._routes: dict[str, tuple[RateClass, frozenset[str] | None]] = {}
        patterns: list[str] = []
        for rate, routes in classes.values():
            for route in routes:
                methods, path = _parse(route)
                name = f"r{len(patterns)}"
                self._routes[name] = (rate, methods)
                patterns.append(f"(?P<{name}>{path})")
        self._pattern = re.compile("|".join(patterns) or r"(?!)")

    def find(self, method: str, path: str) -> RateClass | None:
        match = self._pattern.match(path)
        if match is None or match.lastgroup is None:
            return None
        rate, methods = self._routes[match.lastgroup]
        return rate if methods is None or method in methods else None


def _parse(route: str) -> tuple[frozenset[str] | None, str]:
    *methods, path = route.split()
    if len(methods) > 1 or not path.startswith("/"):
        raise PolicyError(f"A route is [METHODS] /path, not {route!r}.")
    pattern = re.escape(path.removesuffix("/*").rstrip("/"))
    pattern += r"/[^/].*\Z" if path.endswith("/*") else r"/?\Z"
    return (frozenset(methods[0].upper().split(",")) if methods else None), pattern


def read_policy(file: Path) -> Policy:
    """Raises `PolicyError` with what is wrong and where."""
    try:
        model = _PolicyModel.model_validate(yaml.safe_load(file.read_text()))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PolicyError(f"{file}: {error}") from error
    most: dict[str, int] = {}
    windows: dict[str, int] = {}
    for name, item in model.classes.items():
        if unknown := set(item.when) - set(model.switches):
            raise PolicyError(f"{file}: class {name} names a switch that there is not: {min(unknown)}.")
        for limits in (item.limits, *item.when.values()):
            if "user" not in limits or min(limits.values()) < 1:
                raise PolicyError(f"{file}: class {name} needs a limit for `user`, and limits of 1 or more.")
        if windows.setdefault(item.counter, item.seconds) != item.seconds:
            raise PolicyError(f"{file}: the classes of counter {item.counter} have different windows.")
        most[item.counter] = max(most.get(item.counter, 0), *item.limits.values())
    return Policy(
        {
            name: (
                RateClass(
                    name=name,
                    counter=item.counter,
                    key=item.key,
                    seconds=item.seconds,
                    anonymous=limits.get("anonymous", limits["user"]),
                    user=limits["user"],
                    staff=limits.get("staff", limits["user"]),
                    exempt_api_key=item.exempt == "api_key",
                    closed=item.closed,
                    most=most[item.counter],
                ),
                item.routes,
            )
            for name, item in model.classes.items()
            for limits in (model.limits_of(item),)
        }
    )
