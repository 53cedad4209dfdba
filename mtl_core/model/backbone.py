"""The backbone: a timm backbone cut where its frozen part ends.

EfficientNet: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019. Implementation and names: timm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from mtl_core.config import ModelConfig
from mtl_core.types import InputError


class EvenSameConv2d(nn.Conv2d):
    """A strided convolution padded as TensorFlow's SAME is at even input sizes.

    timm computes that padding anew from every input's size. Inputs here are multiples of 32, so
    each strided convolution sees an even size and its padding is a constant, which exports to a
    plain ONNX convolution.
    """

    @classmethod
    def replacing(cls, conv: Any) -> EvenSameConv2d:
        """The same convolution (and the same parameter objects) with constant padding."""
        new = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            0,
            conv.dilation,
            conv.groups,
            bias=conv.bias is not None,
        )
        new.weight, new.bias = conv.weight, conv.bias
        return new

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W, H and W even -> N x C' x H/2 x W/2."""
        total_h, total_w = (k - s for k, s in zip(self.kernel_size, self.stride, strict=True))
        pads = (total_w // 2, total_w - total_w // 2, total_h // 2, total_h - total_h // 2)
        out: Tensor = self._conv_forward(F.pad(x, pads), self.weight, self.bias)
        return out


def fix_same_padding(net: nn.Module) -> None:
    """Replace timm's size-dependent SAME convolutions, in place."""
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2dSame):
                setattr(parent, name, EvenSameConv2d.replacing(child))


def folded(state: dict[str, Tensor], eps: float) -> tuple[Tensor, Tensor]:
    """timm's ``conv_head`` with its batch norm in it: weight C' x C x 1 x 1 and bias C'."""
    weight, gain, bias, mean, var = (
        state[name].float()
        for name in (
            "conv_head.weight",
            "bn2.weight",
            "bn2.bias",
            "bn2.running_mean",
            "bn2.running_var",
        )
    )
    factor = gain / (var + eps).sqrt()
    return weight * factor.view(-1, 1, 1, 1), bias - mean * factor


class Backbone(nn.Module):
    """Feature maps at strides 8, 16 and 32, computed in two halves.

    ``frozen(x)`` is the half that no stage ever changes, so its result may be shared between
    student, teacher and every stage of a run; ``rest(cut)`` is the half that training moves. All
    batch-norm statistics of the backbone stay those of its pretraining, in every mode: moving
    statistics alone can halve an earlier task's score.

    Args:
        config: ``backbone`` names any timm model of the EfficientNet family (stem and ``blocks``);
            other timm models work with ``frozen_blocks=0``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        try:
            net: Any = timm.create_model(
                config.backbone, features_only=True, out_indices=(2, 3, 4), pretrained=False
            )
        except (RuntimeError, IndexError) as error:  # unknown, or of fewer levels
            raise InputError(
                f"model.backbone {config.backbone!r}: expected a name of timm.list_models() with "
                "maps at strides 8, 16 and 32."
            ) from error
        strides = list(net.feature_info.reduction())
        if strides != [8, 16, 32]:
            raise InputError(
                f"model.backbone {config.backbone!r} has its third to fifth maps at strides "
                f"{strides}: expected 8, 16 and 32."
            )
        fix_same_padding(net)
        self.name = config.backbone
        self.channels: list[int] = list(net.feature_info.channels())
        if hasattr(net, "conv_stem") and hasattr(net, "blocks"):
            self.stem: nn.Module = nn.Sequential(net.conv_stem, net.bn1)
            self.blocks = nn.ModuleList(block for stage in net.blocks for block in stage)
            ends = [sum(len(s) for s in net.blocks[: i + 1]) for i in range(len(net.blocks))]
            stages = [int(info["stage"]) for info in net.feature_info.get_dicts()]
            # feature_info counts the stem as stage 0
            self.taps = [ends[stage - 1] for stage in stages]
        elif config.frozen_blocks == 0:
            self.stem, self.blocks, self.taps = nn.Identity(), nn.ModuleList([net]), []
        else:
            raise InputError(
                f"model.backbone {config.backbone!r} has no stem and blocks to freeze: expected "
                "frozen_blocks = 0 or a backbone of the EfficientNet family."
            )
        if config.frozen_blocks > len(self.blocks):
            raise InputError(
                f"model.frozen_blocks is {config.frozen_blocks}, but the backbone has "
                f"{len(self.blocks)} blocks."
            )
        # The backbone's own last convolution (weight, bias), which the maps leave out: a readout
        # may
        # start from it. Known once pretrained weights are loaded, where the backbone has one.
        self.last_convolution: tuple[Tensor, Tensor] | None = None
        self.norm_eps = float(net.bn1.eps) if self.taps else 0.0
        self.freeze_until(config.frozen_blocks)
        self.eval()  # a module begins in training mode, in which one pass would move statistics

    def freeze_until(self, blocks: int | None) -> None:
        """Cut after so many blocks; None freezes the whole backbone, where no stage moves it."""
        self.cut = len(self.blocks) if blocks is None else blocks
        for parameter in self.frozen_parameters():
            parameter.requires_grad_(False)

    def frozen_parameters(self, blocks: int | None = None) -> list[nn.Parameter]:
        """Stem and the first so many blocks, by default all before the cut."""
        blocks = self.cut if blocks is None else blocks
        if blocks == 0:
            return []
        parts = [self.stem, *self.blocks[:blocks]]
        return [p for part in parts for p in part.parameters()]

    def train(self, mode: bool = True) -> Backbone:
        """As nn.Module.train, but batch norm keeps its statistics and drop path stays off."""
        return super().train(False)

    def frozen(self, x: Tensor) -> list[Tensor]:
        """N x 3 x H x W, normalised -> the taps inside the frozen half, then the map at the cut."""
        if self.cut == 0:
            return [x]
        if not self.taps:
            return list(self.blocks[0](x))
        x = self.stem(x)
        kept = []
        for number, block in enumerate(self.blocks[: self.cut], start=1):
            x = block(x)
            if number in self.taps and number < self.cut:
                kept.append(x)
        return [*kept, x]

    def rest(self, cut: list[Tensor]) -> list[Tensor]:
        """What ``frozen`` gave -> maps at strides 8, 16, 32, each N x C x H/stride x W/stride."""
        if not self.taps:
            return cut if self.cut else list(self.blocks[0](cut[0]))
        x = cut[-1] if self.cut else self.stem(cut[0])
        features = list(cut if self.cut in self.taps else cut[:-1])
        for number, block in enumerate(self.blocks[self.cut :], start=self.cut + 1):
            x = block(x)
            if number in self.taps:
                features.append(x)
        return features

    def forward(self, x: Tensor) -> list[Tensor]:
        """N x 3 x H x W -> maps at strides 8, 16, 32."""
        return self.rest(self.frozen(x))

    def load_initial(self, source: Path | None) -> dict[str, str]:
        """Fill the backbone with pretrained weights and return where they came from.

        Args:
            source: a safetensors file with timm's names for this backbone (a classifier in it is
                ignored), or None for timm's own weights from the Hub.

        Raises:
            InputError: the file is unreadable or belongs to another architecture.
        """
        name = self.name
        if source is None:
            try:
                pretrained: Any = timm.create_model(name, pretrained=True)
                state = pretrained.state_dict()
            except Exception as error:  # network, hub and cache errors share no base class
                raise InputError(
                    f"timm could not fetch weights for {name!r}: expected a reachable Hub, or "
                    "--init FILE.safetensors with the backbone's weights."
                ) from error
            provenance = {"source": f"timm pretrained {name}", **self._statistics()}
        else:
            try:
                state = load_file(source)
                with safe_open(source, "pt") as file:
                    provenance = dict(file.metadata() or {})
            except Exception as error:  # safetensors raises its own type, OSError among others
                raise InputError(f"{source}: expected a readable safetensors file.") from error
            statistics = {} if "input_mean" in provenance else self._statistics()
            provenance = {"file": source.name, **statistics, **provenance}
        self.load_state_dict(self._rename(state, source), strict=True)
        if self.taps and "conv_head.weight" in state and "bn2.running_var" in state:
            self.last_convolution = folded(state, self.norm_eps)
        return provenance

    def _statistics(self) -> dict[str, str]:
        """The input statistics that timm names for this backbone's weights, if it knows any."""
        known = timm.get_pretrained_cfg(self.name)
        if known is None:
            return {}
        return {
            f"input_{key}": ",".join(str(v) for v in getattr(known, key)) for key in ("mean", "std")
        }

    def _rename(self, state: dict[str, Tensor], source: Path | None) -> dict[str, Tensor]:
        """timm's flat names -> ours, in which blocks are numbered from the input."""
        renamed: dict[str, Tensor] = {}
        if not self.taps:
            wanted = {k.removeprefix("blocks.0."): k for k in self.state_dict()}
            renamed = {ours: state[k] for k, ours in wanted.items() if k in state}
        else:
            numbers: dict[tuple[int, int], int] = {}
            for key in state:
                if key.startswith("blocks."):
                    stage, block = key.split(".")[1:3]
                    numbers[int(stage), int(block)] = 0
            for flat, pair in enumerate(sorted(numbers)):
                numbers[pair] = flat
            for key, value in state.items():
                if key.startswith("conv_stem."):
                    renamed["stem.0." + key.removeprefix("conv_stem.")] = value
                elif key.startswith("bn1."):
                    renamed["stem.1." + key.removeprefix("bn1.")] = value
                elif key.startswith("blocks."):
                    _, stage, block, rest = key.split(".", 3)
                    renamed[f"blocks.{numbers[int(stage), int(block)]}.{rest}"] = value
        ours = self.state_dict()
        wrong = [k for k in ours if k not in renamed or renamed[k].shape != ours[k].shape]
        wrong = [k for k in wrong if not k.endswith("num_batches_tracked")]
        if wrong:
            raise InputError(
                f"{source}: not weights of this backbone, {wrong[0]} is missing or has "
                "another shape."
            )
        full = {k: renamed.get(k, v).to(v.dtype) for k, v in ours.items()}
        if not all(torch.isfinite(v).all() for v in full.values()):
            raise InputError(f"{source}: expected finite weights.")
        return full
