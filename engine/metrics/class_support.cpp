#include "engine/metrics/class_support.h"

#include <algorithm>

#include "engine/error.h"

namespace gnc {

Eigen::MatrixXd rows_of_class(std::span<const float> values, std::span<const std::int32_t> labels,
                              int label) {
  const auto width = static_cast<Eigen::Index>(values.size() / labels.size());
  Eigen::MatrixXd rows(std::ranges::count(labels, label), width);
  Eigen::Index row = 0;
  for (std::size_t n = 0; n < labels.size(); ++n)
    if (labels[n] == label)
      rows.row(row++) =
          Eigen::Map<const Eigen::RowVectorXf>(values.data() + static_cast<Eigen::Index>(n) * width, width)
              .cast<double>();
  return rows;
}

std::vector<ClassSupport> class_supports(std::span<const float> inputs, std::span<const std::int32_t> labels,
                                         int classes) {
  require<ShapeError>(!labels.empty() && inputs.size() % labels.size() == 0,
                      "class_supports: {} labels and {} input values do not fit together", labels.size(),
                      inputs.size());
  for (const std::int32_t label : labels)
    require(label >= 0 && label < classes, "class_supports: label {} is not in [0,{})", label, classes);
  std::vector<ClassSupport> supports;
  for (int label = 0; label < classes; ++label) {
    const Eigen::MatrixXd rows = rows_of_class(inputs, labels, label);
    require(rows.rows() > 0, "--bounds: class {} has no training picture", label);
    Eigen::MatrixXd distances = pairwise_distances(rows);
    const Eigen::VectorXd squares = rows.rowwise().squaredNorm();
    const GreedyNet net(distances);
    const double dimension = intrinsic_dimension(distances);
    supports.push_back({.distances = std::move(distances),
                        .net = net,
                        .dimension = dimension,
                        .mean_square = squares.mean(),
                        .largest_square = squares.maxCoeff(),
                        .values = rows.cols()});
  }
  return supports;
}

}  // namespace gnc
