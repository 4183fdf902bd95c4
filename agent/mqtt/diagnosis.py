"""Why there is no broker, in words that say who can do something about it."""

from dataclasses import dataclass

from agent.config.mqtt import MqttSection
from agent.mqtt.client import ClosedEarly


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`who_acts` is empty where only waiting helps; `lasting` is what stays until somebody acts;
    `absent` where nobody answers at all, as during each restart of the broker.
    """

    why: str
    who_acts: str = ""
    lasting: bool = False
    absent: bool = False


class TlsFileError(OSError):
    """A file that mqtt.tls names is no use."""


HANGS_UP = Diagnosis(
    "it hangs up before it answers; it may want TLS or a password",
    "owner: check mqtt.port, mqtt.tls.enabled and mqtt.password",
)
HANGS_UP_TLS = Diagnosis(
    "it hangs up; it may not speak TLS on this port, or want a certificate of ours",
    "owner: check mqtt.port, mqtt.tls.certificate_file and mqtt.tls.key_file",
)


# What the libraries say (paho's reason names, OpenSSL's reasons) and what it means to the owner.
KNOWN_FAILURES = (
    (
        ("not authorized", "bad user name or password", "not authorised"),
        "it does not let us in",
        "owner: check mqtt.username and mqtt.password",
    ),
    (
        ("hostname mismatch", "ip address mismatch"),
        "its certificate is for another name than mqtt.host",
        "owner: write the name in the certificate into mqtt.host",
    ),
    (
        ("certificate has expired", "certificate is not yet valid"),
        "its certificate is not valid at this time",
        "owner: renew the broker's certificate or set the clock",
    ),
    (
        ("certificate_verify_failed",),
        "its certificate is not signed by an authority that we know",
        "owner: name the authority's file in mqtt.tls.ca_file",
    ),
    (
        ("certificate required", "certificate_required", "handshake failure", "bad certificate"),
        "it wants a certificate of ours",
        "owner: set mqtt.tls.certificate_file and key_file",
    ),
    (
        ("wrong_version_number", "record layer failure"),
        "it does not speak TLS on this port",
        "owner: check mqtt.port and mqtt.tls.enabled",
    ),
    (("a file of mqtt.tls",), "TLS cannot begin", "owner: check the files named in mqtt.tls"),
)

NETWORK = "owner: check mqtt.host and this machine's network"
ABSENT = (
    (("connection refused",), "owner: start the broker, or check mqtt.host and mqtt.port"),
    (("name or service not known", "no address associated"), "owner: check mqtt.host"),
    (("name resolution", "unreachable", "no route", "timed out", "still hangs"), NETWORK),
)


def diagnose(error: BaseException, settings: MqttSection) -> Diagnosis:
    """The meaning of a failed connect or a lost connection."""
    said = str(error) or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)
    for words, why, who_acts in KNOWN_FAILURES:
        if any(word in said.lower() for word in words):
            return Diagnosis(f"{why} ({said})", who_acts, lasting=True)
    if isinstance(error, ClosedEarly) or (settings.tls.enabled and "reset by peer" in said):
        return HANGS_UP_TLS if settings.tls.enabled else HANGS_UP
    for signs, who_acts in ABSENT:
        if any(sign in said.lower() for sign in signs):
            return Diagnosis(said, who_acts, absent=True)
    return Diagnosis(said)
