#!/usr/bin/env python3
"""Writes fixtures/attacks_*.safetensors: FGSM, PGD and DeepFool in PyTorch, in double, on the networks and first pictures of
other fixtures as they are before their training, in evaluation mode. test_attack_parity.cpp makes the same attacks.

    python3 tests/parity/make_attack_fixtures.py

Needs PyTorch. Attacks as their papers have them: the gradients are those of cross-entropy (gnc takes those of the
log-odds), and DeepFool differentiates one class after another.

A file holds the random start of PGD, in [-1,1], the margins (logit of the label less the largest other one) of the
clean pictures, and the least ones on the way of FGSM and PGD, and DeepFool's distances."""

import json
import pathlib
import struct

import numpy
import torch
from torch.nn import functional

from make_fixtures import CLASSES, FAMILIES, FEATURE_DIM, fp32, save
from torch_models import FrozenNetwork

EPSILON, STEPS, STEP_SIZE = fp32(8 / 255), 5, fp32(fp32(0.5) * fp32(8 / 255))
SCALE, OFFSET = fp32(255 / 128), -1.0
PICTURES = 8  # the first ones
OVERSHOOT, ITERATIONS = fp32(0.02), 50


def load(path):
    """The tensors of a safetensors file by name."""
    blob = path.read_bytes()
    length = struct.unpack("<Q", blob[:8])[0]
    kinds = {"F32": numpy.float32, "F64": numpy.float64, "U8": numpy.uint8, "I32": numpy.int32}
    tensors = {}
    for name, entry in json.loads(blob[8:8 + length]).items():
        if name == "__metadata__":
            continue
        first, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = numpy.frombuffer(blob[first:end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def margins(logits, labels):
    others = logits.clone()
    others.scatter_(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.max(1).values


def gradient(network, pictures, labels):
    """Margins, and the gradient of cross-entropy in the pictures."""
    pictures = pictures.clone().requires_grad_()
    logits = network(pictures * SCALE + OFFSET)
    functional.cross_entropy(logits, labels, reduction="sum").backward()
    return margins(logits.detach(), labels), pictures.grad


def box(pictures, clean):
    return torch.clamp(torch.minimum(torch.maximum(pictures, clean - EPSILON), clean + EPSILON), 0, 1)


def fgsm(network, clean, labels):
    least, grad = gradient(network, clean, labels)
    moved = box(clean + EPSILON * grad.sign(), clean)
    return torch.minimum(least, gradient(network, moved, labels)[0])


def pgd(network, clean, labels, start):
    pictures, least = box(clean + EPSILON * start, clean), torch.full((len(clean),), torch.inf, dtype=torch.float64)
    for _ in range(STEPS):
        now, grad = gradient(network, pictures, labels)
        least = torch.minimum(least, now)
        pictures = box(pictures + STEP_SIZE * grad.sign(), clean)
    return torch.minimum(least, gradient(network, pictures, labels)[0])


def deepfool(network, clean):
    """Algorithm 2 of Moosavi-Dezfooli et al. 2016 for one picture [1,C,H,W]: the norm of the sum of its steps."""
    with torch.no_grad():
        order = network(clean * SCALE + OFFSET)[0].argsort(descending=True)
    own, total = order[0], torch.zeros_like(clean)
    for _ in range(ITERATIONS):
        pictures = (clean + (1 + OVERSHOOT) * total).requires_grad_()
        logits = network(pictures * SCALE + OFFSET)[0]
        if logits.argmax() != own:
            break
        best = None
        for other in order[1:]:
            difference = logits[other] - logits[own]
            slope = torch.autograd.grad(difference, pictures, retain_graph=True)[0]
            distance = difference.abs().item() / slope.norm().item()
            if best is None or distance < best[0]:
                best = (distance, distance / slope.norm() * slope)
        total = total + best[1]
    return total.norm().item()


def attack(name):
    backbone, features, _ = FAMILIES[name]()
    stored = load(pathlib.Path(__file__).parent / "fixtures" / f"{name}.safetensors")
    network = FrozenNetwork(backbone, features, FEATURE_DIM, CLASSES).double().eval()
    with torch.no_grad():
        for key, tensor in network.named_tensors():
            tensor.copy_(torch.tensor(stored[f"initial/{key}"]))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    clean = torch.tensor(stored["images"][:PICTURES]).double() / 255
    labels = torch.tensor(stored["labels"][:PICTURES]).long()
    generator = torch.Generator().manual_seed(21)
    start = (2 * torch.rand(clean.shape, generator=generator) - 1).double()
    return [
        ("start", start.float().numpy()),
        ("clean_margins", gradient(network, clean, labels)[0].numpy()),
        ("fgsm_margins", fgsm(network, clean, labels).numpy()),
        ("pgd_margins", pgd(network, clean, labels, start).numpy()),
        ("deepfool_distances", numpy.array([deepfool(network, clean[i:i + 1]) for i in range(len(clean))])),
    ]


def main():
    torch.use_deterministic_algorithms(True)
    for name in ("resnet20", "densenet_bc_16_4"):
        tensors = attack(name)
        path = pathlib.Path(__file__).parent / "fixtures" / f"attacks_{name}.safetensors"
        save(path, tensors)
        means = ", ".join(f"{key} {values.mean():.4f}" for key, values in tensors[1:])
        print(f"{path.name}: {path.stat().st_size} bytes; means: {means}")


if __name__ == "__main__":
    main()
