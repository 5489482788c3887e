"""HTTP of metrics: what servers send with their keys, and what owners read."""
