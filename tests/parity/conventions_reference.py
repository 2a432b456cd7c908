#!/usr/bin/env python3
"""The numbers of tests/engine/test_conventions.cpp: collapse metrics from their definitions, with NumPy and SciPy.

    tests/parity/conventions_reference.py
"""

import itertools

import numpy
from numpy.linalg import norm, pinv
from scipy.optimize import nnls

SAMPLES, DIM, CLASSES = 61, 4, 7

# Rational features of unequal classes, the same that the test makes.
labels = numpy.array([n if n < CLASSES else (n * n) % CLASSES for n in range(SAMPLES)])
features = numpy.array([[((37 * n + 91 * k + 13 * n * k) % 101) / 128 + ((labels[n] + 1) * (k + 2) * 29 % 17) / 8
                         for k in range(DIM)] for n in range(SAMPLES)])
classifier = numpy.array([[((19 * c + 53 * k + 7 * c * k) % 31) / 16 - 1 for k in range(DIM)] for c in range(CLASSES)])
bias = numpy.array([((5 * c) % 7) / 8 - 0.5 for c in range(CLASSES)])

simplex = (numpy.eye(CLASSES) - 1 / CLASSES) / numpy.sqrt(CLASSES - 1)
pairs = list(itertools.combinations(range(CLASSES), 2))


def unit(rows):
    return rows / norm(rows, axis=1, keepdims=True)


class Moments:
    def __init__(self, h):
        self.means = numpy.array([h[labels == c].mean(axis=0) for c in range(CLASSES)])
        self.by_samples = self.means - h.mean(axis=0)
        self.by_classes = self.means - self.means.mean(axis=0)
        deviations = h - self.means[labels]
        self.within = deviations.T @ deviations / SAMPLES
        self.spread = numpy.array([(norm(deviations[labels == c], axis=1)**2).mean() for c in range(CLASSES)])
        distances = norm(h[:, None, :] - self.means[None], axis=2)
        self.nearest = distances.argmin(axis=1)

    def trace(self, centred):
        return numpy.trace(self.within @ pinv(centred.T @ centred / CLASSES))


def etf(gram):
    return norm(gram / norm(gram) - simplex)


def equiangular(rows):
    cosines = unit(rows) @ unit(rows).T
    return numpy.mean([abs(cosines[a, b] + 1 / (CLASSES - 1)) for a, b in pairs])


def variation(rows, freedom):
    return norm(rows, axis=1).std(ddof=freedom) / norm(rows, axis=1).mean()


def duality(centred):
    return norm(classifier / norm(classifier) - centred / norm(centred))


def one_vs_rest(rows):
    rows = unit(rows)
    distances = []
    for k in range(CLASSES):
        edges = (numpy.delete(rows, k, axis=0) - rows[k]).T
        # Least distance programming (Lawson, Hanson): the hull's nearest point by nonnegative least squares.
        weights, _ = nnls(numpy.vstack([edges, numpy.ones(CLASSES - 1)]), numpy.append(numpy.zeros(DIM), 1))
        distances.append(norm(edges @ weights / weights.sum()))
    return min(distances)


def cosines(a, b):
    table = unit(a) @ unit(b).T
    return numpy.array([table[pair] for pair in pairs])


m, u = Moments(features), Moments(unit(features))
centred_classifier = classifier - classifier.mean(axis=0)
u_centred = u.means - unit(features).mean(axis=0)
distances = numpy.array([norm(unit(m.by_classes)[a] - unit(m.by_classes)[b]) for a, b in pairs])
answers = (features @ classifier.T + bias).argmax(axis=1)
nc4 = (answers != m.nearest).mean()
between = m.by_samples.T @ m.by_samples / CLASSES
cdnv = numpy.mean([(m.spread[a] + m.spread[b]) / (2 * norm(m.means[a] - m.means[b])**2) for a, b in pairs])
gram = classifier @ classifier.T
bound = numpy.sqrt((CLASSES - DIM) / (DIM * (CLASSES - 1)))


def frame(rows):
    values = cosines(rows, rows)
    spectrum = numpy.linalg.eigvalsh(unit(rows).T @ unit(rows))
    return values.max(), abs(values).max(), abs(values).max() - bound, values.max(), spectrum[0] / spectrum[-1]


counts = numpy.bincount(labels)
few = numpy.flatnonzero(2 * counts < counts.max())
minority = numpy.mean([(unit(classifier) @ unit(classifier).T)[a, b] for a, b in itertools.combinations(few, 2)])

values = {
    "papyan": [m.trace(m.by_classes), variation(m.by_classes, 1), variation(classifier, 1), equiangular(m.by_classes),
               equiangular(classifier), duality(m.by_classes)**2, nc4],
    "zhu": [m.trace(m.by_samples) / CLASSES, etf(gram), etf(classifier @ m.by_samples.T),
            norm(classifier @ features.mean(axis=0) + bias)],
    "los": [m.trace(m.by_samples) / CLASSES, etf(centred_classifier @ centred_classifier.T),
            etf(centred_classifier @ m.by_samples.T)],
    "yaras": [m.trace(m.by_samples) / CLASSES, etf(gram), etf(classifier @ m.means.T)],
    "jiang": [u.trace(u_centred) / CLASSES, one_vs_rest(classifier), cosines(classifier, classifier).max(),
              numpy.mean(1 - (unit(u_centred) * unit(classifier)).sum(axis=1)), (u.nearest == labels).mean()],
    "wu": [m.trace(m.by_classes) / CLASSES, m.trace(m.by_classes) / CLASSES,
           numpy.trace(m.within) / (norm(m.by_classes)**2 / CLASSES), etf(m.by_classes @ m.by_classes.T),
           etf(classifier @ m.by_classes.T), distances.mean(), distances.var(), numpy.log(1 / distances).mean(),
           numpy.log(1 / distances).var(), (distances**-2.0).mean(), (distances**-2.0).var(),
           ((features @ classifier.T).argmax(axis=1) == m.nearest).mean()],
    "galanti": [cdnv],
    "rangamani": [m.trace(m.by_samples) / CLASSES, cdnv, (m.nearest == labels).mean()],
    "markou": [1 - numpy.trace(pinv(between + m.within) @ between) / min(DIM, CLASSES - 1), variation(m.by_samples, 1), nc4],
    "yan": [f(x) for x in (cosines(m.by_samples, m.by_samples), cosines(classifier, classifier),
                           cosines(m.by_samples, classifier)) for f in (numpy.mean, numpy.std)] +
           [(unit(m.by_samples) * unit(classifier)).sum(axis=1).mean()],
    "lpm": [variation(m.by_samples, 0), equiangular(m.by_samples), duality(m.by_samples)**2, duality(m.by_samples),
            minority],
    "fsx": [variation(m.by_samples, 0), duality(m.by_samples), numpy.log(1 / distances).std() / numpy.log(1 / distances).mean()],
    "ntk": [etf(m.by_samples @ m.by_samples.T), duality(m.by_samples)],
    "hug": [(1 / distances**2).mean()],
    "frame": [*frame(m.means), *frame(classifier), norm(features, axis=1).mean(), norm(features, axis=1).std()],
}
for source, numbers in values.items():
    print(f'{{"{source}", {{{", ".join(f"{x:.15g}" for x in numbers)}}}}},')
