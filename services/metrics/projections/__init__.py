"""Read models: the inline views of our own events, and the views fed by registry, keys and identity."""
