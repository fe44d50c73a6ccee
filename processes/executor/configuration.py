"""How an executor is configured, and what a job may use within that."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firefly.errors import InvalidArgument
from firefly.interfaces.executor import Limits
from processes.configuration import BadConfiguration, check_names

HINT = "glow create executor --label executor workers=2 wall=600 memory=1GB"
MAX_WORKERS, MAX_WAITING = 64, 4096
_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}
_NAMES = ("workers", "waiting", "wall", "fuel", "memory", "output")


@dataclass(frozen=True)
class Ceiling:
    """What a job gets at most: seconds, fuel, bytes, bytes."""

    wall: float = 600.0
    fuel: int = 10**13
    memory: int = 10**9
    output: int = 10**9

    def limits(self, wanted: Limits | None) -> Ceiling:
        """The limits of one job. Raises InvalidArgument for more than there is to give."""
        wanted = wanted or Limits()
        return Ceiling(
            self._at_most("wall", wanted.wall),
            int(self._at_most("fuel", wanted.fuel)),
            int(self._at_most("memory", wanted.memory)),
            int(self._at_most("output", wanted.output)),
        )

    def _at_most(self, name: str, wanted: float | None) -> float:
        most: float = getattr(self, name)
        if wanted is None:
            usual: float = getattr(USUAL, name)
            return min(usual, most)
        if not 0 < wanted <= most:
            raise InvalidArgument(
                f"the limit {name}={wanted} is not to be had",
                cause=f"this executor gives at most {most}",
                hint=f"ask for less, or make an executor that gives more: glow create executor {name}=…",
            )
        return wanted


USUAL = Ceiling(60.0, 10**12, 256 * 10**6, 64 * 10**6)
"""What a job gets that asks for nothing."""


@dataclass(frozen=True)
class Configuration:
    workers: int = 2
    waiting: int = 64
    ceiling: Ceiling = Ceiling()


def read_configuration(given: dict[str, str]) -> Configuration:
    """Raises BadConfiguration."""
    check_names("the executor", given, _NAMES, HINT)
    number = {name: _number(name, text) for name, text in given.items()}
    workers, waiting = number.pop("workers", 2.0), number.pop("waiting", 64.0)
    if not 1 <= workers <= MAX_WORKERS or not 0 <= waiting <= MAX_WAITING:
        raise BadConfiguration(f"workers are 1 to {MAX_WORKERS}, jobs that wait at most {MAX_WAITING}", hint=HINT)
    whole = {name: value if name == "wall" else int(value) for name, value in number.items()}
    return Configuration(int(workers), int(waiting), Ceiling(**whole))  # type: ignore[arg-type]


def _number(name: str, text: str) -> float:
    """A number above 0, or from 0 on for `waiting`; bytes may be written as 64MB."""
    unit = _UNITS.get(text[-2:], 1)
    try:
        value = float(text[:-2] if unit > 1 else text) * unit
    except ValueError:
        value = math.nan
    least_is_zero = name == "waiting"
    if not (0 <= value < 2**63) or (value == 0 and not least_is_zero):
        raise BadConfiguration(f"{name}={text} is no number for it", hint=HINT)
    return value
