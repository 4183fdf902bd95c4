"""The port of the local pages: its certificate, its address, and why it cannot be opened."""

import ssl

from agent.energy.text import clean_text
from agent.web.settings import WebSection


def load_certificate(context: ssl.SSLContext, section: WebSection) -> None:
    """Raises OSError. What connects from now on is given the new certificate."""
    assert section.certificate_file is not None
    # A key with a passphrase is refused: else OpenSSL would ask for it on the terminal.
    context.load_cert_chain(section.certificate_file, section.key_file, password="")


def tls_context(section: WebSection) -> ssl.SSLContext | None:
    """Raises OSError (ssl's errors are some) where a file is missing or no certificate."""
    if section.certificate_file is None or section.key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, section)
    return context


def explained(error: OSError | UnicodeError, section: WebSection) -> tuple[str, str]:
    """Why the pages are not there, and who acts.

    ssl's errors are OSErrors; UnicodeError is what a name raises that DNS cannot hold.
    """
    strerror = error.strerror if isinstance(error, OSError) else None
    text = clean_text(strerror or str(error))
    if isinstance(error, ssl.SSLError):
        return f"the certificate cannot be used: {text}", "owner: mend web.certificate_file"
    if isinstance(error, FileNotFoundError | PermissionError) and section.certificate_file:
        return f"{section.certificate_file} or its key: {text}", "owner: mend web.certificate_file"
    where = f"port {section.port}" + (f" of {section.host}" if section.host else "")
    return f"{where} cannot be opened: {text}", "owner: free it, or give another web.port"


def address(section: WebSection) -> str:
    scheme = "https" if section.certificate_file else "http"
    host = section.names[0] if section.names else section.host or "<this machine>"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{section.port}"
