"""Notes that every device of yours can write: an example of a plugin for Glow."""
