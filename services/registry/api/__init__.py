"""The HTTP interface of registry."""

from services.registry.api import apps, catalog, logos, places

ROUTERS = (catalog.router, apps.router, logos.router, places.router)
