"""`python -m bench.nat`: what all pairs of NATs get, on real nodes in network namespaces (Linux, root); about a minute.

Writes bench/nat.json, and prints the table of docs/guides/hub.md.
"""

import json
import sys
import tempfile
from pathlib import Path

import trio

RESULTS = Path(__file__).with_name("nat.json")


def main() -> int:
    from tests.end_to_end import coturn, nats
    from tests.end_to_end.nat_pairs import expected, measure, table, world

    if reason := nats.missing() or coturn.missing():
        sys.exit(f"not here: {reason}")
    with tempfile.TemporaryDirectory(prefix="glow-nat-") as folder, world(Path(folder)) as made:
        pairs = trio.run(measure, made)
    rows = [
        {
            "from": pair.caller.value,
            "to": pair.called.value,
            "path": pair.path,
            "first_call_seconds": round(pair.first_call, 3),
            "linked_seconds": pair.linked and round(pair.linked, 2),
        }
        for pair in pairs
    ]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(pairs))
    wrong = [pair.name for pair in pairs if pair.path != expected(pair.caller, pair.called)]
    print(f"otherwise than their NATs allow: {', '.join(wrong)}" if wrong else "each as direct as its NATs allow")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
