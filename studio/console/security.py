"""What every answer of the console carries for the browser, and which requests may change anything."""

from collections.abc import Mapping

# No inline code or style anywhere, nothing from elsewhere, no frame around it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # With no-referrer a browser would hide the origin of our own forms as well.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SAFE_METHODS = frozenset({"GET", "HEAD"})


def from_own_page(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser says that a page of this very origin made the request.

    A request that says nothing of where it comes from is nobody's own; programs use the API.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    host = headers.get("host", "").lower()
    return host != "" and origin.lower() in {f"https://{host}", f"http://{host}"}


def local_path(target: str) -> str:
    """Give ``target`` where it is a path of this site, else the way home: nobody is sent elsewhere."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    # Bytes, since it travels in a cookie while somebody is at the identity provider.
    return target if plain and len(target.encode()) <= 2000 and "\\" not in target else "/"
