"""The port of the local pages: its certificate, its address, and why it cannot be opened."""

import socket
import ssl

from agent.energy.sentences import sentence
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
        why = sentence("the certificate cannot be used: {error}", error=text)
        return why, "owner: mend web.certificate_file"
    if isinstance(error, FileNotFoundError | PermissionError) and section.certificate_file:
        file = str(section.certificate_file)
        why = sentence("{file} or its key: {error}", file=file, error=text)
        return why, "owner: mend web.certificate_file"
    where = sentence("port {port}", port=section.port)
    if section.host:
        where = sentence("port {port} of {host}", port=section.port, host=section.host)
    why = sentence("{where} cannot be opened: {error}", where=where, error=text)
    return why, "owner: free it, or give another web.port"


def own_name() -> str:
    """Under which other machines of the house find this one (multicast DNS)."""
    return f"{socket.gethostname().split('.')[0]}.local"


def address(section: WebSection) -> str:
    scheme = "https" if section.certificate_file else "http"
    host = section.names[0] if section.names else section.host or own_name()
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{section.port}"
