#include "engine/metrics/conventions.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/metrics/convention_table.h"
#include "engine/nearest_name.h"

namespace gnc {
namespace {

const Convention& convention(std::string_view source) {
  for (const Convention& known : convention_table()) {
    if (known.name == source) return known;
  }
  throw Error(unknown_name(source, "a collapse convention", convention_names()));
}

std::string column_name(const Convention& known, const ConventionColumn& column) {
  return std::string(known.name) + "_" + std::string(column.name);
}

template <class Real>
void check_classifier(const BasicFeatureView<Real>& view, const LinearClassifier& classifier) {
  const Eigen::MatrixXd& weights = classifier.weights;
  require<ShapeError>(weights.rows() == view.feature_dim && weights.cols() == view.num_classes,
                      "measure_conventions: classifier [{},{}] for features of dimension {} and {} classes; "
                      "expected [{},{}]",
                      weights.rows(), weights.cols(), view.feature_dim, view.num_classes, view.feature_dim,
                      view.num_classes);
  require<ShapeError>(classifier.bias.size() == 0 || classifier.bias.size() == view.num_classes,
                      "measure_conventions: a bias of {} numbers for {} classes; expected {}, or none",
                      classifier.bias.size(), view.num_classes, view.num_classes);
  for (Eigen::Index y = 0; y < weights.cols(); ++y) {
    require(weights.col(y).allFinite(), "measure_conventions: column {} of the classifier is not finite", y);
  }
  require(classifier.bias.allFinite(), "measure_conventions: the classifier's bias is not finite");
}

}  // namespace

std::vector<std::string> convention_names() {
  std::vector<std::string> names;
  for (const Convention& known : convention_table()) names.emplace_back(known.name);
  return names;
}

std::vector<std::string> convention_columns(std::string_view source) {
  const Convention& known = convention(source);
  std::vector<std::string> names;
  for (const ConventionColumn& column : known.columns) names.push_back(column_name(known, column));
  return names;
}

template <class Real>
std::vector<std::pair<std::string, double>> measure_conventions(std::span<const std::string> sources,
                                                                const BasicFeatureView<Real>& view,
                                                                const LinearClassifier& classifier) {
  MomentNeeds moment_needs;
  DecisionNeeds decision_needs;
  for (auto source = sources.begin(); source != sources.end(); ++source) {
    require(std::find(sources.begin(), source, *source) == source,
            "measure_conventions: '{}' is named twice; expected each convention once", *source);
    const Convention& known = convention(*source);
    moment_needs.raw = std::max(moment_needs.raw, known.moments.raw);
    moment_needs.normalised |= known.moments.normalised;
    moment_needs.normalised_within =
        std::max(moment_needs.normalised_within, known.moments.normalised_within);
    decision_needs.agreement |= known.decisions.agreement;
    decision_needs.nearest |= known.decisions.nearest;
    decision_needs.normalised |= known.decisions.normalised;
  }
  check_classifier(view, classifier);
  const FeatureMoments moments = feature_moments(view, moment_needs);
  const Decisions decisions = count_decisions(view, moments, classifier, decision_needs);
  const Eigen::VectorXd bias =
      classifier.bias.size() == 0 ? Eigen::VectorXd::Zero(view.num_classes) : classifier.bias;
  const ConventionInputs inputs{
      .moments = moments, .decisions = decisions, .classifier = classifier.weights, .bias = bias};
  std::vector<std::pair<std::string, double>> values;
  for (const std::string& source : sources) {
    const Convention& known = convention(source);
    for (const ConventionColumn& column : known.columns) {
      values.emplace_back(column_name(known, column), column.measure(inputs));
    }
  }
  return values;
}

template std::vector<std::pair<std::string, double>> measure_conventions(std::span<const std::string>,
                                                                         const BasicFeatureView<float>&,
                                                                         const LinearClassifier&);
template std::vector<std::pair<std::string, double>> measure_conventions(std::span<const std::string>,
                                                                         const BasicFeatureView<double>&,
                                                                         const LinearClassifier&);

}  // namespace gnc
