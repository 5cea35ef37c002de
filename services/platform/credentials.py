"""What callers present: an API key or, where an issuer is configured, one of its bearer tokens."""

import time
from dataclasses import dataclass

from services.platform.clock import Clock
from services.platform.identity import KEY_PREFIX, KeyRing, Principal
from services.platform.jwks import KeySet, TokenVerifier, fetch_from
from services.platform.settings import Settings
from services.platform.tokens import TokenRules, WrongToken

MAX_CREDENTIAL_CHARACTERS = 8192


class Unauthenticated(Exception):
    """The credential stands for nobody; the message says why and does not repeat it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Says for whom a credential stands."""

    keys: KeyRing
    tokens: TokenVerifier | None = None

    async def verify(self, credential: str) -> Principal:
        """Give the principal; raises Unauthenticated, or KeysUnavailable and DatabaseUnavailable as trouble."""
        if len(credential) > MAX_CREDENTIAL_CHARACTERS:
            raise Unauthenticated(f"the credential is longer than {MAX_CREDENTIAL_CHARACTERS} characters")
        if self.tokens is None or credential.startswith(f"{KEY_PREFIX}_"):
            principal = await self.keys.verify(credential)
            if principal is None:
                raise Unauthenticated("the API key is unknown, expired or revoked")
            return principal
        try:
            return await self.tokens.verify(credential)
        except WrongToken as error:
            raise Unauthenticated(f"the token is not accepted: {error}") from None


def credentials_of(settings: Settings, keys: KeyRing, clock: Clock) -> Credentials:
    """Give what ``settings`` let callers present."""
    if settings.oidc_issuer is None or settings.oidc_audience is None or settings.oidc_jwks_url is None:
        return Credentials(keys)
    rules = TokenRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        organization_claim=settings.oidc_organization_claim,
        subject_claim=settings.oidc_subject_claim,
        roles_claim=settings.oidc_roles_claim,
    )
    return Credentials(
        keys, TokenVerifier(rules, KeySet(fetch_from(settings.oidc_jwks_url), elapsed=time.monotonic), clock)
    )
