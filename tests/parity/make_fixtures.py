#!/usr/bin/env python3
"""Writes fixtures/*.safetensors: short trainings in PyTorch, in double, that test_parity.cpp replays.

    python3 tests/parity/make_fixtures.py [NAME...]

Needs PyTorch (no torchvision). See README.md for what is in a file."""

import json
import pathlib
import struct
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

from torch_models import DenseNet, FrozenNetwork, Mlp, ResNet, Vgg, narrow

CLASSES, FEATURE_DIM, STEPS = 10, 6, 50
BATCHES = (8, 8, 8, 5)  # of an epoch: the last one is short
RECORDED = (1, 10, STEPS)  # the steps after which the state is stored
PROJECTIONS = 4


def fp32(value):
    """The double that is the fp32 next to it: gnc's settings are fp32."""
    return float(numpy.float32(value))


def resnet(blocks, width, stem_channels=64, **options):
    channels = [narrow(stem_channels << stage, width) for stage in range(len(blocks))]
    return ResNet(channels, blocks, **options), channels[-1] * (4 if options.get("bottleneck") else 1)


def resnet8():
    return (*resnet((1, 1, 1), 0.25, 16, option_a=True), 8)


# name: (backbone, its features, extent of the images), built when asked for.
FAMILIES = {
    "mlp": lambda: (Mlp(3 * 8 * 8, narrow(512, 0.05)), narrow(512, 0.05), 8),
    "vgg11": lambda: (Vgg(0.03, False), narrow(512, 0.03), 32),
    "vgg11_bn": lambda: (Vgg(0.03, True), narrow(512, 0.03), 32),
    "vgg11_bn_head": lambda: (Vgg(0.015, True, narrow(4096, 0.015)), narrow(4096, 0.015), 32),
    "resnet18": lambda: (*resnet((2, 2, 2, 2), 0.03), 16),
    "resnet50_imagenet": lambda: (*resnet((3, 4, 6, 3), 0.03, bottleneck=True, imagenet_stem=True), 48),
    "resnet20": lambda: (*resnet((3, 3, 3), 0.125, 16, option_a=True), 8),
    "densenet_bc_16_4": lambda: (DenseNet(4, (2, 2, 2), 8), 16, 8),
    "densenet_10_4": lambda: (DenseNet(4, (2, 2, 2), 8, bottleneck=False, compression=1), 32, 8),
}


def focal(logits, labels, focusing=2):
    logs = functional.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    return (-((1 - logs.exp()) ** focusing) * logs).mean()


def squared(logits, labels):
    return nn.MSELoss()(logits, functional.one_hot(labels, CLASSES).to(logits.dtype))


def smoothed(logits, labels):
    return nn.CrossEntropyLoss(label_smoothing=fp32(0.1))(logits, labels)


def constant(optimizer):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1)


def multi_step(optimizer):
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 9], 0.1)


def warmed_up_cosine(optimizer, warmup=3, epochs=13):
    """gnc's warm-up reaches the base in its last epoch."""
    schedulers = torch.optim.lr_scheduler
    return schedulers.SequentialLR(optimizer, [
        schedulers.LinearLR(optimizer, 1 / warmup, 1, warmup - 1),
        schedulers.CosineAnnealingLR(optimizer, epochs - warmup)], [warmup])


# Trainings of one network, each with one thing that is not the default.
SETTINGS = {
    "nesterov": {"nesterov": True},
    "warmup_cosine": {"schedule": warmed_up_cosine},
    "multi_step": {"schedule": multi_step},
    "decay_weights": {"decay": lambda parameter: parameter.dim() >= 2},
    "squared_error": {"loss": squared},
    "label_smoothing": {"loss": smoothed},
    "focal": {"loss": focal},
}


def rates(schedule, base):
    """The learning rate of each epoch."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=base)
    scheduler, result = schedule(optimizer), []
    for _ in range(STEPS // len(BATCHES) + 1):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def fill(network, generator):
    """Initial values that leave nothing at 0 or 1, as only numbers that are not special show every mistake."""
    with torch.no_grad():
        for name, tensor in network.named_tensors():
            normal = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if name == "classifier.weight":
                value = functional.normalize(normal)
            elif tensor.dim() >= 2:
                value = normal * (2 / tensor[0].numel()) ** 0.5
            elif name.endswith("running_var") or name.endswith("weight"):
                value = 1 + 0.2 * torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
                if name.endswith("bn3.weight"):
                    value = value / 4  # or errors would grow a hundred times from block to block
            else:
                value = 0.1 * normal
            tensor.copy_(value.float().double())


def signs(count):
    """[PROJECTIONS, count] of ±1: the highest bits of splitmix64's numbers k·2^32 + i."""
    with numpy.errstate(over="ignore"):
        place = numpy.arange(count, dtype=numpy.uint64) + (
            numpy.arange(PROJECTIONS, dtype=numpy.uint64)[:, None] << numpy.uint64(32))
        z = (place + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return numpy.where(z >> numpy.uint64(63), -1.0, 1.0)


def flat(tensors):
    return numpy.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])


def projected(tensors):
    """[tensors, 1 + PROJECTIONS]: the Euclidean norm of each, and its products with the signs."""
    rows = []
    for tensor in tensors:
        values = tensor.detach().numpy().ravel()
        rows.append([numpy.linalg.norm(values), *(signs(values.size) @ values)])
    return numpy.array(rows)


def save(path, tensors):
    """The safetensors format, tensors in the order given."""
    kinds = {"float32": "F32", "float64": "F64", "uint8": "U8", "int32": "I32"}
    header, blobs, offset = {"__metadata__": {"torch": torch.__version__}}, [], 0
    for name, array in tensors:
        array = numpy.ascontiguousarray(array)
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": array.shape, "data_offsets": [offset, offset + array.nbytes]}
        blobs.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def train(build, is_family, loss=functional.cross_entropy, schedule=constant, decay=lambda parameter: True,
          nesterov=False):
    """The tensors of one fixture; of a family, the last state whole."""
    generator = torch.Generator().manual_seed(20)
    backbone, features, extent = build()
    network = FrozenNetwork(backbone, features, FEATURE_DIM, CLASSES).double().train()
    fill(network, generator)
    samples = sum(BATCHES)
    images = torch.randint(0, 256, (samples, 3, extent, extent), generator=generator).to(torch.uint8)
    labels = torch.randint(0, CLASSES, (samples,), generator=generator)
    named = list(network.named_tensors())
    parameters = list(network.parameters())
    result = [("images", images.numpy()), ("labels", labels.int().numpy())]
    result += [(f"initial/{name}", tensor.float().detach().numpy().copy()) for name, tensor in named]
    weight_decay = fp32(5e-4)
    optimizer = torch.optim.SGD(
        [{"params": [p for p in parameters if decay(p)], "weight_decay": weight_decay},
         {"params": [p for p in parameters if not decay(p)], "weight_decay": 0.0}],
        lr=0.1, momentum=fp32(0.9), nesterov=nesterov)
    epoch_rates, losses = rates(schedule, 0.01), []
    inputs = images.double() / 128 - 1
    for step in range(STEPS):
        epoch, batch = divmod(step, len(BATCHES))
        first = sum(BATCHES[:batch])
        chosen = slice(first, first + BATCHES[batch])
        for group in optimizer.param_groups:
            group["lr"] = fp32(epoch_rates[epoch])
        optimizer.zero_grad()
        value = loss(network(inputs[chosen]), labels[chosen])
        value.backward()
        if step == 0:
            result.append(("gradients", projected(parameter.grad for parameter in parameters)))
        optimizer.step()
        losses.append(value.item())
        state = [tensor for _, tensor in named]
        if step + 1 in RECORDED:
            is_whole = step + 1 == STEPS and is_family
            result.append((f"state_{step + 1}", flat(state) if is_whole else projected(state)))
    result.append(("losses", numpy.array(losses)))
    return result


def main():
    torch.use_deterministic_algorithms(True)
    folder = pathlib.Path(__file__).parent / "fixtures"
    folder.mkdir(exist_ok=True)
    cases = {name: (build, {}) for name, build in FAMILIES.items()}
    cases |= {name: (resnet8, settings) for name, settings in SETTINGS.items()}
    for name in sys.argv[1:] or cases:
        build, settings = cases[name]
        tensors = train(build, name in FAMILIES, **settings)
        path = folder / f"{name}.safetensors"
        save(path, tensors)
        losses = dict(tensors)["losses"]
        print(f"{path.name}: {path.stat().st_size} bytes, loss {losses[0]:.4f} to {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
