#pragma once
/// What `gnc ufm` leaves behind: tables, curves and the collapse as a picture.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/ufm_descent.h"
#include "engine/csv.h"
#include "models/ufm_continuation.h"

namespace gnc {

/// The value that NC3 is measured against: the least largest inner product known for the size, or the
/// strongest bound where none is known.
struct UfmOptimum {
  double value = 0;
  std::string name;         ///< who says so, or "… bound"
  bool is_reached = false;  ///< some frame has it; a bound alone may be out of reach
  bool is_bound = false;    ///< no frame has less
};
UfmOptimum optimum_of(int dim, int classes);

/// A record's numbers by name, in the order of the CSV file: step, loss, max_inner_product, nc1, nc2, nc3,
/// nc4, min_norm, max_norm, and the rest. nc3 is max_inner_product − the optimum: Theorem 3.2's limit for a
/// classifier that learns. Numbers of the minority follow where there is one.
std::vector<std::pair<std::string, double>> columns(const UfmRecord& record, const UfmOptimum& optimum);

/// A row for each record of each problem; the last column, `problem`, counts from 0.
CsvTable descent_table(const std::vector<UfmOutcome>& problems, const UfmOptimum& optimum);

/// Curves over the steps of one problem: loss, NC1 to NC4, inner products and margins, norms.
void draw_descent(const std::filesystem::path& path, const std::string& title, const UfmOutcome& problem,
                  const UfmOptimum& optimum);

/// The paper's figure 2: an animation or, as a strip, six moments of it. Needs d = 2 and records with their
/// iterates.
void draw_collapse_animation(const std::filesystem::path& path, const UfmOutcome& problem,
                             const std::vector<std::int32_t>& labels);
void draw_collapse_strip(const std::filesystem::path& path, const UfmOutcome& problem,
                         const std::vector<std::int32_t>& labels);

/// A minimum's numbers by name: feature_decay, loss, residual, iterations, norms, inner products,
/// dual_distance |M − Z|_F/|M|_F, smallest_margin and cost_of_margin.
std::vector<std::pair<std::string, double>> columns(const UfmMinimum& minimum,
                                                    const Eigen::VectorXd& weights);

/// Values and names as a JSON object; whole numbers without a point.
nlohmann::ordered_json to_json(const std::vector<std::pair<std::string, double>>& columns);

}  // namespace gnc
