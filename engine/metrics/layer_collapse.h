#pragma once
/// Collapse before the last layer: how far each layer's output has collapsed.

#include <Eigen/Core>

#include <string>
#include <utility>
#include <vector>

#include "engine/metrics/features.h"

namespace gnc {

/// The scalars of one layer's output, by their definitions in engine/metrics/neural_collapse.h and
/// engine/metrics/convention_forms.h; of the training pictures unless it says otherwise. Frame and classifier
/// do not enter, so that layers of any width compare.
struct LayerCollapse {
  double within_between_pinv = 0;      ///< Tr(S_W S_B⁺)/C
  double within_between_quotient = 0;  ///< Tr S_W / Tr S_B
  /// Mean over pairs of (v_i + v_j)/(2‖μ_i − μ_j‖²), class-distance-normalised variance (Galanti, György,
  /// Hutter 2022).
  double cdnv = 0;
  double equinorm = 0;          ///< biased std of ‖μ_c − μ_G‖ over classes over their mean
  double equiangular = 0;       ///< mean |cos(μ_i − μ_G, μ_j − μ_G) + 1/(C−1)|
  double max_cosine_means = 0;  ///< largest cosine of two class means, not centred
  /// nearest_mean_accuracy() by the class means of the training pictures, for both splits (Ben-Shaul, Dekel
  /// 2022).
  double nearest_mean_accuracy = 0;
  double test_nearest_mean_accuracy = 0;
  Eigen::MatrixXd class_means;  ///< [width,C]
};

/// `train` [N,width] of one layer; all but test_nearest_mean_accuracy. Throws what class_means() throws.
LayerCollapse measure_layer(const FeatureView& train);

/// Share of the samples whose nearest column of `means` [width,C] is their own class's, the first at ties.
/// Throws ShapeError where the two do not fit.
double nearest_mean_accuracy(const FeatureView& view, const Eigen::MatrixXd& means);

/// As columns, by the names above.
std::vector<std::pair<std::string, double>> columns(const LayerCollapse& layer);
std::vector<std::string> layer_column_names();

}  // namespace gnc
