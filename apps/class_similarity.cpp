#include "apps/class_similarity.h"

#include <filesystem>

#include "apps/data_options.h"
#include "apps/options.h"
#include "engine/error.h"
#include "engine/file.h"
#include "models/npy.h"

namespace gnc {
namespace {

constexpr std::string_view kSources = "FILE.npy, means:DIR, confusions:DIR or data:SPEC";

Eigen::MatrixXd read_matrix(const std::filesystem::path& file) {
  return parse_npy(read_file(file), file.string());
}

/// −‖column i − column j‖.
Eigen::MatrixXd negative_distances(const Eigen::MatrixXd& columns) {
  Eigen::MatrixXd result(columns.cols(), columns.cols());
  for (Eigen::Index j = 0; j < columns.cols(); ++j)
    for (Eigen::Index i = 0; i <= j; ++i)
      result(i, j) = result(j, i) = -(columns.col(i) - columns.col(j)).norm();
  return result;
}

Eigen::MatrixXd from_confusions(const std::filesystem::path& file) {
  const Eigen::MatrixXd counts = read_matrix(file);
  require<FileError>(counts.rows() == counts.cols() && counts.minCoeff() >= 0,
                     "{}: expected counts of one row and one column for each class", file.string());
  Eigen::MatrixXd rates = counts;
  for (Eigen::Index i = 0; i < rates.rows(); ++i) {
    require<FileError>(counts.row(i).sum() > 0,
                       "{}: class {} has no test picture, so nothing it is taken for", file.string(), i);
    rates.row(i) /= counts.row(i).sum();
  }
  return (rates + rates.transpose()) / 2;
}

Eigen::MatrixXd from_pictures(const std::string& spec) {
  DataOptions options;
  options.spec = spec;
  const Dataset data = load_subset(options);
  const ImageSet& train = data.train;
  const HostTensor pixels = train.pixels.in_layout(Layout::kRowMajor);
  const auto bytes = pixels.values<std::uint8_t>();
  const auto size = static_cast<Eigen::Index>(bytes.size() / train.labels.size());
  const auto classes = static_cast<Eigen::Index>(data.class_names.size());
  Eigen::MatrixXd means = Eigen::MatrixXd::Zero(size, classes);
  Eigen::VectorXd counts = Eigen::VectorXd::Zero(classes);
  for (std::size_t n = 0; n < train.labels.size(); ++n) {
    const Eigen::Index y = train.labels[n];
    const Eigen::Map<const Eigen::VectorX<std::uint8_t>> picture(
        bytes.data() + n * static_cast<std::size_t>(size), size);
    means.col(y) += picture.cast<double>() / 255;
    ++counts[y];
  }
  for (Eigen::Index y = 0; y < classes; ++y) {
    require(counts[y] > 0, "--similarity data:{}: class {} has no training picture", spec, y);
    means.col(y) /= counts[y];
  }
  return negative_distances(means);
}

Eigen::MatrixXd read_any_similarity(const std::string& source) {
  const auto rest_of = [&source](std::string_view prefix) { return source.substr(prefix.size()); };
  if (source.starts_with("means:"))
    return negative_distances(read_matrix(std::filesystem::path(rest_of("means:")) / "class_means.npy"));
  if (source.starts_with("confusions:"))
    return from_confusions(std::filesystem::path(rest_of("confusions:")) / "confusion.npy");
  if (source.starts_with("data:")) return from_pictures(rest_of("data:"));
  require<UsageError>(source.ends_with(".npy"), "--similarity {}: expected {}", source, kSources);
  Eigen::MatrixXd similarity = read_matrix(source);
  require<FileError>(similarity.rows() == similarity.cols() && similarity.allFinite() &&
                         similarity == similarity.transpose(),
                     "{}: [{},{}]; expected a symmetric matrix of finite numbers, a row for each class",
                     source, similarity.rows(), similarity.cols());
  return similarity;
}

}  // namespace

CLI::Option* add_placement_option(CLI::App& app, const std::string& flag,
                                  std::optional<Placement>& placement) {
  const auto assign = [&placement](const std::string& name) {
    placement = name == "near" ? Placement::kNear : Placement::kFar;
  };
  return restrict_to(app.add_option_function<std::string>(
                         flag, assign, "The permutation that puts similar classes near each other, or far"),
                     {"near", "far"});
}

CLI::Option* add_similarity_option(CLI::App& app, std::string& source) {
  return app
      .add_option("--similarity", source,
                  "What says which classes are alike: a matrix, a finished run's class means (means:DIR) or "
                  "confusions (confusions:DIR), or the mean pictures of a data set (data:SPEC)")
      ->type_name("SOURCE");
}

Eigen::MatrixXd read_similarity(const std::string& source) {
  Eigen::MatrixXd similarity = read_any_similarity(source);
  // Off the diagonal, which no permutation moves.
  const double some = similarity.size() > 1 ? similarity(0, 1) : 0;
  bool differs = false;
  for (Eigen::Index j = 0; j < similarity.cols(); ++j)
    for (Eigen::Index i = 0; i < j; ++i) differs = differs || similarity(i, j) != some;
  require<FileError>(differs || similarity.cols() < 3,
                     "--similarity {}: every pair of classes is as alike as every other ({}), which prefers "
                     "no permutation; expected a source that tells pairs apart",
                     source, some);
  return similarity;
}

}  // namespace gnc
