"""The executor process: runs WebAssembly in worker programs of its own."""
