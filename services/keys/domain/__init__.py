"""What can happen to the keys of an app, and what may be decided about them."""
