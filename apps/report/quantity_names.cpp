#include "apps/report/quantity_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/metrics/conventions.h"

namespace gnc {
namespace {

struct Known {
  std::string_view column;
  const char* title;
  const char* unit = "";
};

constexpr auto kKnown = std::to_array<Known>({
    // results
    {"train_ce", "training cross-entropy", "nats"},
    {"train_accuracy", "training accuracy", "%"},
    {"test_ce", "test cross-entropy", "nats"},
    {"test_accuracy", "test accuracy", "%"},
    {"seconds", "time", "s"},
    {"images_per_second", "pictures per second"},
    {"metrics_share", "share of the epochs' time that metrics took"},
    {"planned_memory_bytes", "planned memory", "bytes"},
    {"peak_memory_bytes", "peak memory", "bytes"},
    {"ensemble", "runs trained together"},
    {"terminal_phase_epoch", "epoch in which the terminal phase begins"},
    {"similarity_alignment", "alignment with class similarity, Σ s⟨M,M⟩"},
    {"lr", "learning rate"},
    // collapse
    {"nc1", "NC1"},
    {"nc2", "NC2"},
    {"nc3", "NC3"},
    {"nc4", "NC4"},
    {"max_cosine_means", "largest cosine of class means"},
    {"max_cosine_classifier", "largest cosine of classifier vectors"},
    {"dual_distance", "distance of features to classifier vectors"},
    {"within_between_pinv", "NC1 as Tr(S_W S_B⁺)/C"},
    {"between_rank", "rank of S_B"},
    {"within_between_quotient", "NC1 as Tr S_W / Tr S_B"},
    {"equinorm", "equinorm: variation of the means' norms"},
    {"equiangular", "equiangular: mean |cos + 1/(C−1)|"},
    {"self_duality", "self-duality: ‖M/‖M‖ − Ż/‖Ż‖‖²"},
    {"mean_offset", "offset of the global mean"},
    {"smallest_margin", "smallest margin γ"},
    {"mean_margin", "mean margin γ"},
    {"smallest_minority_margin", "smallest margin γ of minority classes"},
    {"minority_cosine", "mean cosine of minority classifier vectors"},
    {"nearest_mean_accuracy", "nearest-mean accuracy, training set", "%"},
    {"test_nearest_mean_accuracy", "nearest-mean accuracy, test set", "%"},
    {"cdnv", "NC1 as CDNV"},
    // theory
    {"margin_bound", "margin bound (Theorem 3.8)"},
    {"margin_bound_rademacher", "margin bound: Rademacher term"},
    {"margin_bound_rademacher_spectral", "margin bound: Rademacher term by spectral norms"},
    {"margin_bound_logarithm", "margin bound: logarithmic term"},
    {"margin_bound_probability", "margin bound: probability term"},
    {"margin_bound_minority", "margin bound: part of minority classes"},
    {"unseparated_pairs", "pairs of classes that are not separated"},
    {"margin_lemma_residual", "residual of Lemma 3.7"},
    {"lipschitz_secant", "Lipschitz constant from below, by secants"},
    {"lipschitz_gradient", "Lipschitz constant from below, by Jacobians"},
    {"lipschitz_norms", "Lipschitz constant from above, by norms"},
    {"intrinsic_dimension", "intrinsic dimension of a class"},
    {"covering_radius", "covering radius ε (Theorem 4.2)"},
    {"covering_error_net", "Theorem 4.2 by greedy nets"},
    {"covering_classes_sampled_enough", "classes sampled enough for Theorem 4.2"},
    {"covering_log10_error", "log₁₀ of Theorem 4.2, L from below"},
    {"covering_log10_error_norms", "log₁₀ of Theorem 4.2, L from above"},
    {"covering_log10_error_collapsed", "log₁₀ of Theorem 4.2, collapsed form"},
    // attacks
    {"robust_clean_accuracy", "accuracy before attacks", "%"},
    {"robust_fgsm_accuracy", "accuracy under FGSM", "%"},
    {"robust_pgd_accuracy", "accuracy under PGD", "%"},
    {"deepfool_fooled", "share fooled by DeepFool"},
    {"deepfool_distance", "DeepFool distance, mean"},
    {"deepfool_distance_median", "DeepFool distance, median"},
    // columns of the report's tables
    {"vary", "varied"},
    {"mean_lower", "mean: 95 % from"},
    {"mean_upper", "mean: to"},
    {"population_deviation", "std (population)"},
    {"sample_deviation", "std (sample)"},
    {"sample_deviation_lower", "std: 95 % from"},
    {"sample_deviation_upper", "std: to"},
    {"control_runs", "control's runs"},
    {"deviation_ratio", "std / control's std"},
    {"deviation_ratio_lower", "ratio: 95 % from"},
    {"deviation_ratio_upper", "ratio: to"},
    {"brown_forsythe", "Brown–Forsythe F"},
    {"p_value", "p"},
    {"permutation_p_value", "p by permutation"},
    {"mean_difference", "mean − control's mean"},
    {"mean_difference_lower", "difference: 95 % from"},
    {"mean_difference_upper", "difference: to"},
    {"mean_p_value", "p of the difference (one draw of the seed)"},
    {"cliffs_delta", "Cliff's δ"},
    {"rho", "Spearman's ρ"},
    {"rho_lower", "ρ: 95 % from"},
    {"rho_upper", "ρ: to"},
    {"begins", "terminal phase begins in epoch"},
    {"start", "at its first measurement"},
    {"end", "at its last"},
    {"change_lower", "change: 95 % from"},
    {"change_upper", "change: to"},
    {"rose", "runs in which it rose"},
    {"z0", "feature z₀"},
    {"z1", "feature z₁"},
    {"z2", "feature z₂"},
});

std::optional<QuantityName> known(std::string_view column) {
  const auto found = std::ranges::find(kKnown, column, &Known::column);
  if (found == kKnown.end()) return std::nullopt;
  const std::string unit = found->unit;
  return QuantityName{found->title, unit, unit == "%" ? 100.0 : 1.0};
}

QuantityName in_words(std::string_view column) {
  std::string title(column);
  std::ranges::replace(title, '_', ' ');
  if (title.ends_with("accuracy")) return {title, "%", 100};
  return {title};
}

}  // namespace

std::string QuantityName::with_unit() const {
  return unit.empty() ? title : fmt::format("{} ({})", title, unit);
}

QuantityName quantity_name(std::string_view column) {
  if (std::optional<QuantityName> name = known(column)) return *name;
  constexpr std::string_view kTest = "test_";
  if (column.starts_with(kTest)) {
    QuantityName name = quantity_name(column.substr(kTest.size()));
    name.title += ", test set";
    return name;
  }
  for (const std::string& source : convention_names()) {
    if (!column.starts_with(source + "_")) continue;
    const std::string_view rest = column.substr(source.size() + 1);
    QuantityName name = known(rest).value_or(in_words(rest));
    name.title += fmt::format(" ({})", source);
    return name;
  }
  return in_words(column);
}

}  // namespace gnc
