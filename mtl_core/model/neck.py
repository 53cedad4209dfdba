"""The neck: one FPN layer that fuses the pyramid into one map.

After T.-Y. Lin et al., "Feature Pyramid Networks", CVPR 2017 (laterals and top-down sum), with the
learned normalised fusion weights of M. Tan et al., "EfficientDet", CVPR 2020, section 3.3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DynamicFeatureFusion(nn.Module):
    """1 x 1 laterals, resized to the finest map and summed with learned softmax weights.

    Args:
        in_channels: channels of the levels fused, finest first.
        out_channels: channels of the fused map.
    """

    def __init__(self, in_channels: list[int], out_channels: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Conv2d(c, out_channels, 1, bias=False) for c in in_channels
        )
        self.fusion = nn.Parameter(torch.zeros(len(in_channels)))
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Maps N x C_l x H_l x W_l, finest first -> N x out_channels x H_0 x W_0."""
        weights = self.fusion.softmax(0)
        size = levels[0].shape[-2:]
        fused: Tensor = self.laterals[0](levels[0]) * weights[0]
        for i in range(1, len(levels)):
            lateral = self.laterals[i](levels[i]) * weights[i]
            # Nearest, as in the FPN paper: cheap, and the head's first layer smooths.
            fused = fused + F.interpolate(lateral, size=size, mode="nearest")
        normed: Tensor = self.norm(fused)
        return normed
