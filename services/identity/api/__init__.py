"""The HTTP face of identity."""
