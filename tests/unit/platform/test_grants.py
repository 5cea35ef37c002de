"""What a credential may do, and where: nothing that was not granted."""

from itertools import product

import pytest

from schemas.vocabulary import Role
from services.platform.grants import Grant, Grants, WrongGrant, read_grant
from services.platform.identity import Principal, principal_of_key

BOUND = (Role.REQUESTER, Role.APPROVER, Role.EXECUTOR, Role.RULE_ADMIN, Role.ADMIN, Role.DELEGATE)
ACTING = (Role.REQUESTER, Role.APPROVER, Role.EXECUTOR, Role.RULE_ADMIN)
# Each role, and which of the roles it gives.
GIVES: dict[Role, set[Role]] = {
    Role.VIEWER: {Role.VIEWER},
    Role.REQUESTER: {Role.VIEWER, Role.REQUESTER},
    Role.APPROVER: {Role.VIEWER, Role.APPROVER},
    Role.EXECUTOR: {Role.VIEWER, Role.EXECUTOR},
    Role.RULE_ADMIN: {Role.VIEWER, Role.RULE_ADMIN},
    Role.PUBLISHER: {Role.PUBLISHER},
    Role.DELEGATE: {Role.VIEWER, Role.REQUESTER, Role.EXECUTOR, Role.DELEGATE},
    Role.ADMIN: set(Role) - {Role.DELEGATE, Role.OPERATOR},
    Role.OPERATOR: {Role.OPERATOR, Role.VIEWER},
}


@pytest.mark.parametrize(("granted", "asked"), list(product(Role, Role)))
def test_a_role_gives_exactly_what_it_is_said_to_give(granted: Role, asked: Role) -> None:
    grants = Grants.of(granted)

    assert grants.may(asked) is (asked in GIVES[granted])
    assert grants.may(asked, "production") is (asked in GIVES[granted])
    assert grants.may_somewhere(asked) is (asked in GIVES[granted])


@pytest.mark.parametrize(("granted", "asked"), list(product(BOUND, Role)))
def test_a_role_of_one_environment_gives_nothing_in_another_and_nothing_everywhere(granted: Role, asked: Role) -> None:
    grants = Grants.of(Grant(granted, "staging"))

    given = asked in GIVES[granted]
    assert grants.may(asked, "staging") is given
    assert grants.may_somewhere(asked) is given
    assert grants.may(asked, "production") is (given and asked is Role.VIEWER)
    assert grants.may(asked) is (given and asked is Role.VIEWER)


@pytest.mark.parametrize("asked", Role)
def test_no_grants_give_nothing(asked: Role) -> None:
    grants = Grants()

    assert not grants.may(asked)
    assert not grants.may(asked, "development")
    assert not grants.may_somewhere(asked)


def test_a_grant_reads_as_it_is_written() -> None:
    texts = ["admin", "approver:production", "executor:staging-2", "viewer"]

    assert Grants.read(texts).texts() == texts


@pytest.mark.parametrize(
    "text",
    ["", "root", "Approver", "approver:", "approver:Production", "approver:productіon", "approver@production",
     "approver:a:b", "approver:production\n", "viewer:production", "publisher:staging", "approver:" + "a" * 64],
)  # fmt: skip
def test_what_is_not_a_grant_is_refused(text: str) -> None:
    with pytest.raises(WrongGrant):
        read_grant(text)


def test_a_stored_role_that_nobody_knows_any_more_grants_nothing() -> None:
    assert Grants.known(["superuser", "approver:", "viewer"]) == Grants.of(Role.VIEWER)


def test_a_delegate_votes_only_for_the_person_that_it_names() -> None:
    delegate = Principal("acme", "facade", Grants.of(Role.DELEGATE, Role.PUBLISHER), "k1")

    for_alice = delegate.on_behalf_of("alice")

    assert not delegate.may(Role.APPROVER)
    assert for_alice.may(Role.APPROVER)
    assert for_alice.may(Role.REQUESTER)
    assert not for_alice.may_somewhere(Role.PUBLISHER, Role.DELEGATE, Role.ADMIN, Role.RULE_ADMIN)
    assert (for_alice.subject, for_alice.via, for_alice.key_id) == ("alice", "facade", "k1")


def test_a_delegate_of_one_environment_gives_those_that_it_names_no_more_than_that_one() -> None:
    delegate = Principal("acme", "facade", Grants.of(Grant(Role.DELEGATE, "staging")), "k1")

    for_alice = delegate.on_behalf_of("alice")

    assert for_alice.may(Role.APPROVER, environment="staging")
    assert not for_alice.may(Role.APPROVER, environment="production")
    assert not for_alice.may(Role.APPROVER)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.DELEGATE])
def test_who_is_no_delegate_may_do_nothing_for_somebody_else(role: Role) -> None:
    other = Principal("acme", "eve", Grants.of(role), "k1").on_behalf_of("alice")

    assert not other.may_somewhere(*Role)


def test_a_key_acts_as_its_owner_and_says_through_whom() -> None:
    key = principal_of_key("k7", organization_id="acme", subject="ci-bot", owner="alice", roles=["approver"])

    assert (key.subject, key.via) == ("alice", "ci-bot")
    assert key.on_behalf_of("bob").via == "ci-bot"


def test_a_key_of_nobody_acts_as_itself() -> None:
    key = principal_of_key("k7", organization_id="acme", subject="ci-bot", owner=None, roles=["approver:staging"])

    assert (key.subject, key.via) == ("ci-bot", None)


def test_a_person_s_own_key_goes_through_nobody() -> None:
    key = principal_of_key("k7", organization_id="acme", subject="Alice", owner="alice", roles=["viewer"])

    assert (key.subject, key.via) == ("alice", None)
