#!/usr/bin/env python3
"""The paper's Code 1 (Appendix F.2) in PyTorch beside gnc's descent, on one core.

    python3 apps/bench/peers/ufm_code1.py --gnc-bench build/bin/gnc-bench

Needs PyTorch, which gnc itself never does. Each round times PyTorch and then gnc, so that a machine that slows down slows
both; the smallest of the rounds counts. PyTorch's loop is the printed one (its loss is fetched and printed each step, into
nothing); gnc runs the same 1000 steps as one UfmDescent op, in fp32 and in fp64."""

import argparse
import json
import os
import subprocess
import tempfile
import time

import torch


def descend(num_classes, feature_dim, steps, log):
    """Code 1 with its sizes as arguments."""
    feature = torch.nn.Linear(num_classes, feature_dim)
    classifier = torch.nn.Linear(feature_dim, num_classes)
    labels = torch.arange(0, num_classes).long()
    optimizer = torch.optim.SGD(
        [{"params": feature.parameters(), "lr": 0.1}, {"params": classifier.parameters(), "lr": 0.1}]
    )
    for i in range(steps):
        pred = torch.mm(classifier.weight, feature.weight)
        loss_ce = torch.nn.functional.cross_entropy(input=pred.T, target=labels)
        loss_l2 = 1e-1 * (torch.norm(classifier.weight) + torch.norm(feature.weight))
        loss = loss_l2 + loss_ce
        feature.zero_grad()
        classifier.zero_grad()
        loss.backward()
        optimizer.step()
        print("index: {} loss: {}".format(i, loss.item()), file=log)
    return feature.weight


def gnc_milliseconds(gnc_bench, case, threads=1):
    """Smallest time of one call of the op among gnc-bench's repetitions."""
    with tempfile.NamedTemporaryFile(suffix=".json") as results:
        command = [gnc_bench, "--op", "UfmDescent", "--case", f"^{case}$", "--threads", str(threads), "--json", results.name]
        subprocess.run(command, check=True, capture_output=True)
        for entry in json.load(open(results.name))["benchmarks"]:
            if entry["aggregate_name"] == "min":
                return entry["real_time"]
    raise SystemExit(f"{gnc_bench} measured no case {case}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gnc-bench", required=True, help="the program gnc-bench")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1000)
    cases = {"fp32": "code1.10x6.1000steps", "fp64": "code1.10x6.1000steps.fp64"}
    best = {}
    with open(os.devnull, "w") as log:
        descend(10, 6, 100, log)  # PyTorch's first calls set it up
        for _ in range(options.rounds):
            begin = time.perf_counter()
            descend(10, 6, 1000, log)
            measured = {"PyTorch": 1e3 * (time.perf_counter() - begin)}
            measured |= {dtype: gnc_milliseconds(options.gnc_bench, case) for dtype, case in cases.items()}
            best = {name: min(value, best.get(name, value)) for name, value in measured.items()}

    print(f"Code 1, C = 10, d = 6, 1000 steps, one thread, best of {options.rounds} rounds")
    print(f"PyTorch {torch.__version__} (fp32)  {best['PyTorch']:9.3f} ms")
    for dtype in cases:
        print(f"gnc {dtype}  {best[dtype]:9.3f} ms  {best['PyTorch'] / best[dtype]:6.0f} x as fast")


if __name__ == "__main__":
    main()
