"""The energy supplier's side of FlatPeak Connect. Runs at a supplier, never on a gateway."""
