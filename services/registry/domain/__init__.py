"""What registry knows: apps and subscriptions, how events change them, and what may be decided."""
