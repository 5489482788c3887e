"""The four databases and their twelve roles, made and given their passwords."""

import asyncpg

from deploy.vault import BY_NAME, Vault
from deploy.who import ROLES, SERVICES
from stack.databases import make_database


async def prepare(superuser: str, vault: Vault) -> None:
    """Make what is missing and set every password to what the vault holds; shut the databases that nobody needs."""
    for service in SERVICES:
        words = {role: vault.read(f"postgres.{service}_{role}") for role in ROLES}
        await make_database(superuser, service, words["owner"], **words)
    connection = await asyncpg.connect(superuser)
    try:
        await connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
    finally:
        await connection.close()


async def rotate(superuser: str, vault: Vault) -> list[str]:
    """Give each role another password; return their names.

    Connections that are open stay open. New ones read the passfile when they are made, so each role's file and password change together:
    the file is replaced while the database's change is ready to be committed.
    """
    done = []
    for service in SERVICES:
        for role in ROLES:
            name, word = f"{service}_{role}", BY_NAME[f"postgres.{service}_{role}"].make()
            connection = await asyncpg.connect(superuser)
            try:
                async with connection.transaction():
                    await connection.execute(f"ALTER ROLE {name} PASSWORD '{word}'")
                    vault.replace(f"postgres.{name}", word)
            finally:
                await connection.close()
            done.append(name)
    return done
