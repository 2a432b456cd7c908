#!/usr/bin/env python3
"""A training step (forward, backward, SGD with momentum) of a network: PyTorch on the host beside gnc, same threads.

    python3 apps/bench/peers/train_step.py --gnc-bench build/bin/gnc-bench --model resnet18 --threads 2

Needs PyTorch, which gnc itself never does. Both train a linear layer to 6 features and a frozen classifier of 10 classes
behind the backbone, in fp32, on 32x32 pictures. PyTorch goes with its default layout and with channels_last; the faster
one counts. Each round times PyTorch and then gnc, so that a machine that slows down slows both; the smallest time of all
rounds counts. The last line is the ratio. With one --layout, PyTorch's peak resident memory is that layout's."""

import argparse
import json
import resource
import subprocess
import tempfile
import time

import torch
from torch import nn

CLASSES, FEATURES = 10, 6
LAYOUTS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18():
    layers, inputs = [conv(3, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
    for stage, outputs in enumerate((64, 128, 256, 512)):
        layers += [BasicBlock(inputs, outputs, 2 if stage else 1), BasicBlock(outputs, outputs, 1)]
        inputs = outputs
    return layers, inputs


class DenseLayer(nn.Sequential):
    def __init__(self, inputs, growth):
        super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv(inputs, 4 * growth, 1),
                         nn.BatchNorm2d(4 * growth), nn.ReLU(inplace=True), conv(4 * growth, growth))

    def forward(self, x):
        return torch.cat((x, super().forward(x)), 1)


def densenet_bc(depth=100, growth=12):
    channels = 2 * growth
    layers = [conv(3, channels)]
    for block in range(3):
        for _ in range((depth - 4) // 6):
            layers.append(DenseLayer(channels, growth))
            channels += growth
        layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        if block < 2:
            layers += [conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
    return layers, channels


# gnc's name of the model: what builds it here.
MODELS = {"resnet18": resnet18, "densenet_bc_100_12": densenet_bc}


class Network(nn.Module):
    def __init__(self, layers, channels):
        super().__init__()
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, FEATURES))
        self.register_buffer("frame", torch.randn(CLASSES, FEATURES))

    def forward(self, x):
        return self.features(x) @ self.frame.T


class Trainer:
    """One network in one layout, with a batch to train on."""

    def __init__(self, model, batch_size, layout):
        torch.manual_seed(1)
        self.network = Network(*MODELS[model]()).to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        self.images = torch.randn(batch_size, 3, 32, 32).contiguous(memory_format=layout)
        self.labels = torch.randint(CLASSES, (batch_size,))

    def milliseconds(self):
        begin = time.perf_counter()
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.network(self.images), self.labels).backward()
        self.optimizer.step()
        return 1e3 * (time.perf_counter() - begin)


def gnc_milliseconds(arguments, rounds):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([arguments.gnc_bench, "--op", "train_step", "--model", arguments.model, "--batch-size",
                        str(arguments.batch_size), "--threads", str(arguments.threads), "--rounds", str(rounds),
                        "--json", file.name], check=True, stdout=subprocess.DEVNULL)
        with open(file.name) as result:
            return json.load(result)["step"]["min_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), default="resnet18")
    parser.add_argument("--gnc-bench", help="path of gnc-bench; without it PyTorch alone is timed")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="steps of a round")
    parser.add_argument("--layout", choices=("both", *LAYOUTS), default="both")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainers = {name: Trainer(arguments.model, arguments.batch_size, layout) for name, layout in LAYOUTS.items()
                if arguments.layout in ("both", name)}
    print(f"{arguments.model}, batch {arguments.batch_size}, {arguments.threads} threads, PyTorch {torch.__version__}")
    for trainer in trainers.values():
        trainer.milliseconds()  # warm-up
    best = dict.fromkeys(trainers, float("inf"))
    gnc = float("inf")
    for _ in range(arguments.rounds):
        for name, trainer in trainers.items():
            best[name] = min(best[name], *(trainer.milliseconds() for _ in range(arguments.steps)))
        if arguments.gnc_bench:
            gnc = min(gnc, gnc_milliseconds(arguments, arguments.steps))
    for name, milliseconds in best.items():
        print(f"PyTorch, {name}: {milliseconds:.1f} ms a step")
    print(f"PyTorch's peak resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if arguments.gnc_bench:
        print(f"gnc: {gnc:.1f} ms a step")
        print(f"gnc / PyTorch: {gnc / min(best.values()):.3f}")


if __name__ == "__main__":
    main()
