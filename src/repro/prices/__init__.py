"""What devices charge: one law of time for described networks and for timm's."""
