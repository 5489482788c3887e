"""What docker-compose mounts and runs beside the services: secrets, users and rights at the stores, topics, the proxy's rules."""
