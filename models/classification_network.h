#pragma once
/// A backbone and what turns its output into logits: optional projection, optional sphere, classifier.

#include <memory>

#include "engine/modules/linear.h"
#include "engine/network.h"
#include "models/backbone.h"

namespace gnc {

/// Who moves the classifier.
enum class ClassifierKind : std::uint8_t {
  kFixed,    ///< nobody: a frame, installed once (models/fixed_classifier.h)
  kLearned,  ///< training: a linear layer, which starts as the model's origin has it (Backbone)
};

/// When a linear layer with bias, and nothing behind it, is attached to the backbone ("projection").
enum class Projection : std::uint8_t {
  kAuto,    ///< where the backbone's dimension is not the feature dimension
  kAlways,  ///< even where it is, as the paper's text has it
  kNone,    ///< never: other dimensions are an error
};

/// What stands behind the backbone.
struct HeadOptions {
  int feature_dim = 0;  ///< d
  int num_classes = 0;  ///< C
  ClassifierKind classifier = ClassifierKind::kFixed;
  Bias bias = Bias::kYes;  ///< of a learned classifier; a fixed one has none
  Projection projection = Projection::kAuto;
  /// Features are z/(τ‖z‖): logits = <M_y, z/‖z‖>/τ + b_y. The features that a Network gives are these, so
  /// they lie on the sphere of radius 1/τ.
  bool has_unit_features = false;
  double temperature = 1;  ///< τ of unit features, is_temperature()
};

/// Whether τ is in [1e-6, 1e6]: beyond, squares of features on the sphere of radius 1/τ come near fp32's
/// ends.
bool is_temperature(double temperature);

/// Parameters are the backbone's, "projection.weight" and "projection.bias" where there is one, and
/// Backbone::classifier's ".weight" [C,d] (and ".bias" [C]). A projection in front of a fixed classifier,
/// without sphere and under plain cross-entropy, is trained by the op FixedClassifierLoss; everything else by
/// the layers' own. Throws UsageError naming both dimensions where there is no projection and they differ.
std::unique_ptr<Network> build_classification_network(const BackboneEntry& backbone,
                                                      const BackboneOptions& options,
                                                      const HeadOptions& head);

}  // namespace gnc
