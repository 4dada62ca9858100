"""Initial weights as in the authors' public code (pycls).

What was read there (``models/blocks.py``, ``core/config.py``, the configuration files):

- conv weights: normal, standard deviation sqrt(2 / (k k out_channels)). Groups do not enter, so
  a depthwise conv starts smaller than under a rule that divides by them (timm's, for one);
- conv biases (squeeze-excite alone has any) are not touched: PyTorch's default, uniform in
  +-1/sqrt(fan_in);
- batch norm: scale 1, shift 0; classifier: normal, standard deviation 0.01, bias 0;
- an option sets the last batch norm's scale of every ResNet and RegNet block to 0 (never an
  MBConv's). Its default is off, and the baseline configurations (EfficientNet, ResNet, ResNeXt,
  RegNet) leave it off; only older step-schedule ResNet configurations turn it on.
"""

from __future__ import annotations

import math

from torch import nn


def init_weights(module: nn.Module) -> None:
    """Give one layer its initial values; made for ``model.apply``. Works on meta tensors."""
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
