"""Profiles of hypothesis: no wall clock decides over a test; `pytest --hypothesis-profile=deep` searches for longer."""

from hypothesis import settings

settings.register_profile("quick", deadline=None)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile("quick")
