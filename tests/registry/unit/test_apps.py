"""S20, S25, S29, S33, S52: what may be decided about an app."""

import pytest

from services.registry.domain import app as apps
from services.registry.domain.app import App
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
    AppRestored,
    AppStatus,
    ServiceUnsubscribed,
)
from services.registry.domain.subscription import Subscription, subscribers_touched
from shared.errors import Invalid, NotFound
from shared.personal import ERASED
from tests.registry.builders import CONTACT, NOW, REGISTERED, RENAMED, Decision, changing, contact, given, registering


def changing_logo(logo_hash: str | None) -> Decision:
    return lambda app: apps.change_logo(app, logo_hash=logo_hash)


def test_a_right_form_registers_an_app() -> None:
    assert given().when(registering()) == [REGISTERED]


def test_a_registered_app_is_active_and_shows_the_form() -> None:
    assert given(REGISTERED).app == App(
        "app_1", "acc_1", "latchkey-pay", "Corner Shop", "US", "US-PA", CONTACT, AppStatus.ACTIVE, registered_at=NOW
    )


def test_registering_a_stream_that_is_an_app_changes_nothing() -> None:
    assert given(REGISTERED).when(registering()) == []


def test_a_wrong_form_registers_nothing() -> None:
    with pytest.raises(Invalid):
        given().when(registering(name="x"))


def test_only_what_differs_is_changed() -> None:
    assert given(REGISTERED).when(changing(name="Corner Store", city="Ardmore")) == [RENAMED]


def test_changing_to_what_is_so_already_is_no_event() -> None:
    assert given(REGISTERED).when(changing(name=" corner  Shop ".title(), country="us", phone="+1 215-619-9900")) == []


def test_contact_data_changes_by_an_event_that_names_the_fields() -> None:
    changed = given(REGISTERED).when(changing(city=None, email="till@example.com"))
    assert changed == [AppContactChanged(("email", "city"), contact(email="till@example.com", city=None))]


def test_a_change_of_both_kinds_is_two_events() -> None:
    changed = given(REGISTERED).when(changing(state=None, phone=None))
    assert changed == [AppDetailsChanged(("state",), "Corner Shop", "US", None), AppContactChanged(("phone",), contact(phone=None))]


def test_another_country_clears_a_state_that_is_not_its_own() -> None:
    changed = given(REGISTERED).when(changing(country="DE", postal_code="26133"))
    assert changed == [
        AppDetailsChanged(("country", "state"), "Corner Shop", "DE", None),
        AppContactChanged(("postal_code",), contact(postal_code="26133")),
    ]


def test_another_country_needs_a_postal_code_of_its_form() -> None:
    with pytest.raises(Invalid) as refused:
        given(REGISTERED).when(changing(country="GB"))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/postal_code", "registry.postal_code_invalid")]


def test_a_state_is_held_against_the_country_that_the_app_has() -> None:
    assert given(REGISTERED).when(changing(state="NJ")) == [AppDetailsChanged(("state",), "Corner Shop", "US", "US-NJ")]
    with pytest.raises(Invalid):
        given(REGISTERED).when(changing(state="DE-BY"))


def test_a_mandatory_field_cannot_be_cleared() -> None:
    with pytest.raises(Invalid) as refused:
        given(REGISTERED).when(changing(name=None, email="", country="  "))
    assert [error.code for error in refused.value.errors] == [
        "registry.name_required", "registry.email_required", "registry.country_required",
    ]  # fmt: skip


def test_logos_come_change_and_go() -> None:
    assert given(REGISTERED).when(changing_logo("h1")) == [AppLogoChanged("h1")]
    assert given(REGISTERED, AppLogoChanged("h1")).when(changing_logo("h1")) == []
    assert given(REGISTERED, AppLogoChanged("h1")).when(changing_logo(None)) == [AppLogoChanged(None)]
    assert given(REGISTERED).when(changing_logo(None)) == []


def test_disabling_twice_is_one_event() -> None:
    assert given(REGISTERED).when(apps.disable) == [AppDisabled()]
    assert given(REGISTERED, AppDisabled()).when(apps.disable) == []


def test_enabling_twice_is_one_event() -> None:
    assert given(REGISTERED, AppDisabled()).when(apps.enable) == [AppEnabled()]
    assert given(REGISTERED).when(apps.enable) == []


def test_archiving_twice_is_one_event() -> None:
    assert given(REGISTERED).when(apps.archive) == [AppArchived()]
    assert given(REGISTERED, AppArchived()).when(apps.archive) == []


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ((), AppStatus.ACTIVE),
        ((AppDisabled(),), AppStatus.DISABLED),
        ((AppDisabled(), AppEnabled()), AppStatus.ACTIVE),
    ],
)
def test_restoring_brings_back_what_was_before(before: tuple[AppEvent, ...], status: AppStatus) -> None:
    archived = given(REGISTERED, *before, AppArchived())
    assert archived.when(apps.restore) == [AppRestored(status)]
    assert given(REGISTERED, *before, AppArchived(), AppRestored(status)).app.status is status


def test_restoring_what_is_not_archived_is_no_event() -> None:
    assert given(REGISTERED).when(apps.restore) == []


@pytest.mark.parametrize("decision", [changing(name="Other"), changing_logo("h1"), apps.disable, apps.enable])
def test_an_archived_app_must_be_restored_first(decision: Decision) -> None:
    with pytest.raises(AppIsArchived):
        given(REGISTERED, AppArchived()).when(decision)


def test_erasing_archives_for_good() -> None:
    assert given(REGISTERED).when(apps.erase) == [AppArchived(), AppErased()]
    assert given(REGISTERED, AppArchived()).when(apps.erase) == [AppErased()]
    assert given(REGISTERED, AppArchived(), AppErased()).when(apps.erase) == []
    assert given().when(apps.erase) == []


def test_an_erased_app_holds_nothing_personal_and_is_nobodys() -> None:
    erased = given(REGISTERED, AppLogoChanged("h1"), AppArchived(), AppErased()).app
    assert (erased.contact, erased.logo_hash) == (ERASED, None)
    with pytest.raises(NotFound):
        apps.require_owner(erased, "acc_1")


@pytest.mark.parametrize("decision", [changing(name="Other"), changing_logo("h1"), apps.disable, apps.enable, apps.archive, apps.restore])
def test_an_erased_app_is_never_changed_again(decision: Decision) -> None:
    with pytest.raises(NotFound):
        given(REGISTERED, AppArchived(), AppErased()).when(decision)


def test_an_app_is_its_owners_alone() -> None:
    app = given(REGISTERED).app
    assert apps.require_owner(app, "acc_1") is app
    for nobodys, asked in ((app, "acc_2"), (App("app_2"), "acc_1"), (App("app_2"), "")):
        with pytest.raises(NotFound):
            apps.require_owner(nobodys, asked)


def test_an_app_whose_contact_data_cannot_be_read_cannot_be_changed() -> None:
    unreadable = given(REGISTERED, AppContactChanged(("email",), ERASED))
    with pytest.raises(NotFound):
        unreadable.when(changing(name="Other"))


@pytest.mark.parametrize(
    ("event", "touched"),
    [
        (REGISTERED, ["app_name:acc_1:corner shop"]),
        (RENAMED, ["app_name:acc_1:corner shop", "app_name:acc_1:corner store"]),
        (AppArchived(), ["app_name:acc_1:corner shop"]),
        (AppRestored(AppStatus.ACTIVE), ["app_name:acc_1:corner shop"]),
        (AppDisabled(), []),
        (AppErased(), []),
    ],
)
def test_the_names_that_an_event_takes_or_gives_up(event: AppEvent, touched: list[str]) -> None:
    assert apps.names_touched(given(REGISTERED).app, event) == touched


def test_a_new_app_relies_on_what_the_end_of_its_subscription_takes() -> None:
    """I9: no app outlives the erasure of its owner."""
    ended = subscribers_touched(Subscription("sub_1"), ServiceUnsubscribed("acc_1", "latchkey-pay"))
    assert list(apps.names_relied_on(App("app_1"), REGISTERED)) == list(ended) == ["subscriber:acc_1"]
    assert apps.names_relied_on(given(REGISTERED).app, RENAMED) == []
