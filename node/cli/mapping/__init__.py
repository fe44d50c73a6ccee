"""A picture of the mesh: `picture` says what it shows, `drawing` makes SVG of it."""
