"""The real PostgreSQL, Valkey and Kafka as local processes, and the supervisor of Latchkey's own eight."""
