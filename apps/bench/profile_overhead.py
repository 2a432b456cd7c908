"""What `gnc train --profile` costs: trainings with it and without it, in turn, and the ratio of their times.

    python3 apps/bench/profile_overhead.py build/bin/gnc 7
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TRAINING = (
    "--data synthetic:classes=10,size=32,train=1280,test=10,channels=3 --model resnet20 --classifier etf "
    "--epochs 2 --batch-size 64 --device cpu --threads 2 --json"
).split()


def images_per_second(gnc: str, is_profiled: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        profile = ["--profile", str(Path(folder) / "trace.json"), "--profile-steps", "36"] if is_profiled else []
        command = [gnc, "train", *TRAINING, "--out", str(Path(folder) / "run"), *profile]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])["images_per_second"]


def main() -> None:
    gnc, rounds = sys.argv[1], int(sys.argv[2])
    ratios = []
    for i in range(rounds):
        order = (False, True) if i % 2 == 0 else (True, False)
        speed = {is_profiled: images_per_second(gnc, is_profiled) for is_profiled in order}
        ratios.append(speed[False] / speed[True])
        print(f"{speed[False]:.1f} images/s without, {speed[True]:.1f} with: {ratios[-1]:.3f} of the time", flush=True)
    print(f"median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


main()
