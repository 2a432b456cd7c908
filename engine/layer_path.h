#pragma once
/// Where in a network the work of a backend lies.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"

namespace gnc {

/// The names of the layers around the present op, joined by dots: "layer2.0.conv1", as in the state_dict.
/// Fed with the ranges that a backend is told of; those of other kinds have no part in it.
class LayerPath {
 public:
  void begin(RangeKind kind, std::string_view name) {
    lengths_.push_back(path_.size());
    if (kind != RangeKind::kLayer) return;
    if (!path_.empty()) path_ += '.';
    path_ += name;
  }
  void end() {
    path_.resize(lengths_.back());
    lengths_.pop_back();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::size_t> lengths_;  // of the path around each open range
};

}  // namespace gnc
