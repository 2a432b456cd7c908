#!/usr/bin/env python3
"""How often intervals of few values cover what they should: why engine/comparison.h and engine/bootstrap.h give none
of fewer than eight and six. Samples are of normal laws; nothing but Python itself is needed.

    tests/parity/interval_coverage.py
"""

import math
import random
from statistics import NormalDist

NORMAL = NormalDist()
DRAWS = random.Random(1)


def mean_of(values):
    return sum(values) / len(values)


def deviation_of(values):
    mean = mean_of(values)
    return math.sqrt(sum([(value - mean) ** 2 for value in values]) / (len(values) - 1))


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0] * len(values)
    for rank, i in enumerate(order):
        result[i] = rank
    return result


def rank_intervals(n, rho, samples):
    """Of samples of n pairs with Spearman's rho: the share in perfect order, and of the others the coverage."""
    pearson = 2 * math.sin(math.pi * rho / 6)
    rest = math.sqrt(1 - pearson * pearson)
    perfect = covered = 0
    for _ in range(samples):
        x = [DRAWS.gauss(0, 1) for _ in range(n)]
        y = [pearson * value + rest * DRAWS.gauss(0, 1) for value in x]
        distance = sum((a - b) ** 2 for a, b in zip(ranks(x), ranks(y)))
        most = n * (n * n - 1) // 3
        if distance in (0, most):
            perfect += 1
            continue
        seen = 1 - 2 * distance / most
        half = 1.959963985 * math.sqrt((1 + seen * seen / 2) / (n - 3))
        covered += abs(math.atanh(seen) - math.atanh(rho)) <= half
    return perfect / samples, covered / (samples - perfect)


def bca(values, statistic, resamples):
    """The bias-corrected and accelerated interval (Efron 1987) of 95 %."""
    n = len(values)
    seen = statistic(values)
    drawn = sorted(statistic(DRAWS.choices(values, k=n)) for _ in range(resamples))
    below = sum(value < seen for value in drawn) + sum(value == seen for value in drawn) / 2
    bias = NORMAL.inv_cdf(below / resamples)
    left = [statistic(values[:i] + values[i + 1:]) for i in range(n)]
    mean = mean_of(left)
    squares, cubes = sum((mean - value) ** 2 for value in left), sum((mean - value) ** 3 for value in left)
    skewness = cubes / (6 * squares**1.5)
    ends = []
    for probability in (0.025, 0.975):
        z = bias + NORMAL.inv_cdf(probability)
        place = NORMAL.cdf(bias + z / (1 - skewness * z)) * (resamples - 1)
        low = math.floor(place)
        ends.append(drawn[low] + (place - low) * (drawn[min(low + 1, resamples - 1)] - drawn[low]))
    return ends


def bootstrap_intervals(n, samples, resamples):
    """Coverage of the mean, 0, and of the deviation, 1."""
    of_mean = of_deviation = 0
    for _ in range(samples):
        values = [DRAWS.gauss(0, 1) for _ in range(n)]
        low, high = bca(values, mean_of, resamples)
        of_mean += low <= 0 <= high
        low, high = bca(values, deviation_of, resamples)
        of_deviation += low <= 1 <= high
    return of_mean / samples, of_deviation / samples


for n in (4, 7, 8, 10):
    shares = [rank_intervals(n, rho, 20_000) for rho in (0, 0.5, 0.8, 0.9, 0.95)]
    print("rank correlation of", n, "pairs, rho 0 0.5 0.8 0.9 0.95: perfect", *(f"{share:.3f}" for share, _ in shares),
          "covered", *(f"{covered:.3f}" for _, covered in shares))
for n in (4, 5, 6, 10):
    print("bootstrap of", n, "values: mean {:.3f}, deviation {:.3f}".format(*bootstrap_intervals(n, 3000, 1000)))
