#!/usr/bin/env python3
"""One step of Eq. (3)/(4) with N = 1000·C samples at C = 100, d = 64: PyTorch on the host beside gnc, same threads.

    python3 apps/bench/peers/ufm_large.py --gnc-bench build/bin/gnc-bench --threads 2

Needs PyTorch, which gnc itself never does. Each round times PyTorch and then gnc, so that a machine that slows down slows
both; the smallest of the rounds counts. PyTorch goes three ways: autograd as one writes it; the gradients by hand, which
keeps the logits in full but once; and autograd through torch.compile where that works."""

import argparse
import time

import torch

from ufm_code1 import gnc_milliseconds

CLASSES, DIM, PER_CLASS, DECAY = 100, 64, 1000, 5e-4
SAMPLES = CLASSES * PER_CLASS
FEATURE_LR, CLASSIFIER_LR = 0.1, 0.1 / PER_CLASS


def loss_of(features, classifier, labels):
    logits = features @ classifier.T
    cross_entropy = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    return cross_entropy + DECAY / 2 * features.square().sum() + DECAY * PER_CLASS / 2 * classifier.square().sum()


def autograd_step(features, classifier, labels, loss=loss_of):
    features.grad = classifier.grad = None
    loss(features, classifier, labels).backward()
    with torch.no_grad():
        features.add_(features.grad, alpha=-FEATURE_LR)
        classifier.add_(classifier.grad, alpha=-CLASSIFIER_LR)


@torch.no_grad()
def manual_step(features, classifier, labels):
    gradient = torch.softmax(features @ classifier.T, dim=1)
    gradient[torch.arange(SAMPLES), labels] -= 1
    features_grad, classifier_grad = gradient @ classifier, gradient.T @ features
    features.mul_(1 - FEATURE_LR * DECAY).add_(features_grad, alpha=-FEATURE_LR)
    classifier.mul_(1 - CLASSIFIER_LR * DECAY * PER_CLASS).add_(classifier_grad, alpha=-CLASSIFIER_LR)


def milliseconds(step, state, repetitions=5):
    """Smallest time of a step."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        step(*state)
        times.append(1e3 * (time.perf_counter() - begin))
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gnc-bench", required=True, help="the program gnc-bench")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1000)
    features = (torch.randn(SAMPLES, DIM) / DIM**0.5).requires_grad_()
    classifier = (torch.randn(CLASSES, DIM) / DIM**0.5).requires_grad_()
    labels = torch.arange(SAMPLES) % CLASSES
    state = (features, classifier, labels)

    steps = {"autograd": autograd_step, "by hand": manual_step}
    compiled = torch.compile(loss_of)
    try:
        autograd_step(*state, loss=compiled)
        steps["compiled"] = lambda *all_of_it: autograd_step(*all_of_it, loss=compiled)
    except Exception as error:  # needs a C++ compiler that it likes
        print(f"torch.compile does not work here: {str(error).splitlines()[0]}")

    best = {}
    for _ in range(options.rounds):
        measured = {name: milliseconds(step, state) for name, step in steps.items()}
        measured["gnc"] = gnc_milliseconds(options.gnc_bench, "equation3.100x64.n1000", options.threads)
        best = {name: min(value, best.get(name, value)) for name, value in measured.items()}

    print(f"Eq. (3), C = {CLASSES}, d = {DIM}, N = {SAMPLES}, fp32, {options.threads} threads, "
          f"best of {options.rounds} rounds, a step:")
    for name in steps:
        print(f"PyTorch {torch.__version__}, {name}  {best[name]:9.2f} ms  gnc is {best[name] / best['gnc']:5.2f} x as fast")
    print(f"gnc  {best['gnc']:9.2f} ms")


if __name__ == "__main__":
    main()
