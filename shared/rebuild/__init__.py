"""Rebuild of a read model from the log while users keep working."""
