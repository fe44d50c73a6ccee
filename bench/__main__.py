"""`python -m bench`: measures, prints one table and, after a complete run, writes bench/results.json."""

import argparse
import sys

import trio

from bench import report
from bench.harness import measure
from bench.systems import SYSTEMS
from bench.works import BY_NAME, WORKS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"some of: {', '.join(BY_NAME)} (default: all)")
    parser.add_argument("--system", action="append", metavar="NAME", help="only systems named so")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which every system gets a turn (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds per work and round (default: 1)")
    chosen = parser.parse_args()
    if unknown := set(chosen.works) - set(BY_NAME):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    return chosen


def main() -> int:
    chosen = arguments()
    systems = [s for s in SYSTEMS if not chosen.system or any(name in str(s) for name in chosen.system)]
    works = [w for w in WORKS if not chosen.works or w.name in chosen.works]
    outcome = None
    try:
        outcome = trio.run(measure, systems, works, chosen.rounds, chosen.seconds, tell)
    except* KeyboardInterrupt:
        tell("interrupted; everything is stopped")
    if outcome is None:
        return 130
    rows = report.rows_of(outcome.figures)
    report.show(rows)
    if outcome.failures:
        tell(f"failed: {'; '.join(outcome.failures)}")
    elif len(systems) == len(SYSTEMS) and len(works) == len(WORKS) and chosen.rounds >= 5:
        report.save(rows)
        tell(f"written: {report.RESULTS.relative_to(report.RESULTS.parent.parent)}")
    return 1 if outcome.failures else 0


def tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
