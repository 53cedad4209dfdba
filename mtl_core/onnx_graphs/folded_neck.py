"""The neck with all that is constant after training folded into its convolutions."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtl_core.model.neck import DynamicFeatureFusion


class FoldedFusion(nn.Module):
    """What a DynamicFeatureFusion computes in eval mode, with fewer passes over its largest map.

    Fusion weights and batch norm become part of the laterals, and coarse levels are summed before
    they are enlarged: nearest neighbours of nearest neighbours are the same cells.

    Args:
        neck: trained; it is not changed.
        levels: pyramid level of each of its inputs, finest first; level l has stride 2**l pixels.
    """

    def __init__(self, neck: DynamicFeatureFusion, levels: tuple[int, ...]) -> None:
        super().__init__()
        norm, mean, variance = neck.norm, neck.norm.running_mean, neck.norm.running_var
        assert mean is not None and variance is not None
        scale = norm.weight / torch.sqrt(variance + norm.eps)
        self.laterals = nn.ModuleList()
        for i, (lateral, share) in enumerate(
            zip(neck.laterals, neck.fusion.softmax(0), strict=True)
        ):
            assert isinstance(lateral, nn.Conv2d)
            folded = nn.Conv2d(lateral.in_channels, lateral.out_channels, 1, bias=i == 0)
            with torch.no_grad():
                folded.weight.copy_(lateral.weight * share * scale[:, None, None, None])
                if folded.bias is not None:
                    folded.bias.copy_(norm.bias - mean * scale)
            self.laterals.append(folded)
        self.enlarge = [2.0 ** (b - a) for a, b in pairwise(levels)]

    def forward(self, levels: list[Tensor]) -> Tensor:
        """As DynamicFeatureFusion.forward."""
        fused = self.laterals[-1](levels[-1])
        for i in range(len(levels) - 2, -1, -1):
            enlarged = F.interpolate(fused, scale_factor=self.enlarge[i], mode="nearest")
            fused = self.laterals[i](levels[i]) + enlarged
        return fused
