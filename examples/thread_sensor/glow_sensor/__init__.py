"""Measures a disk and keeps the readings: an example of a process for Glow whose handlers block."""
