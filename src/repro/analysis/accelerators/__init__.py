"""Rooflines, blocks and EfficientNet-X."""
