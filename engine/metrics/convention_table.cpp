#include "engine/metrics/convention_table.h"

#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/metrics/convention_forms.h"
#include "engine/metrics/one_vs_rest.h"

namespace gnc {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using In = ConventionInputs;

// The two global means.

MatrixXd about_samples(const Moments& moments) { return moments.means.colwise() - moments.sample_mean; }
MatrixXd about_classes(const Moments& moments) { return moments.means.colwise() - moments.class_mean; }
MatrixXd by_samples(const In& in) { return about_samples(in.moments.raw); }
MatrixXd by_classes(const In& in) { return about_classes(in.moments.raw); }

/// w_c − mean_c w_c.
MatrixXd centred_classifier(const In& in) {
  const VectorXd mean = in.classifier.rowwise().mean();
  return in.classifier.colwise() - mean;
}

// Forms that several sources share.

double nc1_by_samples(const In& in) {
  return within_over_between(in.moments.raw, in.moments.raw.sample_mean) / in.classes();
}
double nc1_by_classes(const In& in) { return within_over_between(in.moments.raw, in.moments.raw.class_mean); }

/// ‖Wᵀμ_G + b‖.
double bias_collapse(const In& in) {
  return (column_products(in.classifier, in.moments.raw.sample_mean) + in.bias).norm();
}

double unbiased_variation(const MatrixXd& vectors) {
  const Spread norms = spread(vectors.colwise().norm().transpose());
  return norms.unbiased / norms.mean;
}
double biased_variation(const VectorXd& values) {
  const Spread all = spread(values);
  return all.biased / all.mean;
}
double norm_variation(const MatrixXd& vectors) {
  return biased_variation(vectors.colwise().norm().transpose());
}

double share(const std::vector<std::int64_t>& hits, const std::vector<std::int64_t>& counts) {
  const auto sum = [](const std::vector<std::int64_t>& all) {
    return static_cast<double>(std::accumulate(all.begin(), all.end(), std::int64_t{0}));
  };
  return sum(hits) / sum(counts);
}
double share_by_class(const std::vector<std::int64_t>& hits, const std::vector<std::int64_t>& counts) {
  double sum = 0;
  for (std::size_t y = 0; y < hits.size(); ++y) {
    sum += static_cast<double>(hits[y]) / static_cast<double>(counts[y]);
  }
  return sum / static_cast<double>(hits.size());
}
double mismatch(const In& in) { return 1 - share(in.decisions.agreements, in.moments.raw.counts); }

/// mean_{a<b} (v_a + v_b)/(2‖μ_a − μ_b‖²).
double cdnv(const In& in) {
  return pair_variances(in.moments.raw.means, in.moments.raw.class_variances()).mean();
}

/// Largest value; NaN when there is one.
double largest(const VectorXd& values) { return values.maxCoeff<Eigen::PropagateNaN>(); }
double max_cosine(const MatrixXd& vectors) { return largest(pair_cosines(vectors)); }
double max_abs_cosine(const MatrixXd& vectors) { return largest(pair_cosines(vectors).cwiseAbs()); }
double rankin_gap(const In& in, const MatrixXd& vectors) {
  return max_cosine(vectors) - rankin_bound(in.dimension(), in.classes());
}
double welch_gap(const In& in, const MatrixXd& vectors) {
  return max_abs_cosine(vectors) - welch_bound(in.dimension(), in.classes());
}

/// The off-diagonal upper triangle of cos(μ_i − μ_G, w_j).
VectorXd cross_cosines(const In& in) {
  return upper_triangle(column_products(unit_columns(by_samples(in)), unit_columns(in.classifier)));
}
/// cos(v_c, w_c) of each class.
VectorXd dual_cosines(const MatrixXd& vectors, const MatrixXd& classifier) {
  return unit_columns(vectors).cwiseProduct(unit_columns(classifier)).colwise().sum().transpose();
}

// fang: minority_collapse.py.

constexpr std::array kFang{
    ConventionColumn{"equinorm_means", [](const In& in) { return norm_variation(by_samples(in)); }},
    ConventionColumn{"equinorm_classifier", [](const In& in) { return norm_variation(in.classifier); }},
    ConventionColumn{"cosine_mean_means",
                     [](const In& in) { return spread(pair_cosines(by_samples(in))).mean; }},
    ConventionColumn{"cosine_std_means",
                     [](const In& in) { return spread(pair_cosines(by_samples(in))).biased; }},
    ConventionColumn{"cosine_mean_classifier",
                     [](const In& in) { return spread(pair_cosines(in.classifier)).mean; }},
    ConventionColumn{"cosine_std_classifier",
                     [](const In& in) { return spread(pair_cosines(in.classifier)).biased; }},
    ConventionColumn{"equiangular_means", [](const In& in) { return equiangularity(by_samples(in)); }},
    ConventionColumn{"equiangular_classifier", [](const In& in) { return equiangularity(in.classifier); }},
    ConventionColumn{"dual_distance",
                     [](const In& in) { return dual_distance(in.classifier, by_samples(in)); }},
    ConventionColumn{"dual_distance_squared",
                     [](const In& in) { return std::pow(dual_distance(in.classifier, by_samples(in)), 2); }},
    // Mean over classes of mean_i ‖h_{c,i} − μ_G‖².
    ConventionColumn{"squared_feature_norm",
                     [](const In& in) {
                       return in.moments.raw.class_variances().mean() +
                              by_samples(in).squaredNorm() / in.classes();
                     }},
};

// frame: the paper's own quantities and those of frame theory.

constexpr std::array kFrame{
    ConventionColumn{"max_cosine_means", [](const In& in) { return max_cosine(in.moments.raw.means); }},
    ConventionColumn{"max_cosine_centred_means", [](const In& in) { return max_cosine(by_classes(in)); }},
    ConventionColumn{"max_cosine_classifier", [](const In& in) { return max_cosine(in.classifier); }},
    ConventionColumn{"max_abs_cosine_means",
                     [](const In& in) { return max_abs_cosine(in.moments.raw.means); }},
    ConventionColumn{"max_abs_cosine_centred_means",
                     [](const In& in) { return max_abs_cosine(by_classes(in)); }},
    ConventionColumn{"max_abs_cosine_classifier", [](const In& in) { return max_abs_cosine(in.classifier); }},
    ConventionColumn{"rankin_gap_means", [](const In& in) { return rankin_gap(in, in.moments.raw.means); }},
    ConventionColumn{"rankin_gap_centred_means", [](const In& in) { return rankin_gap(in, by_classes(in)); }},
    ConventionColumn{"rankin_gap_classifier", [](const In& in) { return rankin_gap(in, in.classifier); }},
    ConventionColumn{"welch_gap_means", [](const In& in) { return welch_gap(in, in.moments.raw.means); }},
    ConventionColumn{"welch_gap_centred_means", [](const In& in) { return welch_gap(in, by_classes(in)); }},
    ConventionColumn{"welch_gap_classifier", [](const In& in) { return welch_gap(in, in.classifier); }},
    ConventionColumn{"potential_means", [](const In& in) { return frame_potential(in.moments.raw.means); }},
    ConventionColumn{"potential_centred_means", [](const In& in) { return frame_potential(by_classes(in)); }},
    ConventionColumn{"potential_classifier", [](const In& in) { return frame_potential(in.classifier); }},
    ConventionColumn{"tightness_means", [](const In& in) { return tightness(in.moments.raw.means); }},
    ConventionColumn{"tightness_centred_means", [](const In& in) { return tightness(by_classes(in)); }},
    ConventionColumn{"tightness_classifier", [](const In& in) { return tightness(in.classifier); }},
    ConventionColumn{"gram_error_means",
                     [](const In& in) {
                       return simplex_gram_error(column_products(in.moments.raw.means, in.moments.raw.means));
                     }},
    ConventionColumn{
        "gram_error_centred_means",
        [](const In& in) { return simplex_gram_error(column_products(by_classes(in), by_classes(in))); }},
    ConventionColumn{
        "gram_error_classifier",
        [](const In& in) { return simplex_gram_error(column_products(in.classifier, in.classifier)); }},
    ConventionColumn{"gram_error_floor",
                     [](const In& in) { return simplex_gram_floor(in.dimension(), in.classes()); }},
    ConventionColumn{"feature_norm_mean", [](const In& in) { return in.moments.mean_norm; }},
    ConventionColumn{"feature_norm_std", [](const In& in) { return in.moments.norm_deviation; }},
};

// galanti: analysis.py.

constexpr std::array kGalanti{ConventionColumn{"cdnv", cdnv}};

// jiang: GNC1.py, GNC2.py, GNC3.py, NCC.py, hardmax_solution.py, softmax_codes.py.

constexpr std::array kJiang{
    ConventionColumn{"gnc1",
                     [](const In& in) {
                       const Moments& moments = *in.moments.normalised;
                       return within_over_between(moments, moments.sample_mean) / in.classes();
                     }},
    ConventionColumn{
        "one_vs_rest",
        [](const In& in) { return one_vs_rest_distances(in.classifier).minCoeff<Eigen::PropagateNaN>(); }},
    ConventionColumn{"gnc3",
                     [](const In& in) {
                       return 1 - dual_cosines(about_samples(*in.moments.normalised), in.classifier).mean();
                     }},
    ConventionColumn{"ncc_accuracy",
                     [](const In& in) { return share(in.decisions.normalised_hits, in.moments.raw.counts); }},
    // max_{i≠j} <w_j − w_i, h_i>, w_c unit, h_c the unit class mean of normalised features.
    ConventionColumn{"hardmax",
                     [](const In& in) {
                       const MatrixXd logits =
                           column_products(unit_columns(in.classifier),
                                           unit_columns(in.moments.normalised->means));  // [j,i]
                       double most = -std::numeric_limits<double>::infinity();
                       for (Eigen::Index i = 0; i < logits.cols(); ++i) {
                         for (Eigen::Index j = 0; j < logits.rows(); ++j) {
                           const double value = logits(j, i) - logits(i, i);
                           if (i != j && !(value <= most)) most = std::isnan(most) ? most : value;
                         }
                       }
                       return most;
                     }},
    ConventionColumn{"max_cosine", [](const In& in) { return max_cosine(in.classifier); }},
};

// liu: HUG_MHE, minimum hyperspherical energy with s = 2.

constexpr std::array kLiu{
    ConventionColumn{
        "uniformity",
        [](const In& in) { return pair_distances(in.classifier).array().square().inverse().mean(); }},
    ConventionColumn{"concentration", [](const In& in) { return in.decisions.concentration.mean(); }},
};

// los: evaluate.py.

constexpr std::array kLos{
    ConventionColumn{"nc1", nc1_by_samples},
    ConventionColumn{"nc2",
                     [](const In& in) {
                       const MatrixXd centred = centred_classifier(in);
                       return simplex_gram_error(column_products(centred, centred));
                     }},
    ConventionColumn{"nc3",
                     [](const In& in) {
                       return simplex_gram_error(column_products(centred_classifier(in), by_samples(in)));
                     }},
    ConventionColumn{"nc4", bias_collapse},
};

double zhu_nc2(const In& in) { return simplex_gram_error(column_products(in.classifier, in.classifier)); }
double zhu_nc3(const In& in) { return simplex_gram_error(column_products(in.classifier, by_samples(in))); }

// markou: nc/validate_NC.py.

constexpr std::array kMarkou{
    ConventionColumn{"nc1", nc1_by_samples},
    ConventionColumn{
        "vci",
        [](const In& in) { return variability_collapse_index(in.moments.raw, in.moments.raw.sample_mean); }},
    ConventionColumn{"nc2", zhu_nc2},
    ConventionColumn{"nc3", zhu_nc3},
    ConventionColumn{"nc4", bias_collapse},
    ConventionColumn{"equinorm_means", [](const In& in) { return unbiased_variation(by_samples(in)); }},
    ConventionColumn{"equinorm_classifier", [](const In& in) { return unbiased_variation(in.classifier); }},
    ConventionColumn{"equinorm_difference",
                     [](const In& in) {
                       return std::abs(unbiased_variation(by_samples(in)) -
                                       unbiased_variation(in.classifier));
                     }},
    ConventionColumn{"ncc_mismatch", mismatch},
};

// nc_toolbox: nc_toolbox/metrics.py and statistic.py. Its class variances divide by n_c − 1.

constexpr std::array kNcToolbox{
    ConventionColumn{"cdnv_variation",
                     [](const In& in) {
                       VectorXd variances = in.moments.raw.class_variances();
                       for (Eigen::Index c = 0; c < variances.size(); ++c) {
                         const auto count =
                             static_cast<double>(in.moments.raw.counts[static_cast<std::size_t>(c)]);
                         variances[c] *= count / (count - 1);
                       }
                       return biased_variation(pair_variances(in.moments.raw.means, variances));
                     }},
    ConventionColumn{"equinorm_variation",
                     [](const In& in) {
                       const VectorXd logs = by_samples(in).colwise().norm().transpose().array().log();
                       const MatrixXd differences =
                           logs.replicate(1, logs.size()) - logs.transpose().replicate(logs.size(), 1);
                       return biased_variation(upper_triangle(differences));
                     }},
    ConventionColumn{"equiangular_variation",
                     [](const In& in) {
                       return biased_variation(
                           (pair_cosines(by_samples(in)).array() + 1 / (in.classes() - 1.0)).matrix());
                     }},
    ConventionColumn{"log_distance_variation",
                     [](const In& in) {
                       return biased_variation((-pair_distances(by_samples(in)).array().log()).matrix());
                     }},
    ConventionColumn{"self_duality",
                     [](const In& in) { return dual_distance(in.classifier, by_samples(in)); }},
    // Of cos(w_i, μ_j − μ_G) for i < j: the diagonal is not in it.
    ConventionColumn{"uniform_duality_variation",
                     [](const In& in) {
                       return biased_variation(upper_triangle(
                           column_products(unit_columns(in.classifier), unit_columns(by_samples(in)))));
                     }},
    ConventionColumn{
        "agreement",
        [](const In& in) { return share(in.decisions.agreements_unbiased, in.moments.raw.counts); }},
};

// papyan: neuralcollapse.ipynb.

constexpr std::array kPapyan{
    ConventionColumn{"nc1", nc1_by_classes},
    ConventionColumn{"equinorm_means", [](const In& in) { return unbiased_variation(by_classes(in)); }},
    ConventionColumn{"equinorm_classifier", [](const In& in) { return unbiased_variation(in.classifier); }},
    ConventionColumn{"equiangular_means", [](const In& in) { return equiangularity(by_classes(in)); }},
    ConventionColumn{"equiangular_classifier", [](const In& in) { return equiangularity(in.classifier); }},
    ConventionColumn{"nc3",
                     [](const In& in) { return std::pow(dual_distance(in.classifier, by_classes(in)), 2); }},
    ConventionColumn{"nc4", mismatch},
};

// rangamani: src/Measurer.py. Classes weigh equally in the traces.

double trace_between(const In& in) { return by_samples(in).squaredNorm() / in.classes(); }

constexpr std::array kRangamani{
    ConventionColumn{"nc1", nc1_by_samples},
    ConventionColumn{"trace_within", [](const In& in) { return in.moments.raw.class_variances().mean(); }},
    ConventionColumn{"trace_between", trace_between},
    ConventionColumn{
        "cdnv",
        [](const In& in) {
          return pair_variances(in.moments.raw.means, in.moments.raw.class_variances(), 1e-15).mean();
        }},
    ConventionColumn{"ncc_accuracy",
                     [](const In& in) { return share(in.decisions.nearest_hits, in.moments.raw.counts); }},
};

// seleznova: vgg_ntk_collapse.py.

constexpr std::array kSeleznova{
    // Mean over classes and components of the standard deviation within a class.
    ConventionColumn{"nc1", [](const In& in) { return in.moments.raw.variances.cwiseSqrt().mean(); }},
    ConventionColumn{
        "nc2",
        [](const In& in) { return simplex_gram_error(column_products(by_classes(in), by_classes(in))); }},
    ConventionColumn{"nc3", [](const In& in) { return dual_distance(in.classifier, by_classes(in)); }},
};

// wu: neural_collapse/measure.py and kernels.py.

/// sign(s) dist^{−s} with s = d − 2, on centred class means; s = 0 counts as positive.
VectorXd riesz(const In& in) {
  const int s = in.dimension() - 2;
  return (s < 0 ? -1.0 : 1.0) * pair_distances(by_classes(in)).array().pow(-s);
}
VectorXd log_distances(const In& in) { return -pair_distances(by_classes(in)).array().log(); }
double variance(const VectorXd& values) { return (values.array() - values.mean()).square().mean(); }

constexpr std::array kWu{
    // Its svd variant is the same number in the eigen form.
    ConventionColumn{"nc1_pinv", [](const In& in) { return nc1_by_classes(in) / in.classes(); }},
    ConventionColumn{"nc1_quotient",
                     [](const In& in) {
                       // Tr S_W, samples weighing equally.
                       const VectorXd variances = in.moments.raw.class_variances();
                       double within = 0;
                       double samples = 0;
                       for (Eigen::Index c = 0; c < variances.size(); ++c) {
                         const auto count =
                             static_cast<double>(in.moments.raw.counts[static_cast<std::size_t>(c)]);
                         within += count * variances[c];
                         samples += count;
                       }
                       return within / samples / (by_classes(in).squaredNorm() / in.classes());
                     }},
    ConventionColumn{"cdnv", cdnv},
    ConventionColumn{
        "simplex_etf_error",
        [](const In& in) { return simplex_gram_error(column_products(by_classes(in), by_classes(in))); }},
    ConventionColumn{"distance_mean", [](const In& in) { return pair_distances(by_classes(in)).mean(); }},
    ConventionColumn{"distance_variance",
                     [](const In& in) { return variance(pair_distances(by_classes(in))); }},
    ConventionColumn{"log_distance_mean", [](const In& in) { return log_distances(in).mean(); }},
    ConventionColumn{"log_distance_variance", [](const In& in) { return variance(log_distances(in)); }},
    ConventionColumn{"riesz_mean", [](const In& in) { return riesz(in).mean(); }},
    ConventionColumn{"riesz_variance", [](const In& in) { return variance(riesz(in)); }},
    ConventionColumn{
        "self_duality_error",
        [](const In& in) { return simplex_gram_error(column_products(in.classifier, by_classes(in))); }},
    ConventionColumn{
        "agreement",
        [](const In& in) { return share(in.decisions.agreements_unbiased, in.moments.raw.counts); }},
    ConventionColumn{
        "agreement_by_class",
        [](const In& in) { return share_by_class(in.decisions.agreements_unbiased, in.moments.raw.counts); }},
};

// yang: validate() of train.py.

constexpr std::array kYang{
    ConventionColumn{"cosine_mean_means",
                     [](const In& in) { return spread(pair_cosines(by_samples(in))).mean; }},
    ConventionColumn{"cosine_std_means",
                     [](const In& in) { return spread(pair_cosines(by_samples(in))).unbiased; }},
    ConventionColumn{"cosine_mean_classifier",
                     [](const In& in) { return spread(pair_cosines(in.classifier)).mean; }},
    ConventionColumn{"cosine_std_classifier",
                     [](const In& in) { return spread(pair_cosines(in.classifier)).unbiased; }},
    ConventionColumn{"cosine_mean_cross", [](const In& in) { return spread(cross_cosines(in)).mean; }},
    ConventionColumn{"cosine_std_cross", [](const In& in) { return spread(cross_cosines(in)).unbiased; }},
    ConventionColumn{"dual_cosine_mean",
                     [](const In& in) { return spread(dual_cosines(by_samples(in), in.classifier)).mean; }},
    ConventionColumn{
        "dual_cosine_std",
        [](const In& in) { return spread(dual_cosines(by_samples(in), in.classifier)).unbiased; }},
    ConventionColumn{"nc3",
                     [](const In& in) { return std::pow(dual_distance(in.classifier, by_samples(in)), 2); }},
};

// yaras: generalized_model.py.

constexpr std::array kYaras{
    ConventionColumn{"nc1", nc1_by_samples},
    ConventionColumn{"nc2", zhu_nc2},
    ConventionColumn{"nc3",
                     [](const In& in) {
                       return simplex_gram_error(column_products(in.classifier, in.moments.raw.means));
                     }},
};

// zhu: validate_NC.py.

constexpr std::array kZhu{
    ConventionColumn{"nc1", nc1_by_samples},
    ConventionColumn{"nc2", zhu_nc2},
    ConventionColumn{"nc3", zhu_nc3},
    ConventionColumn{"nc4", bias_collapse},
};

constexpr MomentNeeds kMeans{};
constexpr MomentNeeds kWithin{.raw = WithinCovariance::kBetweenClasses};
constexpr MomentNeeds kNormalisedWithin{.normalised = true,
                                        .normalised_within = WithinCovariance::kBetweenClasses};

const std::array kTable{
    Convention{"fang", kMeans, {}, kFang},
    Convention{"frame", kMeans, {}, kFrame},
    Convention{"galanti", kMeans, {}, kGalanti},
    Convention{"jiang", kNormalisedWithin, {.normalised = true}, kJiang},
    Convention{"liu", {.normalised = true}, {.normalised = true}, kLiu},
    Convention{"los", kWithin, {}, kLos},
    Convention{"markou", {.raw = WithinCovariance::kFull}, {.agreement = true}, kMarkou},
    Convention{"nc_toolbox", kMeans, {.agreement = true}, kNcToolbox},
    Convention{"papyan", kWithin, {.agreement = true}, kPapyan},
    Convention{"rangamani", kWithin, {.nearest = true}, kRangamani},
    Convention{"seleznova", kMeans, {}, kSeleznova},
    Convention{"wu", kWithin, {.agreement = true}, kWu},
    Convention{"yang", kMeans, {}, kYang},
    Convention{"yaras", kWithin, {}, kYaras},
    Convention{"zhu", kWithin, {}, kZhu},
};

}  // namespace

std::span<const Convention> convention_table() { return kTable; }

}  // namespace gnc
