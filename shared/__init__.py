"""The plumbing every Latchkey server stands on; it knows no service by name."""
