"""Typed clients of the four services."""
