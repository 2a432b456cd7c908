/// What bounds are said to be worth: every kind of nothing has its word.

#include "apps/bound_notes.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <vector>

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;

/// A result whose classes are separated and whose bounds all say something.
Json telling() {
  return {{"unseparated_pairs", 0},
          {"covering_radius", 0.5},
          {"intrinsic_dimension", 3.5},
          {"margin_bound", 0.75},
          {"margin_bound_rademacher_spectral", 0.25},
          {"covering_error_net", 0.125},
          {"covering_classes_sampled_enough", 4},
          {"covering_log10_error", -1},
          {"covering_log10_error_norms", -0.5},
          {"covering_log10_error_collapsed", 0}};
}

Json with(const char* name, Json value) {
  Json result = telling();
  result[name] = std::move(value);
  return result;
}

TEST(BoundNote, IsEmptyForBoundsThatSaySomethingAndForOtherNumbers) {
  const Json result = telling();
  for (const auto& [name, value] : result.items()) EXPECT_EQ(bound_note(name, result, 4), "") << name;
  EXPECT_EQ(bound_note("nc1", result, 4), "");
}

TEST(BoundNote, CallsABoundAboveOneVacuous) {
  EXPECT_TRUE(bound_note("margin_bound", with("margin_bound", 1.5), 4).starts_with("vacuous"));
  EXPECT_TRUE(
      bound_note("covering_log10_error", with("covering_log10_error", 0.01), 4).starts_with("vacuous"));
  // Infinite: in files it is null.
  for (const Json& infinite : {Json(), Json(std::numeric_limits<double>::infinity())})
    EXPECT_EQ(bound_note("covering_log10_error_norms", with("covering_log10_error_norms", infinite), 4),
              "vacuous: infinite");
}

TEST(BoundNote, SaysInHowManyClassesThePicturesSuffice) {
  const auto note = [](int enough) {
    return bound_note("covering_error_net", with("covering_classes_sampled_enough", enough), 4);
  };
  EXPECT_EQ(note(0), "vacuous: the pictures suffice in 0 of 4 classes");
  EXPECT_EQ(note(3), "the pictures suffice in 3 of 4 classes");
  EXPECT_EQ(note(4), "");
}

TEST(BoundNote, SaysThatThereIsNoneWherePairsAreNotSeparated) {
  Json result = with("unseparated_pairs", 3);
  for (const char* name : {"margin_bound", "covering_error_net", "covering_log10_error"}) {
    result[name] = nullptr;
    EXPECT_EQ(bound_note(name, result, 4), "none: 3 of 12 pairs of classes are not separated");
  }
  // Of the test pictures, which have no margin bound.
  result.erase("unseparated_pairs");
  result["covering_radius"] = nullptr;
  EXPECT_EQ(bound_note("covering_log10_error", result, 4), "none: not every pair of classes is separated");
}

TEST(BoundNote, SaysThatThereIsNoneWithoutADimension) {
  Json result = with("intrinsic_dimension", Json());
  result["covering_log10_error"] = nullptr;
  EXPECT_TRUE(bound_note("covering_log10_error", result, 4).starts_with("none: too few pictures"));
}

TEST(BoundsText, HasALineABoundOfARunAndCountsThoseOfMany) {
  const std::string one = bounds_text(with("margin_bound", 1234.5678), 4);
  EXPECT_NE(one.find("1235  vacuous"), std::string::npos) << one;
  const std::vector<Json> results = {telling(), with("margin_bound", 2), with("margin_bound", 3),
                                     with("unseparated_pairs", 1)};
  const std::string all = sweep_bounds_text(results, 4);
  const std::string row = all.substr(all.find("\nmargin_bound ") + 1);
  int none = -1, vacuous = -1, telling_runs = -1;
  ASSERT_EQ(std::sscanf(row.c_str(), "margin_bound %d %d %d", &none, &vacuous, &telling_runs), 3) << all;
  EXPECT_EQ(none, 1);
  EXPECT_EQ(vacuous, 2);
  EXPECT_EQ(telling_runs, 1);
}

}  // namespace
}  // namespace gnc
