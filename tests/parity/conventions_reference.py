#!/usr/bin/env python3
"""The numbers of tests/engine/test_conventions_reference.cpp, by NumPy, from the sources' formulas.

    tests/parity/conventions_reference.py

Samples are rows here, as in the sources. Features, classifier and bias are whole numbers over a power of two from a
linear congruential generator: exact in float, and the same on both sides.
"""

import itertools

import numpy as np


class Numbers:
    """Knuth's MMIX generator, its upper 31 bits."""

    def __init__(self, seed):
        self.state = seed

    def integer(self, bound):
        """In [-bound, bound]."""
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 33) % (2 * bound + 1) - bound

    def matrix(self, rows, columns, bound, divisor):
        return np.array([[self.integer(bound) / divisor for _ in range(columns)] for _ in range(rows)])


def case(samples, d, c, seed):
    numbers = Numbers(seed)
    centres = numbers.matrix(c, d, 1024, 256)
    labels = np.array([n % c if n < 2 * c else n * n % c for n in range(samples)])
    h = np.array([centres[y] for y in labels]) + numbers.matrix(samples, d, 512, 256)
    w = numbers.matrix(c, d, 300, 64)
    b = numbers.matrix(1, c, 300, 64)[0]
    return h, labels, w, b


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def means_of(h, labels):
    return np.array([h[labels == y].mean(axis=0) for y in range(labels.max() + 1)])


def s_w(h, labels, mu):
    deviations = h - mu[labels]
    return deviations.T @ deviations / len(h)


def s_b(mu, mu_g):
    return (mu - mu_g).T @ (mu - mu_g) / len(mu)


def pinv(x):
    return np.linalg.pinv(x, rcond=1e-10, hermitian=True)


def pairs(grid):
    return grid[np.triu_indices(len(grid), k=1)]


def etf(c):
    return (np.eye(c) - np.ones((c, c)) / c) / np.sqrt(c - 1)


def gram_error(product):
    return np.linalg.norm(product / np.linalg.norm(product) - etf(len(product)))


def distances(x):
    return np.linalg.norm(x[:, None, :] - x[None, :, :], axis=2)


def variation(x):
    return x.std() / x.mean()


def hull_distance(p):
    """Every subset's point of least norm, where it is convex: the nearest of them is the nearest of the hull."""
    best = np.inf
    for size in range(1, p.shape[1] + 2):
        for subset in itertools.combinations(range(len(p)), size):
            q = p[list(subset)]
            rows = np.block([[q @ q.T, np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
            weights = np.linalg.lstsq(rows, np.append(np.zeros(size), 1), rcond=None)[0][:size]
            if (weights >= -1e-12).all() and abs(weights.sum() - 1) < 1e-9:
                best = min(best, np.linalg.norm(weights @ q))
    return best


def one_vs_rest(w):
    u = unit(w)
    return min(hull_distance(np.delete(u, k, 0) - u[k]) for k in range(len(u)))


def nearest(h, mu):
    return np.argmin(((h[:, None, :] - mu[None, :, :]) ** 2).sum(axis=2), axis=1)


def conventions(h, labels, w, b):
    c, d = w.shape
    counts = np.bincount(labels)
    mu = means_of(h, labels)
    mu_s, mu_c = h.mean(axis=0), mu.mean(axis=0)
    by_s, by_c = mu - mu_s, mu - mu_c
    within = s_w(h, labels, mu)
    v = np.array([((h[labels == y] - mu[y]) ** 2).sum(axis=1).mean() for y in range(c)])
    nc1_s = np.trace(within @ pinv(s_b(mu, mu_s))) / c
    nc1_c = np.trace(within @ pinv(s_b(mu, mu_c))) / c
    cos = lambda x: unit(x) @ unit(x).T
    equiangular = lambda x: np.abs(pairs(cos(x)) + 1 / (c - 1)).mean()
    norms = lambda x: np.linalg.norm(x, axis=1)
    torch_variation = lambda x: norms(x).std(ddof=1) / norms(x).mean()
    dual = lambda x: np.linalg.norm(w / np.linalg.norm(w) - x / np.linalg.norm(x))
    cdnv = pairs((v[:, None] + v[None, :]) / (2 * distances(mu) ** 2 + np.eye(c)))
    ncc = nearest(h, mu)
    linear, biased = np.argmax(h @ w.T, axis=1), np.argmax(h @ w.T + b, axis=1)
    bias_collapse = np.linalg.norm(w @ mu_s + b)
    wc = w - w.mean(axis=0)

    n = unit(h)
    nu = means_of(n, labels)
    nu_s = n.mean(axis=0)

    welch = np.sqrt((c - d) / (d * (c - 1))) if c > d else 0
    rankin = -1 / (c - 1) if c <= d + 1 else 0

    r = {}
    for name, x in (("means", by_s), ("classifier", w)):
        r[f"fang_equinorm_{name}"] = variation(norms(x))
    for name, x in (("means", by_s), ("classifier", w)):
        r[f"fang_cosine_mean_{name}"] = pairs(cos(x)).mean()
        r[f"fang_cosine_std_{name}"] = pairs(cos(x)).std()
    for name, x in (("means", by_s), ("classifier", w)):
        r[f"fang_equiangular_{name}"] = equiangular(x)
    r["fang_dual_distance"] = dual(by_s)
    r["fang_dual_distance_squared"] = dual(by_s) ** 2
    r["fang_squared_feature_norm"] = np.mean([(norms(h[labels == y] - mu_s) ** 2).mean() for y in range(c)])

    sides = (("means", mu), ("centred_means", by_c), ("classifier", w))
    for name, x in sides:
        r[f"frame_max_cosine_{name}"] = pairs(cos(x)).max()
    for name, x in sides:
        r[f"frame_max_abs_cosine_{name}"] = np.abs(pairs(cos(x))).max()
    for name, x in sides:
        r[f"frame_rankin_gap_{name}"] = pairs(cos(x)).max() - rankin
    for name, x in sides:
        r[f"frame_welch_gap_{name}"] = np.abs(pairs(cos(x))).max() - welch
    for name, x in sides:
        r[f"frame_potential_{name}"] = (cos(x) ** 2).sum() / max(c, c * c / d)
    for name, x in sides:
        singular = np.append(np.linalg.svd(x, compute_uv=False), np.zeros(max(d - c, 0)))
        ratio = (singular.min() / singular.max()) ** 2
        r[f"frame_tightness_{name}"] = ratio if ratio > 1e-20 else 0
    for name, x in sides:
        r[f"frame_gram_error_{name}"] = gram_error(x @ x.T)
    r["frame_gram_error_floor"] = np.sqrt(2 - 2 * np.sqrt(min(d / (c - 1), 1)))
    r["frame_feature_norm_mean"] = norms(h).mean()
    r["frame_feature_norm_std"] = norms(h).std()

    r["galanti_cdnv"] = cdnv.mean()

    r["jiang_gnc1"] = np.trace(s_w(n, labels, nu) @ pinv(s_b(nu, nu_s))) / c
    r["jiang_one_vs_rest"] = one_vs_rest(w)
    r["jiang_gnc3"] = np.mean(1 - (unit(nu - nu_s) * unit(w)).sum(axis=1))
    r["jiang_ncc_accuracy"] = (nearest(n, nu) == labels).mean()
    logits = unit(w) @ unit(nu).T
    r["jiang_hardmax"] = max(logits[j, i] - logits[i, i] for i in range(c) for j in range(c) if i != j)
    r["jiang_max_cosine"] = pairs(cos(w)).max()

    r["liu_uniformity"] = (1 / pairs(distances(unit(w))) ** 2).mean()
    r["liu_concentration"] = np.mean([norms(n[labels == y] - unit(w)[y]).mean() for y in range(c)])

    r["los_nc1"] = nc1_s
    r["los_nc2"] = gram_error(wc @ wc.T)
    r["los_nc3"] = gram_error(wc @ by_s.T)
    r["los_nc4"] = bias_collapse

    r["markou_nc1"] = nc1_s
    between = s_b(mu, mu_s)
    r["markou_vci"] = 1 - np.trace(pinv(within + between) @ between) / min(d, c - 1)
    r["markou_nc2"] = gram_error(w @ w.T)
    r["markou_nc3"] = gram_error(w @ by_s.T)
    r["markou_nc4"] = bias_collapse
    r["markou_equinorm_means"] = torch_variation(by_s)
    r["markou_equinorm_classifier"] = torch_variation(w)
    r["markou_equinorm_difference"] = abs(torch_variation(by_s) - torch_variation(w))
    r["markou_ncc_mismatch"] = 1 - (ncc == biased).mean()

    u = v * counts / (counts - 1)
    r["nc_toolbox_cdnv_variation"] = variation(pairs((u[:, None] + u[None, :]) / (2 * distances(mu) ** 2 + np.eye(c))))
    logs = np.log(norms(by_s))
    r["nc_toolbox_equinorm_variation"] = variation(pairs(logs[:, None] - logs[None, :]))
    r["nc_toolbox_equiangular_variation"] = variation(pairs(cos(by_s)) + 1 / (c - 1))
    r["nc_toolbox_log_distance_variation"] = variation(np.log(1 / pairs(distances(unit(by_s)))))
    r["nc_toolbox_self_duality"] = dual(by_s)
    r["nc_toolbox_uniform_duality_variation"] = variation(pairs(unit(w) @ unit(by_s).T))
    r["nc_toolbox_agreement"] = (ncc == linear).mean()

    r["papyan_nc1"] = nc1_c * c
    r["papyan_equinorm_means"] = torch_variation(by_c)
    r["papyan_equinorm_classifier"] = torch_variation(w)
    r["papyan_equiangular_means"] = equiangular(by_c)
    r["papyan_equiangular_classifier"] = equiangular(w)
    r["papyan_nc3"] = dual(by_c) ** 2
    r["papyan_nc4"] = 1 - (ncc == biased).mean()

    r["rangamani_nc1"] = nc1_s
    r["rangamani_trace_within"] = v.mean()
    r["rangamani_trace_between"] = (by_s**2).sum() / c
    r["rangamani_cdnv"] = cdnv.mean()
    r["rangamani_ncc_accuracy"] = (ncc == labels).mean()

    r["seleznova_nc1"] = np.mean([h[labels == y].std(axis=0) for y in range(c)])
    r["seleznova_nc2"] = gram_error(by_c @ by_c.T)
    r["seleznova_nc3"] = dual(by_c)

    r["wu_nc1_pinv"] = nc1_c
    r["wu_nc1_quotient"] = np.trace(within) / np.trace(s_b(mu, mu_c))
    r["wu_cdnv"] = cdnv.mean()
    r["wu_simplex_etf_error"] = gram_error(by_c @ by_c.T)
    dist = pairs(distances(unit(by_c)))
    s = d - 2
    kernels = (("distance", dist), ("log_distance", np.log(1 / dist)), ("riesz", np.copysign(1, s) * dist ** float(-s)))
    for name, kernel in kernels:
        r[f"wu_{name}_mean"] = kernel.mean()
        r[f"wu_{name}_variance"] = kernel.var()
    r["wu_self_duality_error"] = gram_error(w @ by_c.T)
    r["wu_agreement"] = (ncc == linear).mean()
    r["wu_agreement_by_class"] = np.mean([(ncc == linear)[labels == y].mean() for y in range(c)])

    r["yang_cosine_mean_means"] = pairs(cos(by_s)).mean()
    r["yang_cosine_std_means"] = pairs(cos(by_s)).std(ddof=1)
    r["yang_cosine_mean_classifier"] = pairs(cos(w)).mean()
    r["yang_cosine_std_classifier"] = pairs(cos(w)).std(ddof=1)
    cross = unit(by_s) @ unit(w).T
    r["yang_cosine_mean_cross"] = pairs(cross).mean()
    r["yang_cosine_std_cross"] = pairs(cross).std(ddof=1)
    r["yang_dual_cosine_mean"] = np.diag(cross).mean()
    r["yang_dual_cosine_std"] = np.diag(cross).std(ddof=1)
    r["yang_nc3"] = dual(by_s) ** 2

    r["yaras_nc1"] = nc1_s
    r["yaras_nc2"] = gram_error(w @ w.T)
    r["yaras_nc3"] = gram_error(w @ mu.T)

    r["zhu_nc1"] = nc1_s
    r["zhu_nc2"] = gram_error(w @ w.T)
    r["zhu_nc3"] = gram_error(w @ by_s.T)
    r["zhu_nc4"] = bias_collapse
    return r


wide = conventions(*case(70, 6, 4, 1))
crowded = conventions(*case(90, 3, 7, 2))
for name in wide:
    print(f'    {{"{name}", {wide[name]:.15g}, {crowded[name]:.15g}}},')
