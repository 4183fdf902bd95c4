"""The headers of every answer. Nothing is loaded from elsewhere, no script stands in a page.

No HSTS: a gateway's certificate is often its own, and a browser would no longer let its owner in.
"""

from collections.abc import MutableMapping

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def add_headers(headers: MutableMapping[str, str], *, secure: bool) -> None:
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    # Not `no-referrer`: forms would then be sent with the origin `null`.
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if secure:
        # Browsers take it from secure pages only and complain elsewhere.
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    # What was shown to the owner is not shown again by the back button after the log-out.
    headers.setdefault("Cache-Control", "no-store")
    headers["Server"] = "flatpeak-agent"
