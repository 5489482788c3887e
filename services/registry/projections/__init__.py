"""Events to rows, a module for each read model."""
