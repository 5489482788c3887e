"""What a service process is told: everything comes in environment variables with the service's prefix."""

from collections.abc import Mapping

from stack.databases import Database
from stack.endpoints import PartEndpoints
from stack.ports import HOST, SERVICES

MAIL_FROM = "Latchkey <noreply@latchkey.localhost>"


def service_environment(
    service: str, *, database: Database, parts: PartEndpoints, master_key: str, ports: Mapping[str, int], client: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a service's `main` and `worker`. `ports` holds the HTTP port of every service, `client` the id and secret
    with which it reads the feeds of others; empty before there is one.

    The owner's address is not among them: a process that serves cannot change its tables.
    """
    settings = {
        "DATABASE_URL": database.app,
        "READ_DATABASE_URL": database.read,
        "REDIS_URL": parts.redis,
        "KAFKA_BOOTSTRAP": parts.kafka,
        "HOST": HOST,
        "PORT": str(ports[service]),
        "MASTER_KEY": master_key,
        "IDENTITY_URL": f"http://{HOST}:{ports['identity']}",
        "TRUSTED_PROXIES": HOST,  # the portal, which says whose browser it calls for
        "REGISTRY_URL": f"http://{HOST}:{ports['registry']}",
        "KEYS_URL": f"http://{HOST}:{ports['keys']}",
    }
    if client:
        settings |= {"FEED_CLIENT_ID": client["id"], "FEED_CLIENT_SECRET": client["secret"]}
    if service == "identity":
        settings |= {"SMTP_HOST": parts.smtp_host, "SMTP_PORT": str(parts.smtp_port), "MAIL_FROM": MAIL_FROM}
        settings |= {"NEW_PASSWORDS_PER_IP": "300"}  # every visitor of a local stack has one address
    return {f"{service.upper()}_{name}": value for name, value in settings.items()}


def portal_environment(*, port: int, session_key: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the variables of the portal. It is a client of the four services and knows no part of the stack."""
    services = {f"PORTAL_{service.upper()}_URL": f"http://{HOST}:{ports[service]}" for service in SERVICES}
    return {"PORTAL_HOST": HOST, "PORTAL_PORT": str(port), "PORTAL_SESSION_KEYS": session_key, **services}


def owner_environment(service: str, database: Database) -> dict[str, str]:
    """Return what the operator's commands get beside the above: the owner's address, for migrations and rebuilds."""
    return {f"{service.upper()}_OWNER_DATABASE_URL": database.owner}
