"""`glow cp`: copies files between any two places, verified, and continued after a cut.

place.py    what the two ends of a copy have in common: items, pieces, tokens
local.py    the disk of this device, worked on in threads, a megabyte at a time
remote.py   a resource of some node, through the FileSystem interface
transfer.py one file: continue, move the bytes, verify, give it its name
tree.py     many files: walks folders while eight files are on their way
"""
