#pragma once
/// Parts of a data set with chosen class sizes: balanced subsets and the step imbalance of Corollary 3.12.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace gnc {

/// The first pictures of every class, at most `per_class[label]` of them, in the order of the set.
std::vector<int> first_of_each_class(const ImageSet& images, std::span<const std::int64_t> per_class);

/// Those pictures, exactly so many. Throws UsageError naming the class, how many there are and how many are
/// wanted; `flag` is what asked for them.
ImageSet class_subset(const ImageSet& images, std::span<const std::int64_t> per_class,
                      std::span<const std::string> class_names, std::string_view flag);

/// A balanced subset: the first floor(limit/C) pictures of every class, in file order (no seed: everybody's
/// `--train-limit 2000` is the same 2000 pictures). Throws as above, and UsageError for a limit below C.
ImageSet balanced_subset(const ImageSet& images, std::int64_t limit, std::span<const std::string> class_names,
                         std::string_view flag);

/// Step imbalance: the first `majority_classes` classes keep their N1 pictures, the others the first
/// floor(N1/ratio).
struct StepImbalance {
  double ratio = 1;          ///< R = N1/N2 >= 1
  int majority_classes = 0;  ///< C1; 0: half of the classes (rounded down)
};
/// Reads "R" or "R:C1". Throws UsageError quoting the text.
StepImbalance parse_imbalance(std::string_view text);
/// Throws UsageError unless all classes are of one size, 1 <= C1 < C, and N1/R >= 1.
ImageSet imbalanced_subset(const ImageSet& images, const StepImbalance& imbalance,
                           std::span<const std::string> class_names);

}  // namespace gnc
