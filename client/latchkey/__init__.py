"""What another service needs to consume Latchkey events and to verify its keys locally."""
