"""What all config models share: frozen, unknown keys refused, and the texts for times."""

from datetime import time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _clock_time(value: object) -> object:
    if isinstance(value, time):
        return value
    if not isinstance(value, str):
        raise ValueError('a clock time in quotes, such as "22:30"')
    try:
        hours, minutes = value.split(":")
        if not (len(hours) == 2 and len(minutes) == 2 and hours.isdigit() and minutes.isdigit()):
            raise ValueError
        return time(int(hours), int(minutes))
    except ValueError:
        raise ValueError('a clock time between "00:00" and "23:59", such as "07:00"') from None


ClockTime = Annotated[
    time, BeforeValidator(_clock_time), PlainSerializer(lambda value: value.strftime("%H:%M"))
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Watts = Annotated[int, Field(ge=0, le=1_000_000)]
Percent = Annotated[float, Field(ge=0, le=100)]
