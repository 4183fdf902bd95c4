"""How HTTP is served to strangers, at a gateway and at a supplier: what comes before any page."""
