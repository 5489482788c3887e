"""An app's domains: what may be decided about them. Whoever can write into a domain's DNS has it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from services.registry.domain.app import App, Domain, not_archived
from services.registry.domain.errors import DomainNotFound, DomainUnproven, TooManyDomains, WrongField, field_error
from services.registry.domain.events import AppEvent, DomainAdded, DomainRemoved, DomainVerified
from services.registry.domain.hostnames import evidence, hostname
from shared.errors import Invalid

MOST: Final = 20


def named(app: App, given: str) -> Domain:
    """The app's domain of this name in any notation. Raises DomainNotFound."""
    found = _find(app, _name(given))
    if found is None:
        raise DomainNotFound
    return found


def add(app: App, *, given: str, proof: str, added_at: datetime) -> Sequence[AppEvent]:
    """A domain that is there keeps its proof. Raises Invalid for what is no host name."""
    try:
        name = hostname(given)
    except WrongField as wrong:
        raise Invalid(errors=(field_error("domain", wrong.problem),)) from wrong
    if _find(not_archived(app), name):
        return []
    if len(app.domains) >= MOST:
        raise TooManyDomains
    return [DomainAdded(name, proof, added_at)]


def verify(app: App, *, given: str, found: Collection[str], verified_at: datetime) -> Sequence[AppEvent]:
    """`found` is what the domain's challenge says in DNS. Raises DomainUnproven when the proof is not among it."""
    domain = named(not_archived(app), given)
    if domain.verified_at:
        return []
    if evidence(domain.proof) not in found:
        raise DomainUnproven
    return [DomainVerified(domain.name, verified_at)]


def remove(app: App, *, given: str) -> Sequence[AppEvent]:
    domain = _find(not_archived(app), _name(given))
    return [DomainRemoved(domain.name)] if domain else []


def _find(app: App, name: str | None) -> Domain | None:
    return next((domain for domain in app.domains if domain.name == name), None)


def _name(given: str) -> str | None:
    try:
        return hostname(given)
    except WrongField:
        return None
