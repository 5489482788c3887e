"""Which apps there are, whose they are and which domains they have proven, from what registry and identity tell."""

from collections.abc import Sequence

import asyncpg
from latchkey.envelope import Envelope
from latchkey.events.identity import AccountErased
from latchkey.events.registry import (
    AppArchived,
    AppDisabled,
    AppEnabled,
    AppErased,
    AppRegistered,
    AppRestored,
    DomainRemoved,
    DomainVerified,
)


class Apps:
    """Apps by id, with their owner until that account is erased: from then on nobody can read what the app recorded."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See Handler."""
        for event in events:
            match event.data:
                case AppRegistered(app_id=app_id, owner_id=owner_id, status=status, registered_at=registered_at):
                    await _alone(db, owner_id)
                    await db.execute(
                        """INSERT INTO apps (app_id, owner_id, status, registered_at)
                        SELECT $1, CASE WHEN EXISTS (SELECT FROM erased_accounts WHERE account_id = $2) THEN NULL ELSE $2 END, $3, $4
                        ON CONFLICT DO NOTHING""",
                        app_id, owner_id, status, registered_at,
                    )  # fmt: skip
                case AppDisabled(app_id=app_id):
                    await _standing(db, app_id, "disabled")
                case AppEnabled(app_id=app_id):
                    await _standing(db, app_id, "active")
                case AppArchived(app_id=app_id):
                    await _standing(db, app_id, "archived")
                case AppRestored(app_id=app_id, status=status):
                    await _standing(db, app_id, status)
                case DomainVerified() | DomainRemoved() | AppErased() as told:
                    await _domains(db, told)
                case AccountErased(account_id=account_id):
                    await _alone(db, account_id)
                    await db.execute("INSERT INTO erased_accounts (account_id) VALUES ($1) ON CONFLICT DO NOTHING", account_id)
                    await db.execute("UPDATE apps SET owner_id = NULL WHERE owner_id = $1", account_id)
                case _:
                    pass  # what else these two tell does not change whose an app is


async def _standing(db: asyncpg.Connection, app_id: str, status: str) -> None:
    await db.execute("UPDATE apps SET status = $2 WHERE app_id = $1", app_id, status)


async def _domains(db: asyncpg.Connection, told: DomainVerified | DomainRemoved | AppErased) -> None:
    match told:
        case DomainVerified(app_id=app_id, domain=domain):
            await db.execute("INSERT INTO app_domains (app_id, domain) VALUES ($1, $2) ON CONFLICT DO NOTHING", app_id, domain)
        case DomainRemoved(app_id=app_id, domain=domain):
            await db.execute("DELETE FROM app_domains WHERE app_id = $1 AND domain = $2", app_id, domain)
        case AppErased(app_id=app_id):
            await db.execute("DELETE FROM app_domains WHERE app_id = $1", app_id)


async def _alone(db: asyncpg.Connection, account_id: str) -> None:
    """An app and the erasure of its owner may come at the same moment in two transactions, neither of which would see the other."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", account_id)
