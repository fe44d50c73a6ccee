"""The kinds of processes that come with Glow, one folder each; they are found by their entry points alone."""
