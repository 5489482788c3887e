"""What may be decided about an app's domains, and what is a host name."""

from datetime import timedelta

import pytest

from services.registry.domain import app as apps
from services.registry.domain import domains
from services.registry.domain.app import App, Domain
from services.registry.domain.errors import FIELD_PROBLEMS, AppIsArchived, DomainNotFound, DomainUnproven, TooManyDomains, WrongField
from services.registry.domain.events import AppArchived, AppErased, AppRestored, AppStatus, DomainAdded, DomainRemoved, DomainVerified
from services.registry.domain.hostnames import LONGEST, challenge, evidence, hostname
from services.registry.settings import Settings
from shared.errors import Invalid, NotFound
from tests.registry.builders import NOW, REGISTERED, Decision, given, wide

LATER = NOW + timedelta(minutes=5)
ADDED = DomainAdded("shop.example", "p1", NOW)
VERIFIED = DomainVerified("shop.example", LATER)


def adding(name: str, proof: str = "p1") -> Decision:
    return lambda app: domains.add(app, given=name, proof=proof, added_at=NOW)


def verifying(name: str, *found: str) -> Decision:
    return lambda app: domains.verify(app, given=name, found=found, verified_at=LATER)


def removing(name: str) -> Decision:
    return lambda app: domains.remove(app, given=name)


def test_a_domain_is_added_in_its_normal_form() -> None:
    assert given(REGISTERED).when(adding(" Shop.Example. ")) == [ADDED]
    assert given(REGISTERED, ADDED).app.domains == (Domain("shop.example", "p1", NOW),)


def test_adding_again_keeps_the_proof() -> None:
    assert given(REGISTERED, ADDED).when(adding("SHOP.example", "p2")) == []


def test_what_is_no_host_name_is_refused_by_its_field() -> None:
    with pytest.raises(Invalid) as refused:
        given(REGISTERED).when(adding("https://shop.example/"))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/domain", "registry.domain_invalid")]


def test_the_proof_in_dns_verifies_a_domain_once() -> None:
    assert given(REGISTERED, ADDED).when(verifying("shop.example", "v=spf1 -all", evidence("p1"))) == [VERIFIED]
    assert given(REGISTERED, ADDED, VERIFIED).when(verifying("shop.example")) == []
    assert given(REGISTERED, ADDED, VERIFIED).app.domains[0].verified_at == LATER


@pytest.mark.parametrize("found", [(), ("p1",), (evidence("p2"),), (evidence("p1") + " ",)])
def test_nothing_else_verifies_it(found: tuple[str, ...]) -> None:
    with pytest.raises(DomainUnproven):
        given(REGISTERED, ADDED).when(verifying("shop.example", *found))


def test_only_a_domain_of_the_app_is_verified() -> None:
    for name in ("other.example", "no host name"):
        with pytest.raises(DomainNotFound):
            given(REGISTERED, ADDED).when(verifying(name, evidence("p1")))


def test_removing_twice_is_one_event_and_a_domain_added_again_needs_a_new_proof() -> None:
    assert given(REGISTERED, ADDED, VERIFIED).when(removing("shop.example")) == [DomainRemoved("shop.example")]
    removed = (REGISTERED, ADDED, VERIFIED, DomainRemoved("shop.example"))
    assert given(*removed).when(removing("shop.example")) == []
    assert given(*removed).when(removing("no host name")) == []
    with pytest.raises(DomainUnproven):
        given(*removed, DomainAdded("shop.example", "p2", LATER)).when(verifying("shop.example", evidence("p1")))


def test_an_app_has_a_bounded_number_of_domains() -> None:
    many = given(REGISTERED, *(DomainAdded(f"{n}.example", "p1", NOW) for n in range(domains.MOST)))
    with pytest.raises(TooManyDomains, match=f"at most {domains.MOST} domains"):
        many.when(adding("one-more.example"))
    assert many.when(adding("0.example")) == []


@pytest.mark.parametrize("decision", [adding("new.example"), verifying("shop.example", evidence("p1")), removing("shop.example")])
def test_an_archived_app_must_be_restored_first_and_an_erased_one_is_gone(decision: Decision) -> None:
    with pytest.raises(AppIsArchived):
        given(REGISTERED, ADDED, AppArchived()).when(decision)
    with pytest.raises(NotFound):
        given(REGISTERED, ADDED, AppArchived(), AppErased()).when(decision)


def test_domains_outlive_the_archive_and_not_the_owner() -> None:
    kept = given(REGISTERED, ADDED, VERIFIED, AppArchived(), AppRestored(AppStatus.ACTIVE)).app
    assert kept.domains == (Domain("shop.example", "p1", NOW, LATER),)
    assert given(REGISTERED, ADDED, AppArchived(), AppErased()).app.domains == ()


@pytest.mark.parametrize("event", [ADDED, VERIFIED, DomainRemoved("shop.example")])
def test_domains_take_no_unique_name(event: DomainAdded) -> None:
    assert apps.names_touched(App("app_1"), event) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop.example", "shop.example"),
        ("SHOP.Example.", "shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        (wide("SHOP.") + "example", "shop.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("a." * 100 + "example", "a." * 100 + "example"),
    ],
)
def test_a_host_name_has_one_form(text: str, name: str) -> None:
    assert hostname(text) == name
    assert len(challenge(name)) <= 253


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "domain_invalid"),
        (".", "domain_invalid"),
        ("shop..example", "domain_invalid"),
        ("*.shop.example", "domain_invalid"),
        ("my_shop.example", "domain_invalid"),
        ("-shop.example", "domain_invalid"),
        ("shop.example:443", "domain_invalid"),
        ("shop.example/path", "domain_invalid"),
        ("x" * 64 + ".example", "domain_invalid"),
        ("localhost", "domain_one_label"),
        ("127.0.0.1", "domain_is_address"),
        ("127.1", "domain_is_address"),
        ("0x7f.0x1", "domain_is_address"),
        (wide("127.0.0.1"), "domain_is_address"),
        ("[::1]", "domain_is_address"),
        ("2001:db8::1", "domain_is_address"),
        ("a." * 120 + "example", "domain_long"),
        ("bücher." * 17 + "example", "domain_long"),
    ],
)
def test_what_is_no_host_name_says_why(text: str, problem: str) -> None:
    with pytest.raises(WrongField) as wrong:
        hostname(text)
    assert wrong.value.problem == problem


def test_the_sentence_names_the_limit_that_is_kept() -> None:
    assert f"at most {LONGEST} characters" in FIELD_PROBLEMS["domain_long"]


def test_name_servers_are_addresses_with_ports() -> None:
    told = dict.fromkeys(("database_url", "read_database_url", "redis_url", "kafka_bootstrap", "identity_url"), "x")
    settings = Settings.model_validate(
        told | {"master_key": bytes(range(32)), "dns_servers": "127.0.0.1:5353, 9.9.9.9,[2620:fe::fe]:54,::1"}
    )
    assert settings.name_servers == [("127.0.0.1", 5353), ("9.9.9.9", 53), ("2620:fe::fe", 54), ("::1", 53)]
    with pytest.raises(ValueError, match="must be addresses"):
        Settings.model_validate(told | {"master_key": bytes(range(32)), "dns_servers": "dns.example"})
