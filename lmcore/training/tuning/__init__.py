"""Search over settings and sizes."""
