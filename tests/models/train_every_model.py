#!/usr/bin/env python3
"""Trains every backbone that `gnc model` lists for one epoch and prints a table.

usage: train_every_model.py --gnc bin/gnc --data SPEC --classes C --dim D [--model NAME ...] [-- FLAG ...]
Flags after -- go to every `gnc train`, --train-limit 200 for one. The frame is (C, D), of `gnc frame generate`. A run that
fails is a row that says why; then, or where a loss is no number, the exit status is 1.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time


def run(command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def last_json(output):
    return json.loads(output.strip().splitlines()[-1])


def main():
    own, flags = sys.argv[1:], []
    if "--" in own:
        own, flags = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gnc", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--classes", required=True, type=int)
    parser.add_argument("--dim", required=True, type=int)
    parser.add_argument("--model", nargs="*", help="only these; default: all")
    arguments = parser.parse_args(own)

    models = arguments.model or [model["name"] for model in last_json(run([arguments.gnc, "model", "--json"]).stdout)["models"]]
    is_good = True
    print("| model | parameters | train CE | test accuracy | seconds |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        frame = pathlib.Path(folder) / "frame.npy"
        made = run([arguments.gnc, "frame", "generate", "--classes", arguments.classes, "--dim", arguments.dim, "--out", frame])
        if made.returncode != 0:
            sys.exit(made.stderr)
        for model in models:
            start = time.monotonic()
            result = run([arguments.gnc, "train", "--data", arguments.data, "--model", model, "--classifier", frame,
                          "--epochs", 1, "--out", pathlib.Path(folder) / model, "--json", *flags])
            seconds = time.monotonic() - start
            if result.returncode != 0:
                is_good = False
                print(f"| {model} | FAILED: {result.stderr.strip().splitlines()[-1]} | | | |", flush=True)
                continue
            found = last_json(result.stdout)
            is_good = is_good and math.isfinite(found["train_ce"])
            print(f"| {model} | {found['parameters']} | {found['train_ce']:.3f} | {found['test_accuracy']:.3f} | {seconds:.1f} |",
                  flush=True)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
