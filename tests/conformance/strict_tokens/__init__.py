"""The strict-token set: tokens as an honest issuer signs them, and every way in which they must not be taken."""
