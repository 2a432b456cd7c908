#include "engine/shape.h"

#include "engine/error.h"

namespace gnc {

Shape::Shape(std::initializer_list<int> extents, int runs)
    : rank_(static_cast<int>(extents.size())), runs_(runs) {
  require<ShapeError>(extents.size() <= kMaxRank, "a shape has at most {} extents, not {}", kMaxRank,
                      extents.size());
  require<ShapeError>(runs >= 1, "a shape needs at least one run, not {}", runs);
  std::size_t i = 0;
  for (const int extent : extents) {
    require<ShapeError>(extent >= 0, "extent {} of a shape is negative: {}", i, extent);
    extents_[i++] = extent;
  }
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (const int extent : extents_) product *= extent;
  return product;
}

Shape Shape::with_runs(int runs) const {
  require<ShapeError>(runs >= 1, "a shape needs at least one run, not {}", runs);
  Shape result = *this;
  result.runs_ = runs;
  return result;
}

Shape Shape::with_batch(int batch) const {
  require<ShapeError>(rank_ >= 1 && batch >= 0, "cannot give {} a batch of {}", to_string(), batch);
  Shape result = *this;
  result.extents_[0] = batch;
  return result;
}

std::string Shape::to_string() const {
  std::string text = runs_ == 1 ? "[" : fmt::format("{} x [", runs_);
  for (int i = 0; i < rank_; ++i) text += fmt::format("{}{}", i == 0 ? "" : ",", (*this)[i]);
  return text + "]";
}

}  // namespace gnc
