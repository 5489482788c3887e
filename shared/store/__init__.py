"""The event store: one append, one fence, the log as the only source of truth."""
