"""What a node is set to: one TOML file, strictly checked, with the history of every change.

settings, kinds    what can be set, declared once; flag, environment, file, default
document           the file: read, checked, edited, replaced
history            every change with who and when, and the way back
live, offline      of a node that runs; of a home where none does
answers, errors    what callers are told
"""
