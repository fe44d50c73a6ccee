"""Stubs of the interfaces that come with Glow, made by `make generate` from idl/interfaces."""
