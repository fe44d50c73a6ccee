"""What holds for all tests: profiles of hypothesis, and Ctrl-C.

No wall clock decides over a test, and every run of a version tries the same examples.

`pytest --hypothesis-profile=deep` searches for longer, each time from a new seed; what it finds it prints.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("quick")
signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell has what it runs in the background ignore Ctrl-C, and so would the programs that tests end by it."""

os.environ["GLOW_LINKS_DIRECT"] = os.environ["GLOW_DISCOVERY"] = "off"
"""Nodes stay linked as a test has linked them, and say nothing to others, unless that is what it is about."""
