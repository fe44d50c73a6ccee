"""Profiles of hypothesis: no wall clock decides over a test, and every run of a version tries the same examples.

`pytest --hypothesis-profile=deep` searches for longer, from a new seed each time, which it prints when it finds something.
"""

from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("quick")
