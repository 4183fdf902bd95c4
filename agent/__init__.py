"""The home-energy edge agent: rates come in, a plan is made, setpoints go out."""

import os

__version__ = "0.1.0"

# A megabyte less each, on a gateway that has few, and nothing here is slower for it: pydantic looks
# for plugins in every installed package, and the compiled list that aiohttp keeps its signals in
# brings the C++ library with it.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
os.environ.setdefault("FROZENLIST_NO_EXTENSIONS", "1")
