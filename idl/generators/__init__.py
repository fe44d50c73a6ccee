"""One module per target language: compiled schema in, text of a file out."""
