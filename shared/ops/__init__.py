"""Operators' commands: the same for every service, as `python -m services.<name>.ops`."""
