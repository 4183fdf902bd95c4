"""What the settings of every tariff source have; each source's own are in its file."""

from datetime import date

from agent.config.base import Section


class TariffSection(Section):
    """`source` names the source of the prices."""

    source: str

    @property
    def address(self) -> str:
        """Where the prices come from, in words for people."""
        return self.source

    @property
    def contract_since(self) -> date | None:
        """The first local day of the contract, where the owner gave it."""
        return None

    @property
    def names_export(self) -> bool:
        """Does the config itself say that there are prices for what is fed in?"""
        return False
