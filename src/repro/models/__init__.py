"""From a description to a ``torch.nn.Module``, out of timm's layers."""

from repro.models.block import Block
from repro.models.builder import build
from repro.models.init import init_weights
from repro.models.model import Model
