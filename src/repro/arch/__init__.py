"""Network descriptions, the zoo of named ones, and scaling. Pure Python: no torch, no numpy."""

from repro.arch.efficientnet_x import XStage
from repro.arch.network import (
    Block,
    BlockStage,
    MBStage,
    Network,
    ResStage,
    Rules,
    blocks,
    to_config,
)
from repro.arch.pieces import BlockChoice
from repro.arch.scaling import scale
from repro.arch.strategy import PAPER, Strategy, alpha_strategy, parse_strategy
from repro.arch.zoo import NAMES, get
