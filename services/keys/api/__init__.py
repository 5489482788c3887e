"""The HTTP face of keys."""
