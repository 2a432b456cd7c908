#!/usr/bin/env python3
"""Opens the checkpoints of runs in PyTorch, strictly, and compares its features and logits with gnc's.

    python3 tests/parity/open_checkpoint.py --gnc build/bin/gnc RUN_DIR...

Needs PyTorch, NumPy and safetensors. A run of sweep or train of a family below, whatever its data, width and
classifier. `gnc eval` writes what the network is given for the test pictures, and what it makes of it. To use a
checkpoint elsewhere it takes no more than

    state = {k: v for k, v in load_file(path).items() if not k.startswith("optimizer.")}
    model.load_state_dict(state, strict=True)

with a model whose layers have the names of torchvision (of narrow ResNets: of the usual code for CIFAR). Where the run
has a learned classifier, no projection, width 1 and three channels, and torchvision has the model, that is done, too."""

import argparse
import pathlib
import subprocess
import tempfile
import tomllib

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from torch_models import DenseNet, Mlp, ResNet, Vgg, flat_average, narrow


def resnet(blocks, stem=64, **options):
    return lambda width, pixels: ResNet([narrow(stem << i, width) for i in range(len(blocks))], blocks, **options)


def densenet(growth, layers, stem, **options):
    return lambda width, pixels: DenseNet(narrow(growth, width), layers, narrow(stem, width), **options)


def vgg(depth, has_norm, has_head):
    return lambda width, pixels: Vgg(width, has_norm, narrow(4096, width) if has_head else None, depth)


# name: (width, values of a picture) -> backbone
FAMILIES = {
    "mlp": lambda width, pixels: Mlp(pixels, narrow(512, width)),
    **{f"vgg{depth}{'_bn' * has_norm}{'_head' * has_head}": vgg(depth, has_norm, has_head)
       for depth in (11, 13, 16, 19) for has_norm in (False, True) for has_head in (False, True)},
    "resnet18": resnet((2, 2, 2, 2)),
    "resnet18_imagenet": resnet((2, 2, 2, 2), imagenet_stem=True),
    "resnet34": resnet((3, 4, 6, 3)),
    "resnet34_imagenet": resnet((3, 4, 6, 3), imagenet_stem=True),
    "resnet50": resnet((3, 4, 6, 3), bottleneck=True),
    "resnet50_imagenet": resnet((3, 4, 6, 3), bottleneck=True, imagenet_stem=True),
    "resnet20": resnet((3, 3, 3), 16, option_a=True),
    "resnet32": resnet((5, 5, 5), 16, option_a=True),
    "resnet56": resnet((9, 9, 9), 16, option_a=True),
    "densenet_cifar": densenet(12, (6, 12, 24, 16), 24),
    "densenet121": densenet(32, (6, 12, 24, 16), 64),
    "densenet_bc_100_12": densenet(12, (16, 16, 16), 24),
    "densenet_bc_150_12": densenet(12, (24, 24, 24), 24),
    "densenet_bc_190_40": densenet(40, (31, 31, 31), 80),
    "densenet_40_12": densenet(12, (12, 12, 12), 24, bottleneck=False, compression=1),
}


# name: torchvision's
UNMODIFIED = {"resnet18_imagenet": "resnet18", "resnet34_imagenet": "resnet34", "resnet50_imagenet": "resnet50"}


def classifier_name(model, state):
    """Of the layer behind the backbone: torchvision's fc, the narrow ResNets' linear, the next of a Sequential's."""
    if model.startswith("resnet"):
        return "linear" if model in ("resnet20", "resnet32", "resnet56") else "fc"
    if not model.endswith("_head"):
        return "classifier"
    return max((name.removesuffix(".weight") for name in state if name.startswith("classifier.")
                and state[name].dim() == 2), key=lambda name: int(name.split(".")[1]))


class Classified(nn.Module):
    """A backbone under its own names, "projection" where there is one, and the classifier."""

    def __init__(self, backbone, feature_dims, num_classes, has_bias, temperature, classifier):
        super().__init__()
        self.backbone = (backbone,)  # in a tuple, so that its name is none of the names
        self.temperature = temperature
        for name, child in backbone.named_children():
            self.add_module(name, child)
        if len(feature_dims) == 2:
            self.projection = nn.Linear(*feature_dims)
        last = nn.Linear(feature_dims[-1], num_classes, bias=has_bias)
        self.last = (last,)
        if "." in classifier:  # of a head, which is the backbone's own Sequential
            self.head = (nn.Sequential(*self.classifier),)
            self.classifier.append(last)
        else:
            setattr(self, classifier, last)

    def forward(self, x):
        backbone = self.backbone[0]
        z = flat_average(self.features(x)) if isinstance(backbone, Vgg) else backbone(x)
        if hasattr(self, "head"):
            z = self.head[0](z)
        if hasattr(self, "projection"):
            z = self.projection(z)
        if self.temperature:
            z = functional.normalize(z) / self.temperature
        return z, self.last[0](z)


def built_for(config, state, pixels):
    """The architecture of config.toml; what the data decide is read off the shapes."""
    backbone = FAMILIES[config["model"]](config["width"], pixels)
    first = next((module for module in backbone.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None:  # for pictures of as many channels as these have
        channels = next(value.shape[1] for value in state.values() if value.dim() == 4)
        first.weight = nn.Parameter(torch.empty(first.weight.shape[0], channels, *first.weight.shape[2:]))
        first.in_channels = channels
    classifier = classifier_name(config["model"], state)
    num_classes, feature_dim = state[f"{classifier}.weight"].shape
    projection = state.get("projection.weight")
    dims = [feature_dim] if projection is None else [projection.shape[1], feature_dim]
    temperature = float(config.get("temperature", 1)) if config.get("normalize-features") else None
    return Classified(backbone, dims, num_classes, f"{classifier}.bias" in state, temperature,
                      classifier), first


def unmodified(config, state, images, logits):
    """Loads torchvision's own model, where the run is of one."""
    is_one = config["model"] in UNMODIFIED and config["width"] == 1 and "fc.bias" in state
    if not is_one or "projection.weight" in state or images.shape[1] != 3:
        return
    import torchvision
    model = getattr(torchvision.models, UNMODIFIED[config["model"]])(num_classes=logits.shape[1])
    model.load_state_dict(state, strict=True)
    model.eval()
    with torch.no_grad():
        difference = (model(images) - logits).abs().max().item()
    if not difference <= 1e-4 * logits.abs().max().item():
        raise SystemExit(f"{config['model']}: torchvision's logits differ by up to {difference}")
    print(f"torchvision's {UNMODIFIED[config['model']]} loads it: logits differ by up to {difference:.2e}")


def compared(gnc, run):
    config = tomllib.loads((run / "config.toml").read_text())
    file = load_file(run / "checkpoint.safetensors")
    state = {name: value for name, value in file.items() if not name.startswith("optimizer.")}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: f"{folder}/{name}.npy" for name in ("inputs", "features", "logits")}
        flags = [word for name, path in files.items() for word in (f"--{name}", path)]
        subprocess.run([gnc, "eval", run, *flags], check=True, stdout=subprocess.DEVNULL)
        inputs, features, logits = (torch.from_numpy(numpy.load(path)) for path in files.values())
    model, first = built_for(config, state, inputs.shape[1])
    model.load_state_dict(state, strict=True)
    images = inputs.float()
    if first is not None:
        extent = round((inputs.shape[1] / first.in_channels) ** 0.5)
        images = images.reshape(len(inputs), first.in_channels, extent, extent)
    model.eval()
    with torch.no_grad():
        z, y = model(images)
    unmodified(config, state, images, logits)
    difference = [(ours - theirs).abs().max().item() for ours, theirs in ((features, z), (logits, y))]
    # Single precision on both sides: an error of u√layers of each would be 1e-6 of the largest, and batch norm over few
    # pictures magnifies it; a wrong layer shows as one of order 1. Measured of all models: 2.4e-6 at most. A comparison
    # with NaN is false.
    largest = [ours.abs().max().item() for ours in (features, logits)]
    if not all(value <= 1e-4 * most for value, most in zip(difference, largest)):
        raise SystemExit(f"{run}: features and logits differ by up to {difference}")
    optimizer = sum(name.startswith("optimizer.") for name in file)
    steps = {value.item() for name, value in state.items() if name.endswith("num_batches_tracked")}
    return [config["model"], config["width"], len(state), optimizer, next(iter(steps), "-"), len(inputs),
            f"{largest[1]:.3g}", *(f"{value:.2e}" for value in difference)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gnc", default="build/bin/gnc", help="the program")
    arguments.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN_DIR")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    rows = [["model", "width", "tensors", "left out", "steps", "pictures", "max |logit|", "features differ",
             "logits differ"]]
    for run in options.runs:
        rows.append([str(cell) for cell in compared(options.gnc, run)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
