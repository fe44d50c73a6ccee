"""Runs of WebAssembly: modules that do nothing, so that what is measured is everything around them."""

from abc import ABC, abstractmethod
from time import perf_counter

from bench.concurrency import together

AT_ONCE = 32
MODULES = 100
"""More than the workers hold in memory together, so that taken in turn each comes from the disk."""


def module(number: int) -> bytes:
    """The text of an empty program; those of different numbers are different modules."""
    return b'(module (memory (export "memory") 1) (global i32 (i32.const %d)) (func (export "_start")))' % number


class Runner(ABC):
    """What can run `module(0)` to `module(MODULES - 1)`, which it has compiled."""

    @abstractmethod
    async def run(self, number: int) -> None:
        """Runs a module; raises if it does not end with 0."""


async def warm(runner: Runner, seconds: float) -> float:
    """ms per run."""
    return await one_at_a_time(runner, seconds, 1)


async def cold(runner: Runner, seconds: float) -> float:
    """ms per run of a module that no memory holds any more."""
    return await one_at_a_time(runner, seconds, MODULES)


async def one_at_a_time(runner: Runner, seconds: float, modules: int) -> float:
    for number in range(modules):
        await runner.run(number)
    count = 0
    start = perf_counter()
    while (elapsed := perf_counter() - start) < seconds:
        await runner.run(count % modules)
        count += 1
    return elapsed / count * 1e3


async def at_once(runner: Runner, seconds: float) -> float:
    """Runs per second."""
    count = 0

    async def one_after_the_other() -> None:
        nonlocal count
        while perf_counter() < until:
            await runner.run(0)
            count += 1

    until = perf_counter() + seconds / 5
    await together(one_after_the_other, AT_ONCE)
    count = 0
    start = perf_counter()
    until = start + seconds
    await together(one_after_the_other, AT_ONCE)
    return count / (perf_counter() - start)
