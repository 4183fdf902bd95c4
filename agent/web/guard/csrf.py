"""That a form was sent from a page of ours: a token that only our pages hold, and the origin.

The token follows from the cookie's secret by a hash, so nothing has to be kept for it.
"""

import hashlib
import secrets


def token_for(secret: str) -> str:
    return hashlib.sha256(f"csrf:{secret}".encode("utf-8", "replace")).hexdigest()


def fits(token: str, secret: str) -> bool:
    given = token.encode("utf-8", "replace")
    return bool(secret) and secrets.compare_digest(given, token_for(secret).encode())


def same_origin(origin: str | None, host: str) -> bool:
    """Does the browser say that another site asks? Programs without a browser say nothing.

    Only host and port are compared: before us there may be somebody who speaks TLS.
    """
    if origin is None:
        return True
    # An origin is written `scheme://host:port` and nothing more (RFC 6454, 6.2).
    return origin.partition("://")[2].lower() == host.lower() != ""
