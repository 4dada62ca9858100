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

from repro.arch import Rules


def init_weights(module: nn.Module, rules: Rules = "pycls") -> None:
    """Give one layer its initial values; made for ``model.apply``. Works on meta tensors.

    With the rules of "tensorflow" (the second paper's builder) a conv's fan-out is divided by its
    groups, biases start at 0, and the classifier is uniform in +-1/sqrt(number of classes).
    """
    tensorflow = rules == "tensorflow"
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels
        if tensorflow:
            fan_out //= module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif isinstance(module, nn.Linear):
        if tensorflow:
            bound = 1 / math.sqrt(module.out_features)
            nn.init.uniform_(module.weight, -bound, bound)
        else:
            nn.init.normal_(module.weight, std=0.01)
    with_bias = isinstance(module, nn.Linear) or (tensorflow and isinstance(module, nn.Conv2d))
    if with_bias and isinstance(module.bias, nn.Parameter):
        nn.init.zeros_(module.bias)
