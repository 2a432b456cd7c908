#!/usr/bin/env python3
"""The numbers of tests/engine/test_comparison.cpp, from SciPy.

    tests/parity/statistics_reference.py
"""

import numpy
from scipy import stats

# The permutation runs of a table and the seed runs beside it, test accuracies in per cent; made up.
FIRST = [87.1, 88.3, 87.9, 88.6, 87.2, 88.0, 88.9, 87.6, 88.2, 87.4]
SECOND = [88.0, 88.1, 87.8, 88.2, 87.9, 88.3, 88.0, 87.7]

print("normal quantile", [f"{stats.norm.ppf(p):.15g}" for p in (1e-10, 0.025, 0.3, 0.5, 0.975)])
print("t two-sided", [f"{2 * stats.t.sf(t, m):.15g}" for t, m in ((2.1, 7), (0.3, 2.5), (12, 30))])
print("t quantile", [f"{stats.t.isf(p / 2, m):.15g}" for p, m in ((0.05, 9), (0.01, 3.7))])
print("F tail", [f"{stats.f.sf(f, a, b):.15g}" for f, a, b in ((4.2, 1, 18), (0.7, 9, 5))])
print("F quantile", [f"{stats.f.ppf(p, a, b):.15g}" for p, a, b in ((0.975, 9, 7), (0.025, 3, 12))])

ratio = numpy.std(FIRST, ddof=1) / numpy.std(SECOND, ddof=1)
low = ratio / numpy.sqrt(stats.f.ppf(0.975, 9, 7))
high = ratio * numpy.sqrt(stats.f.ppf(0.975, 7, 9))
levene = stats.levene(FIRST, SECOND, center="median")
print("deviation ratio", f"{ratio:.15g} {low:.15g} {high:.15g}")
print("Brown-Forsythe", f"{levene.statistic:.15g} {levene.pvalue:.15g}")
# In tenths of a per cent the deviations are exact, and so are the ties among the ways to deal them: every way has
# the same sum of squares, so that the distance of the two sums, in whole numbers, orders them as F does.
tenths = [numpy.rint(10 * numpy.array(group)) for group in (FIRST, SECOND)]
deviations = [2 * numpy.abs(group - numpy.median(group)) for group in tenths]
permuted = stats.permutation_test(deviations, lambda a, b: abs(8 * numpy.sum(a) - 10 * numpy.sum(b)),
                                  n_resamples=numpy.inf, alternative="greater", permutation_type="independent")
print("permutations", f"{permuted.pvalue:.15g} of {len(permuted.null_distribution)}")

# One group's mean as one more draw of what the other has a value each of.
for name, group, control in (("first", FIRST, SECOND), ("second", SECOND, FIRST)):
    difference = numpy.mean(group) - numpy.mean(control)
    error = numpy.std(control, ddof=1) * numpy.sqrt(1 + 1 / len(control))
    half = stats.t.isf(0.025, len(control) - 1) * error
    print(f"one draw, the {name} group", f"{difference:.15g}", f"{2 * stats.t.sf(abs(difference) / error, len(control) - 1):.15g}",
          f"{difference - half:.15g} {difference + half:.15g}")
print("Cliff", f"{numpy.sign(numpy.subtract.outer(FIRST, SECOND)).mean():.15g}")

spearman = stats.spearmanr(FIRST[:8], SECOND)
exact = stats.permutation_test((FIRST[:8],), lambda a: numpy.abs(stats.spearmanr(a, SECOND).statistic),
                               permutation_type="pairings", n_resamples=numpy.inf, alternative="greater")
half = stats.norm.ppf(0.975) * numpy.sqrt((1 + spearman.statistic**2 / 2) / 5)
print("Spearman", f"{spearman.statistic:.15g} {exact.pvalue:.15g}",
      *(f"{numpy.tanh(numpy.arctanh(spearman.statistic) + side * half):.16g}" for side in (-1, 1)))

for name, statistic in (("mean", numpy.mean), ("deviation", lambda x, axis: numpy.std(x, axis=axis, ddof=1))):
    for seed in range(3):
        result = stats.bootstrap((FIRST,), statistic, n_resamples=200_000, method="BCa", axis=0, vectorized=True,
                                 random_state=seed)
        print("bootstrap of the", name, result.confidence_interval)
