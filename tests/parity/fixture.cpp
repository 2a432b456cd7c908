#include "tests/parity/fixture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gnc::tests {
namespace {

/// Sign i of vector k: the highest bit of number k·2³² + i of splitmix64 (Steele, Lea, Flood 2014).
double sign(std::uint64_t k, std::uint64_t i) {
  std::uint64_t z = ((k << 32) + i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return (z ^ (z >> 31)) >> 63 != 0 ? -1 : 1;
}

/// ‖a − b‖₂ and ‖b‖₂.
struct Distance {
  double difference = 0;
  double norm = 0;
};

Distance distance_to(const std::vector<double>& a, std::span<const double> b) {
  Distance sums;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sums.difference += (a[i] - b[i]) * (a[i] - b[i]);
    sums.norm += b[i] * b[i];
  }
  return {.difference = std::sqrt(sums.difference), .norm = std::sqrt(sums.norm)};
}

/// `row`: the norm and the projections.
Distance distance_to_projected(const std::vector<double>& a, std::span<const double> row) {
  double squares = 0;
  for (std::size_t k = 1; k < row.size(); ++k) {
    double projection = 0;
    for (std::size_t i = 0; i < a.size(); ++i) projection += sign(k - 1, i) * a[i];
    squares += (projection - row[k]) * (projection - row[k]) / static_cast<double>(row.size() - 1);
  }
  return {.difference = std::sqrt(squares), .norm = row[0]};
}

/// See Fixture::relative_errors.
std::vector<double> relative(const std::vector<Distance>& distances) {
  constexpr double kZero = 1e-9;  // far above rounding in double, far below any real gradient here
  double squares = 0;
  for (const Distance& distance : distances) squares += distance.norm * distance.norm;
  const double norm = std::sqrt(squares);
  std::vector<double> errors;
  for (const Distance& distance : distances)
    errors.push_back(distance.difference / (distance.norm > kZero * norm ? distance.norm : norm));
  return errors;
}

}  // namespace

Fixture::Fixture(std::string_view name)
    : tensors_(load_safetensors(fmt::format("{}/{}.safetensors", GNC_PARITY_FIXTURES, name)).tensors) {
  constexpr std::string_view kPrefix = "initial/";
  for (const NamedTensor& tensor : tensors_)
    if (tensor.name.starts_with(kPrefix))
      initial_.push_back({.name = tensor.name.substr(kPrefix.size()), .tensor = tensor.tensor});
}

const HostTensor& Fixture::find(std::string_view name) const {
  for (const NamedTensor& tensor : tensors_)
    if (tensor.name == name) return tensor.tensor;
  throw Error(fmt::format("the fixture has no tensor '{}'", name));
}

std::vector<double> Fixture::relative_errors(const std::string& moment, const Elements& tensors) const {
  const HostTensor& stored = find(moment);
  const bool is_projected = stored.shape().rank() == 2;
  const auto row_size = is_projected ? static_cast<std::size_t>(stored.shape()[1]) : 0;
  std::span<const double> rest = stored.values<double>();
  std::vector<Distance> distances;
  for (const std::vector<double>& tensor : tensors) {
    const std::size_t count = is_projected ? row_size : tensor.size();
    require<Error>(count <= rest.size(), "{} of the fixture has too few numbers", moment);
    const std::span<const double> expected = rest.first(count);
    rest = rest.subspan(count);
    distances.push_back(is_projected ? distance_to_projected(tensor, expected)
                                     : distance_to(tensor, expected));
  }
  require<Error>(rest.empty(), "{} of the fixture has {} numbers more", moment, rest.size());
  return relative(distances);
}

std::vector<double> relative_errors(const Elements& tensors, const Elements& expected) {
  std::vector<Distance> distances;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    distances.push_back(distance_to(tensors.at(i), expected.at(i)));
  return relative(distances);
}

}  // namespace gnc::tests
