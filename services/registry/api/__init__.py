"""The HTTP interface of registry."""

from services.registry.api import apps, catalog, domains, logos, places

ROUTERS = (catalog.router, apps.router, logos.router, domains.router, places.router)
