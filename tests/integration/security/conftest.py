"""The real door over a real database, as the ingress' own tests have it."""

from tests.integration.ingress.conftest import door, settings

__all__ = ["door", "settings"]
