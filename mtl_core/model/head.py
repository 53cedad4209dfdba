"""The head: three layers, one branch, all outputs at once.

Slices of the third layer's output, in the order in which the tasks are listed:

| task | channels        | meaning                                                            |
|------|-----------------|--------------------------------------------------------------------|
| seg  | C_seg           | class logits per cell, background first                            |
| det  | 4 + 1 + C_det   | log distances left, top, right, bottom; objectness; class logits   |
| cls  | C_cls           | class logits per cell, averaged over the image                    |
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtl_core.config import ModelConfig


def spatial_layer(config: ModelConfig, in_channels: int, dilation: int) -> nn.Sequential:
    """One shared layer: a spatial convolution to ``head_channels``, batch norm, SiLU."""
    out = config.head_channels
    if config.head_kind == "dense":
        convolution: list[nn.Module] = [
            nn.Conv2d(in_channels, out, 3, padding=dilation, dilation=dilation, bias=False)
        ]
    else:
        convolution = [
            nn.Conv2d(
                in_channels,
                in_channels,
                5,
                padding=2 * dilation,
                dilation=dilation,
                groups=in_channels,
                bias=False,
            ),
            nn.Conv2d(in_channels, out, 1, bias=False),
        ]
    return nn.Sequential(*convolution, nn.BatchNorm2d(out), nn.SiLU(inplace=True))


class TaskAwarenessLayer(nn.Module):
    """Each task's own gain per shared channel, from a task embedding and channel attention.

    The squeeze of J. Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, shifted by a learned
    embedding per task before its nonlinearity.

    Args:
        channels: shared channels C.
        task_ids: one embedding each.
    """

    def __init__(self, channels: int, task_ids: list[str]) -> None:
        super().__init__()
        hidden = channels // 4
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        self.embeddings = nn.ParameterDict(
            {task: nn.Parameter(torch.randn(hidden) * 0.5) for task in task_ids}
        )

    def forward(self, pooled: Tensor) -> dict[str, Tensor]:
        """N x C means of the shared map -> gains N x C in (0, 2) per task."""
        squeezed = self.squeeze(pooled)
        return {
            task: 2 * torch.sigmoid(self.excite(torch.relu(squeezed + embedding)))
            for task, embedding in self.embeddings.items()
        }


class UnifiedOutputLayer(nn.Module):
    """One 1 x 1 convolution whose channel slices belong to the tasks.

    A task's gains scale its slice's weights per image (as in the modulated convolution of
    T. Karras et al., "StyleGAN2", CVPR 2020, eq. 1), which equals scaling the shared map once per
    task, but reads that map only once.

    Args:
        channels: shared channels C.
        slices: output channels per task, in order.
    """

    def __init__(self, channels: int, slices: dict[str, int]) -> None:
        super().__init__()
        self.slices = dict(slices)
        self.weights = nn.ParameterDict(
            {t: nn.Parameter(torch.randn(n, channels) * 0.01) for t, n in slices.items()}
        )
        self.biases = nn.ParameterDict({t: nn.Parameter(torch.zeros(n)) for t, n in slices.items()})

    def forward(self, shared: Tensor, gains: dict[str, Tensor]) -> dict[str, Tensor]:
        """N x C x H x W and gains N x C per task -> N x slice x H x W per task."""
        n, _, h, w = shared.shape
        weight = torch.cat(
            [self.weights[t].unsqueeze(0) * gains[t].unsqueeze(1) for t in self.slices], dim=1
        )
        bias = torch.cat([self.biases[t] for t in self.slices])
        out = torch.matmul(weight, shared.flatten(2)) + bias.view(1, -1, 1)
        parts = torch.split(out.view(n, -1, h, w), list(self.slices.values()), dim=1)
        return dict(zip(self.slices, parts, strict=True))


class TaskAdaptiveProcessor(nn.Module):
    """Two shared layers and the output layer.

    Args:
        config: kind, width and dilations of the shared layers.
        slices: output channels per task, in order.
    """

    def __init__(self, config: ModelConfig, slices: dict[str, int]) -> None:
        super().__init__()
        first, second = config.head_dilations
        self.layer1 = spatial_layer(config, config.neck_channels, first)
        self.layer2 = spatial_layer(config, config.head_channels, second)
        self.awareness = TaskAwarenessLayer(config.head_channels, list(slices))
        self.output = UnifiedOutputLayer(config.head_channels, slices)

    def forward(self, fused: Tensor) -> dict[str, Tensor]:
        """The neck's map N x C x H x W -> raw slices N x channels x H x W per task."""
        shared = self.layer2(self.layer1(fused))
        slices: dict[str, Tensor] = self.output(shared, self.awareness(shared.mean((2, 3))))
        return slices
