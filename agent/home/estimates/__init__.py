"""What the house is expected to draw and its roof to give, from what was measured. Pure."""
