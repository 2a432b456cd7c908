#pragma once
/// What a sweep shows beyond its table: deviations with intervals, the comparison with the seed control, and
/// which quantities rank the runs as their test accuracy does.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "apps/report/run_records.h"
#include "engine/csv.h"
#include "engine/probability.h"

namespace gnc {

/// A row for each group of finished runs and each of train_ce, train_accuracy, test_ce, test_accuracy:
///   group,vary,metric,runs,mean,mean_lower,mean_upper,population_deviation,sample_deviation,
///   sample_deviation_lower,sample_deviation_upper,minimum,maximum,range,note
/// The intervals are 95 % BCa bootstrap (engine/bootstrap.h), nan below kFewestToBootstrap runs; `note` says
/// why a row has none. Behind them the rows of the paper's table 1 that are known (VGG11, CIFAR-10,
/// permutation), as group "paper: …".
CsvTable statistics_table(std::span<const RunGroup> groups);

/// What a row's `note` says of an interval that is NaN: "no interval: 4 runs, and it takes 6", or where there
/// are `fewest` the reason `otherwise`. Empty where there is an interval.
std::string no_interval(const Interval& interval, std::size_t runs, std::size_t fewest,
                        std::string_view otherwise);

/// Fewest finished runs of a group that is compared: engine/comparison.h's medians and deviations take as
/// many.
inline constexpr std::size_t kFewestToCompare = 3;

/// Each group set against each control (vary seed), both of at least kFewestToCompare finished runs, those
/// not counted that the group has in common with the control (apps/report/shared_runs.h), by test_ce and
/// test_accuracy:
///   metric,group,control,runs,control_runs,deviation_ratio,deviation_ratio_lower,deviation_ratio_upper,
///   brown_forsythe,p_value,permutation_p_value,mean_difference,mean_difference_lower,mean_difference_upper,
///   mean_p_value,cliffs_delta,note
/// as engine/comparison.h defines them: the runs of a group share one seed, so that its mean is one draw
/// among the control's, and Welch's test, for groups that both vary the seed, is not made. `note` says why
/// the difference has no interval. Accuracies are fractions.
CsvTable comparison_table(std::span<const RunGroup> groups);

/// Spearman's ρ between each number of the results (collapse metrics, margins, bounds) and an outcome,
/// test_accuracy or test_ce, over the finished runs of a group, of at least four:
///   group,outcome,quantity,runs,rho,rho_lower,rho_upper,p_value,note
/// Intervals are nan below kFewestForRankInterval runs (engine/comparison.h says why) and where ρ is ±1;
/// `note` says which. Quantities that do not change between the runs are left out. Many are tested at once:
/// of twenty that mean nothing, one has p < 0.05.
CsvTable rank_table(std::span<const RunGroup> groups);

}  // namespace gnc
