"""The home-energy edge agent: rates come in, a plan is made, setpoints go out."""

__version__ = "0.1.0"
