"""What callers present: an API key or, where an issuer is configured, one of its bearer tokens."""

import time
from dataclasses import dataclass

from services.platform.clock import Clock
from services.platform.identity import KEY_PREFIX, KeyRing, Principal
from services.platform.jwks import KeySet, TokenVerifier, fetch_from
from services.platform.settings import Settings
from services.platform.sign_in import DISCOVERY, Client, SignIn, post_form
from services.platform.tokens import TokenRules, WrongToken

MAX_CREDENTIAL_CHARACTERS = 8192
# Where the issuer sends people back to, below the console's address.
CALLBACK = "/sign-in/callback"


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
    audience = settings.oidc_audience
    return Credentials(keys, None if audience is None else _verifier(settings, audience, clock))


def sign_in_of(settings: Settings, clock: Clock) -> SignIn | None:
    """Give how people sign in at the issuer, None where ``settings`` name no client for that."""
    issuer, client_id, console_url = settings.oidc_issuer, settings.oidc_client_id, settings.console_url
    if issuer is None or client_id is None or console_url is None:
        return None
    secret = settings.oidc_client_secret
    client = Client(
        id=client_id,
        secret=None if secret is None else secret.get_secret_value(),
        redirect_uri=console_url.rstrip("/") + CALLBACK,
        scope=settings.oidc_scope,
    )
    return SignIn(
        issuer,
        client,
        # An ID token is meant for the client, a bearer token for the API.
        verifier=_verifier(settings, client_id, clock),
        fetch=fetch_from(issuer.rstrip("/") + DISCOVERY),
        post=post_form,
        elapsed=time.monotonic,
    )


def _verifier(settings: Settings, audience: str, clock: Clock) -> TokenVerifier:
    assert settings.oidc_issuer is not None
    assert settings.oidc_jwks_url is not None
    rules = TokenRules(
        issuer=settings.oidc_issuer,
        audience=audience,
        organization_claim=settings.oidc_organization_claim,
        subject_claim=settings.oidc_subject_claim,
        roles_claim=settings.oidc_roles_claim,
    )
    return TokenVerifier(rules, KeySet(fetch_from(settings.oidc_jwks_url), elapsed=time.monotonic), clock)
