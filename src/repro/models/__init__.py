"""From a description to a ``torch.nn.Module``, out of timm's layers.

Importing this package makes timm know the zoo: ``timm.create_model("repro_en_x_gpu_b4")``.
"""

from repro.models.block import Block
from repro.models.builder import build
from repro.models.init import init_weights
from repro.models.model import Model
from repro.models.registry import TimmModel
