"""What a credential may do: roles, each everywhere in its organization or in one environment alone.

Pure. Nothing is held that was not granted.
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.text import ENVIRONMENT_NAME
from schemas.vocabulary import Role

# What a delegate may do for the person that it names, and what it may do in its own name: never vote.
_FOR_SOMEBODY = frozenset({Role.VIEWER, Role.REQUESTER, Role.APPROVER, Role.EXECUTOR})
_BY_ITSELF = _FOR_SOMEBODY - {Role.APPROVER}
# Whoever acts may look at what he acts on; a publisher only reports.
_IMPLIED: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset(),
    Role.PUBLISHER: frozenset(),
    Role.REQUESTER: frozenset({Role.VIEWER}),
    Role.APPROVER: frozenset({Role.VIEWER}),
    Role.EXECUTOR: frozenset({Role.VIEWER}),
    Role.RULE_ADMIN: frozenset({Role.VIEWER}),
    Role.DELEGATE: _BY_ITSELF,
    Role.OPERATOR: frozenset({Role.VIEWER}),
    # An operator's duties cross organizations, so that no organization's administrator has them.
    Role.ADMIN: frozenset(Role) - {Role.DELEGATE, Role.OPERATOR},
}
# Looking, reporting and operating are not bound to one environment: what is shown and told crosses them.
_EVERYWHERE_ONLY = frozenset({Role.VIEWER, Role.PUBLISHER, Role.OPERATOR})
_SEPARATOR = ":"


class WrongGrant(ValueError):
    """The text is not a grant; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, in one environment or, where ``environment`` is None, in all."""

    role: Role
    environment: str | None = None

    def __str__(self) -> str:
        """Write it as it is stored: ``approver`` or ``approver:production``."""
        return self.role if self.environment is None else f"{self.role}{_SEPARATOR}{self.environment}"


def read_grant(text: str) -> Grant:
    """Read ``approver`` or ``approver:production``; raises WrongGrant."""
    name, separator, environment = text.partition(_SEPARATOR)
    try:
        role = Role(name)
    except ValueError:
        raise WrongGrant(f"{name[:40]!r} is not a role; roles are {', '.join(Role)}") from None
    if not separator:
        return Grant(role)
    if role in _EVERYWHERE_ONLY:
        raise WrongGrant(f"{role} cannot be bound to an environment; grant {role}")
    if not re.fullmatch(ENVIRONMENT_NAME, environment, re.ASCII) or len(environment) > 63:
        raise WrongGrant(f"{environment[:70]!r} is not the name of an environment; write {role}:production")
    return Grant(role, environment)


@dataclass(frozen=True, slots=True)
class Grants:
    """Everything that one credential was granted."""

    held: frozenset[Grant] = frozenset()

    @classmethod
    def of(cls, *grants: Role | Grant) -> "Grants":
        """Give the value that holds ``grants``; a bare role is granted everywhere."""
        return cls(frozenset(Grant(grant) if isinstance(grant, Role) else grant for grant in grants))

    @classmethod
    def read(cls, texts: Iterable[str]) -> "Grants":
        """Read what ``texts`` gives; raises WrongGrant."""
        return cls(frozenset(read_grant(text) for text in texts))

    @classmethod
    def known(cls, texts: Iterable[str]) -> "Grants":
        """Read those of ``texts`` that are grants; the others grant nothing."""
        held = set()
        for text in texts:
            with contextlib.suppress(WrongGrant):
                held.add(read_grant(text))
        return cls(frozenset(held))

    def texts(self) -> list[str]:
        """Write every grant as it is stored, in order."""
        return sorted(str(grant) for grant in self.held)

    def may(self, role: Role, environment: str | None = None) -> bool:
        """Tell whether ``role`` is held in ``environment``; without one, whether it is held in all."""
        return any(_gives(grant, role) and _covers(grant, role, environment) for grant in self.held)

    def may_somewhere(self, role: Role) -> bool:
        """Tell whether ``role`` is held in any environment."""
        return any(_gives(grant, role) for grant in self.held)

    def delegated(self) -> "Grants":
        """Give what a delegate has while it acts for somebody: nothing without the role."""
        environments = [grant.environment for grant in self.held if grant.role is Role.DELEGATE]
        return Grants(frozenset(Grant(role, place) for role in _FOR_SOMEBODY for place in environments))


def _gives(grant: Grant, role: Role) -> bool:
    return grant.role is role or role in _IMPLIED[grant.role]


def _covers(grant: Grant, role: Role, environment: str | None) -> bool:
    return grant.environment is None or role is Role.VIEWER or grant.environment == environment
