#pragma once
/// Logical extents of a tensor, and the number of runs (ensemble members) it holds.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace gnc {

/// Up to four logical extents, e.g. [N,C,H,W] for images, [O,I,KH,KW] for convolution weights, [N,D] for
/// features, and the number of runs R. The extents are those of *one* run. How they lie in memory is the
/// tensor's `Layout`. Trailing extents that are not given are 1 to `operator[]`, so [N,C] reads as [N,C,1,1].
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  /// Throws ShapeError for more than four extents or a negative one.
  Shape(std::initializer_list<int> extents, int runs = 1);

  int rank() const { return rank_; }
  int runs() const { return runs_; }
  /// Extent of dimension `i` in [0,4); 1 beyond the rank.
  int operator[](int i) const { return extents_[static_cast<std::size_t>(i)]; }
  /// Elements of one run.
  std::int64_t elements() const;
  /// The same extents with another number of runs (>= 1).
  Shape with_runs(int runs) const;
  /// The same shape with another first extent (the batch).
  Shape with_batch(int batch) const;

  friend bool operator==(const Shape&, const Shape&) = default;

  /// "[256,64,32,32]", with the runs in front when there is more than one: "10 x [256,64,32,32]".
  std::string to_string() const;

 private:
  std::array<int, kMaxRank> extents_{1, 1, 1, 1};
  int rank_ = 0;
  int runs_ = 1;
};

}  // namespace gnc
