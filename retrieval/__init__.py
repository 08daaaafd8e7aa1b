"""Written knowledge: search over the shop's policy and its catalogue."""
