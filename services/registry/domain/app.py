"""An app: what its owner registered under a product, how events change it, and what may be decided about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from services.registry.domain import details
from services.registry.domain.details import Details, Given
from services.registry.domain.errors import AppIsArchived
from services.registry.domain.events import (
    AppArchived,
    AppContactChanged,
    AppDetailsChanged,
    AppDisabled,
    AppEnabled,
    AppErased,
    AppEvent,
    AppLogoChanged,
    AppRegistered,
    AppRestored,
    AppStatus,
    Contact,
    DomainAdded,
    DomainRemoved,
    DomainVerified,
)
from shared.errors import FieldError, NotFound
from shared.personal import ERASED, Erased

PUBLIC_FIELDS: Final = ("name", "country", "state")


@dataclass(frozen=True, slots=True)
class Domain:
    """A host name that the owner says is theirs; since `verified_at` its DNS said so too."""

    name: str
    proof: str
    added_at: datetime
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class App:
    """An app that was never registered has no owner; one whose owner was erased is nobody's for ever."""

    app_id: str
    owner_id: str | None = None
    product_id: str = ""
    name: str = ""
    country: str = ""
    state: str | None = None
    contact: Contact | Erased = ERASED
    status: AppStatus = AppStatus.ACTIVE
    status_before_archive: AppStatus = AppStatus.ACTIVE
    logo_hash: str | None = None
    registered_at: datetime | None = None
    domains: tuple[Domain, ...] = ()
    erased: bool = False


def evolve(app: App, event: AppEvent) -> App:  # noqa: C901, PLR0911, PLR0912  # one case an event: the table is read as a whole
    match event:
        case AppRegistered(owner_id, product_id, name, country, state, contact, registered_at):
            return App(app.app_id, owner_id, product_id, name, country, state, contact, registered_at=registered_at)
        case AppDetailsChanged(_, name, country, state):
            return replace(app, name=name, country=country, state=state)
        case AppContactChanged(_, contact):
            return replace(app, contact=contact)
        case AppLogoChanged(logo_hash):
            return replace(app, logo_hash=logo_hash)
        case AppDisabled():
            return replace(app, status=AppStatus.DISABLED)
        case AppEnabled():
            return replace(app, status=AppStatus.ACTIVE)
        case AppArchived():
            return replace(app, status=AppStatus.ARCHIVED, status_before_archive=app.status)
        case AppRestored(status):
            return replace(app, status=status)
        case AppErased():
            return replace(app, contact=ERASED, logo_hash=None, domains=(), erased=True)
        case DomainAdded(name, proof, added_at):
            return replace(app, domains=(*app.domains, Domain(name, proof, added_at)))
        case DomainVerified(name, at):
            return replace(app, domains=tuple(replace(one, verified_at=at) if one.name == name else one for one in app.domains))
        case DomainRemoved(name):
            return replace(app, domains=tuple(one for one in app.domains if one.name != name))
        case _:
            assert_never(event)


def require_owner(app: App, owner_id: str) -> App:
    """The app, for its owner. Raises NotFound for everybody else, as for an app that does not exist."""
    if app.erased or app.owner_id is None or app.owner_id != owner_id:
        raise NotFound
    return app


def register(
    app: App, *, owner_id: str, product_id: str, given: Given, registered_at: datetime, logo_hash: str | None = None,
    wrong: Sequence[FieldError] = (),
) -> Sequence[AppEvent]:  # fmt: skip
    """Raises Invalid with everything that is wrong with the form; `wrong` is what its logo has added to that."""
    if app.owner_id is not None:
        return []
    form = details.new(given, wrong)
    registered = AppRegistered(owner_id, product_id, form.name, form.country, form.state, form.contact, registered_at)
    return [registered, AppLogoChanged(logo_hash)] if logo_hash else [registered]


def change_details(app: App, *, given: Given, wrong: Sequence[FieldError] = ()) -> Sequence[AppEvent]:
    """Contact data and the rest change by an event each, because only the rest is announced.

    Raises Invalid with everything that is wrong with the form; `wrong` is what its logo has added to that.
    """
    before = _form(not_archived(app))
    after = details.changed(before, given, wrong)
    differing = details.differing(before, after)
    shown = tuple(field for field in differing if field in PUBLIC_FIELDS)
    contact = tuple(field for field in differing if field not in PUBLIC_FIELDS)
    events: list[AppEvent] = []
    if shown:
        events.append(AppDetailsChanged(shown, after.name, after.country, after.state))
    if contact:
        events.append(AppContactChanged(contact, after.contact))
    return events


def change_logo(app: App, *, logo_hash: str | None) -> Sequence[AppEvent]:
    return [] if not_archived(app).logo_hash == logo_hash else [AppLogoChanged(logo_hash)]


def disable(app: App) -> Sequence[AppEvent]:
    return [] if not_archived(app).status is AppStatus.DISABLED else [AppDisabled()]


def enable(app: App) -> Sequence[AppEvent]:
    return [] if not_archived(app).status is AppStatus.ACTIVE else [AppEnabled()]


def archive(app: App) -> Sequence[AppEvent]:
    return [] if _not_erased(app).status is AppStatus.ARCHIVED else [AppArchived()]


def restore(app: App) -> Sequence[AppEvent]:
    return [AppRestored(app.status_before_archive)] if _not_erased(app).status is AppStatus.ARCHIVED else []


def erase(app: App) -> Sequence[AppEvent]:
    """The owner is gone: the app is put away and cannot be taken out again."""
    return [] if app.erased or app.owner_id is None else [*archive(app), AppErased()]


def names_touched(app: App, event: AppEvent) -> Iterable[str]:
    """The unique names that an event takes or gives up; `app` is as it was before it."""
    match event:
        case AppRegistered(owner_id=owner_id, name=name):
            return [_unique(owner_id, name)]
        case AppDetailsChanged(name=name):
            return [_unique(app.owner_id, app.name), _unique(app.owner_id, name)]
        case AppArchived() | AppRestored():
            return [_unique(app.owner_id, app.name)]
        case (
            AppContactChanged()
            | AppLogoChanged()
            | AppDisabled()
            | AppEnabled()
            | AppErased()
            | DomainAdded()
            | DomainVerified()
            | DomainRemoved()
        ):
            return []
        case _:
            assert_never(event)


def names_relied_on(_app: App, event: AppEvent) -> Iterable[str]:
    """A new app relies on its owner's subscription, whose end takes the same name: of the two the later one sees the earlier one, and no
    app outlives the erasure of its owner."""
    return [subscriber(event.owner_id)] if isinstance(event, AppRegistered) else []


def subscriber(account_id: str) -> str:
    """What the registration of an app and the end of a subscription have in common."""
    return f"subscriber:{account_id}"


def _unique(owner_id: str | None, name: str) -> str:
    return f"app_name:{owner_id}:{details.folded(name)}"


def _not_erased(app: App) -> App:
    """Decided here too, because a process may hear of the end of an account while it still remembers the app."""
    if app.erased:
        raise NotFound
    return app


def not_archived(app: App) -> App:
    """The app, for a change of it. Raises AppIsArchived, and NotFound for one whose owner was erased."""
    if _not_erased(app).status is AppStatus.ARCHIVED:
        raise AppIsArchived
    return app


def _form(app: App) -> Details:
    if isinstance(app.contact, Erased):
        raise NotFound
    return Details(app.name, app.country, app.state, app.contact)
