"""The topics on which Home Assistant asks, as the AsyncAPI document describes them.

Only what no template of a control can make into a request as it stands; all other controls say
requests on the topics of the wire contract.
"""

from agent.contracts.catalogue import Text, Topic

ANY = Text("Any payload, such as PRESS.")
INSTEAD_DEVICE = "answered on device/{device}/wish; programs say device/{device}/request instead"
INSTEAD_SITE = "answered on site/wish; programs say site/request instead"

TOPICS = (
    Topic(
        "haAnnounce",
        "ha/hub/announce/set",
        False,
        False,
        "Home Assistant's button: devices that were deleted there are announced again",
        ANY,
    ),
    Topic(
        "haAway",
        "ha/hub/away/set",
        False,
        False,
        f"Home Assistant's control: nobody is at home until then; {INSTEAD_SITE}",
        Text(
            "Local time of the house or an instant with its offset; empty: somebody is at home.",
            examples=("2026-12-24 18:00", "2026-12-24T17:00:00Z", ""),
        ),
    ),
    Topic(
        "haSkip",
        "ha/device/{device}/skip/set",
        False,
        False,
        "Home Assistant's button: nothing until the coming ready_by, what is missing then has "
        f"until the same time the day after; {INSTEAD_DEVICE}",
        ANY,
    ),
    Topic(
        "haTarget",
        "ha/device/{device}/target/set",
        False,
        False,
        "Home Assistant's control: what a battery shall hold by the ready_by that stands, else by "
        f"07:00, kept until it is changed; {INSTEAD_DEVICE}",
        Text("A number of percent.", examples=("80",)),
    ),
)
