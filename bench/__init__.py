"""Glow beside the systems that one would use otherwise: `make bench`, or `python -m bench --help`.

works.py        what is measured: one table
systems.py      who is measured: one table
client.py       what a system has to offer for that
peers/          one file per other system
commands.py     the command line
harness.py      rounds: starts both ends as OS processes, interleaves the systems, stops everything
endpoint.py     what such an OS process runs
report.py       medians, ranges and ratios as a table and as results.json
"""

import os

# What is measured is linked as its row says, and nobody on the networks of this machine is to hear of it.
os.environ.update(GLOW_DISCOVERY="off", GLOW_LINKS_DIRECT="off")
