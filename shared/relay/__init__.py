"""The relay: a service's own log, in order and at least once, to Kafka."""
