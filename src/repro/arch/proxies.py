"""Three small bases of a few MFLOPs, for scaling experiments that take minutes.

One per family of the first paper: MBConv blocks, RegNetY blocks, RegNetZ blocks. Three stages
behind a stem of stride 2 suit images of 32 pixels, or 16, with room to scale resolution up. The
last stage has four blocks, so that even the small share of depth in dWr adds one at scale 4.
Made for this project; in no paper.
"""

from __future__ import annotations

from repro.arch import MBStage, Network, ResStage

PROXIES = {
    net.name: net
    for net in (
        Network(
            "proxy-EN",
            (MBStage(1, 16, 1, 3, 1), MBStage(2, 32, 4, 3, 2), MBStage(4, 56, 4, 5, 2)),
            resolution=32,
            stem_width=16,
            head_width=256,
            se_ratio=0.25,
            activation="silu",
        ),
        Network(
            "proxy-Y",
            (ResStage(1, 24, 8, stride=1), ResStage(2, 56, 8), ResStage(4, 104, 8)),
            resolution=32,
            stem_width=24,
            se_ratio=0.25,
        ),
        Network(
            "proxy-Z",
            (
                ResStage(1, 16, 8, 4.0, 1, linear=True),
                ResStage(2, 32, 8, 4.0, 2, linear=True),
                ResStage(4, 48, 8, 4.0, 2, linear=True),
            ),
            resolution=32,
            stem_width=16,
            head_width=256,
            se_ratio=0.25,
            activation="silu",
        ),
    )
}
"""By name."""
