#pragma once
/// Neural collapse as others measure it: every convention by the name of its source, so that a number can be
/// set beside the published one it is meant to be compared with.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/metrics/decisions.h"
#include "engine/metrics/features.h"

namespace gnc {

/// The sources, in alphabetical order. μ_G is the mean over samples (s) or over class means (c); `std` is
/// biased (1/C) or unbiased (1/(C−1)); W has the columns w_c, H the columns μ_c − μ_G.
///
///   fang        Fang, He, Long, Su 2021 (HornHehhf/LPM): s, biased
///   frame       nobody else's: correlations, bounds and frame properties of means and classifier; c, biased
///   galanti     Galanti, György, Hutter 2022 (TomerGalanti/NeuralCollapseDepth): CDNV
///   jiang       Jiang et al. 2024 (Neural-Collapse-For-Large-Number-of-Classes): s, features L2-normalised
///   liu         Liu et al. 2023, hyperspherical uniformity gap (HUG, minimum hyperspherical energy)
///   los         Zhou et al. 2022 (jinxinzhou/nc_loss): s, W centred in nc2 and nc3
///   markou      Markou, Ajanthan, Gould 2024 (evanmarkou/Guiding-Neural-Collapse): s, unbiased
///   nc_toolbox  felixsh/nc-toolbox: s, coefficients of variation, biased
///   papyan      Papyan, Han, Donoho 2020 (neuralcollapse/neuralcollapse): c, unbiased, NC1 not over C
///   rangamani   Rangamani et al. 2023 (mariuslindegaard/Intermediate_Neural_Collapse): s
///   seleznova   Seleznova et al. 2023 (mselezniova/ntk_collapse): c
///   wu          Wu, Papyan 2024 (rhubarbwu/neural-collapse): c, biased
///   yang        Yang et al. 2022 (NeuralCollapseApplications/ImbalancedLearning): s, unbiased
///   yaras       Yaras et al. 2022 (cjyaras/normalized-neural-collapse): s, means not centred in nc3
///   zhu         Zhu et al. 2021 (tding1/Neural-Collapse): s
///
/// Numbers nc1 … nc4 are the source's own numbering. Where a source and its formula part, the formula is
/// taken: pseudo-inverses are eigen forms (`within_over_between`); shares are in [0,1], where jiang and
/// markou print per cent; nc_toolbox's agreement takes the largest logit, not the smallest; liu's coincident
/// directions count, with ∞; wu divides by norms, not by norm + ε. A ratio with denominator 0 is NaN or ∞. Of
/// the sources' numbers the MSE decomposition (papyan), nuclear norms and cosine margins (los, markou) and
/// layer-wise spectra (rangamani) are not there.
std::vector<std::string> convention_names();

/// The columns of a source, in order: "zhu_nc1", …. Throws Error naming the nearest source for an unknown
/// one.
std::vector<std::string> convention_columns(std::string_view source);

/// Columns and values of the sources, in their order. Only what they need is computed: all of them take 65 ms
/// for N = 50 000, d = 64, C = 100 on one core (AMD EPYC, AVX2), and 0.84 s for d = 512, C = 10, most of it
/// for markou's vci, the one that needs S_W on all dimensions. Sums run in the order of the samples and the
/// classes, so that equal inputs give equal bits on any number of threads; with markou among the sources the
/// others' nc1 may round differently when C <= d. Throws what `class_means` throws; Error for an unknown
/// source, one that is named twice, and a classifier that is not finite; ShapeError when the classifier does
/// not fit the features.
template <class Real>
std::vector<std::pair<std::string, double>> measure_conventions(std::span<const std::string> sources,
                                                                const BasicFeatureView<Real>& view,
                                                                const LinearClassifier& classifier);

}  // namespace gnc
