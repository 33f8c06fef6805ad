"""Going on with new data from a version, and what was forgotten by it."""
