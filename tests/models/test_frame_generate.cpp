/// Generated frames against values known from elsewhere.

#include "models/frame_generate.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "models/frame_constructions.h"
#include "models/frame_geometry.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

FrameOptions options_of(int dim, int classes, FrameObjective objective = FrameObjective::kSigned) {
  FrameOptions options;
  options.dim = dim;
  options.classes = classes;
  options.objective = objective;
  return options;
}

double correlation_of(const Frame& frame) {
  return correlation(measure_frame(frame), frame.provenance.objective.value_or(FrameObjective::kSigned));
}

/// A size, its optimum, and where that is from.
struct KnownFrame {
  FrameObjective objective;
  int dim, classes;
  double value;
  const char* source;
};

class KnownFrames : public testing::TestWithParam<KnownFrame> {};

TEST_P(KnownFrames, Are_Reached_By_The_Search) {
  const KnownFrame& known = GetParam();
  FrameOptions options = options_of(known.dim, known.classes, known.objective);
  options.structure = FrameStructure::kDescent;
  options.restarts = 64;
  const Frame frame = generate_frame(options);
  // The polish ends within rounding of the optimum; the literals have 12 to 15 digits.
  EXPECT_NEAR(correlation_of(frame), known.value, 1e-11) << known.source;
  EXPECT_GE(frame.provenance.hits, 1);
}

constexpr FrameObjective kSigned = FrameObjective::kSigned, kAbsolute = FrameObjective::kAbsolute;

INSTANTIATE_TEST_SUITE_P(
    Easy, KnownFrames,
    testing::Values(
        KnownFrame{kSigned, 3, 12, 0.447213595499958, "icosahedron 1/sqrt5, Fejes Toth 1943"},
        KnownFrame{kSigned, 3, 14, 0.563950300360505, "Sloane's tables of 3-d packings, 55.6705700 degrees"},
        KnownFrame{kSigned, 3, 24, 0.723078468333509, "snub cube, Robinson 1961"},
        KnownFrame{kSigned, 4, 10, 0.166666666666667, "Petersen code 1/6, Bachoc and Vallentin 2009"},
        KnownFrame{kSigned, 5, 16, 0.2, "Clebsch code 1/5, Levenshtein bound"},
        KnownFrame{kSigned, 5, 21, 0.314916957175, "many-restart search; slow annealing always misses it"},
        KnownFrame{kSigned, 6, 27, 0.25, "Schlaefli code 1/4, Levenshtein bound"},
        KnownFrame{kAbsolute, 3, 6, 0.447213595499958, "diagonals of the icosahedron, Welch bound"},
        KnownFrame{kAbsolute, 3, 7, 0.577350269189626, "3 axes and 4 diagonals of the cube, orthoplex bound"},
        KnownFrame{kAbsolute, 4, 6, 0.333333333333333, "Bukh-Cox bound"},
        KnownFrame{kAbsolute, 4, 8, 0.414213562373095, "sqrt2 - 1, Conway, Hardin and Sloane 1996"},
        KnownFrame{kAbsolute, 6, 16, 0.333333333333333, "equiangular tight frame, Welch bound"}),
    [](const auto& parameter) {
      const KnownFrame& known = parameter.param;
      return fmt::format("{}_d{}_C{}", to_string(known.objective), known.dim, known.classes);
    });

TEST(GenerateFrame, Is_The_Same_On_Any_Number_Of_Threads) {
  FrameOptions options = options_of(3, 9);
  options.restarts = 12;
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Frame alone = generate_frame(options);
  omp_set_num_threads(3);
  const Frame together = generate_frame(options);
  omp_set_num_threads(threads);
  EXPECT_EQ(alone.vectors, together.vectors);
  EXPECT_EQ(alone.provenance.hits, together.provenance.hits);
  EXPECT_EQ(alone.provenance.steps, together.provenance.steps);
}

TEST(GenerateFrame, Follows_Its_Seed) {
  FrameOptions options = options_of(3, 8);
  options.restarts = 2;
  const Frame first = generate_frame(options);
  EXPECT_EQ(first.vectors, generate_frame(options).vectors);
  options.seed = 2;
  EXPECT_NE(first.vectors, generate_frame(options).vectors);
}

TEST(GenerateFrame, Finds_The_Optimum_By_Descent_Where_It_Is_Known_By_Construction) {
  for (const auto& [dim, classes] : {std::pair{2, 4}, {4, 5}, {6, 10}, {5, 10}, {2, 7}}) {
    FrameOptions options = options_of(dim, classes);
    const double constructed = correlation_of(generate_frame(options));
    options.structure = FrameStructure::kDescent;
    options.restarts = 6;
    // At (10,6) the optimum is not isolated, and the search creeps along it: 1e-9.
    EXPECT_NEAR(correlation_of(generate_frame(options)), constructed, 1e-9) << dim << ", " << classes;
  }
}

TEST(GenerateFrame, Constructs_The_Optimum_At_Every_Size_That_Has_One) {
  for (int dim = 1; dim <= 9; ++dim) {
    for (int classes = 2; classes <= (dim == 2 ? 20 : 2 * dim); ++classes) {
      const Frame frame = generate_frame(options_of(dim, classes));
      const FrameBound bound = frame_bounds(dim, classes, kSigned).front();
      EXPECT_TRUE(bound.is_attained);
      EXPECT_NEAR(correlation_of(frame), bound.value, 1e-15) << dim << ", " << classes;
      EXPECT_EQ(frame.provenance.restarts, 0);
    }
    for (int classes = 2; classes <= (dim == 2 ? 20 : dim + 1); ++classes) {
      const Frame frame = generate_frame(options_of(dim, classes, kAbsolute));
      EXPECT_NEAR(correlation_of(frame), frame_bounds(dim, classes, kAbsolute).front().value, 1e-15)
          << dim << ", " << classes;
    }
  }
}

TEST(GenerateFrame, Takes_The_Structure_With_The_Fewest_Pairs_At_The_Maximum) {
  // (4,2,2,2): 6 + 3 negative pairs of 45. Cross-polytope: 4.
  FrameOptions options = options_of(6, 10);
  EXPECT_EQ(measure_frame(generate_frame(options)).pairs_at_maximum, 36);
  EXPECT_EQ(measure_frame(generate_frame(options)).rank, 6);
  options.structure = FrameStructure::kCrossPolytope;
  EXPECT_EQ(measure_frame(generate_frame(options)).pairs_at_maximum, 41);
  EXPECT_EQ(measure_frame(generate_frame(options)).rank, 6);
  // (100,64): a simplex of 30 and 35 pairs: 435 + 35 negative pairs of 4950.
  EXPECT_EQ(measure_frame(generate_frame(options_of(64, 100))).pairs_at_maximum, 4950 - 435 - 35);
}

TEST(GenerateFrame, Gives_Every_Vector_The_Norm_That_Is_Asked_For) {
  FrameOptions options = options_of(3, 7);
  options.restarts = 2;
  options.norm = 1.92;
  for (const FrameMethod method : {FrameMethod::kBest, FrameMethod::kEquation3, FrameMethod::kCode1}) {
    options.method = method;
    const FrameGeometry geometry = measure_frame(generate_frame(options));
    EXPECT_NEAR(geometry.min_norm, 1.92, 1e-15) << to_string(method);
    EXPECT_NEAR(geometry.max_norm, 1.92, 1e-15) << to_string(method);
  }
}

TEST(GenerateFrame, Refuses_Settings_That_Make_No_Sense) {
  expect_error<UsageError>([] { generate_frame(options_of(3, 1)); }, {"2 to", "not 1"});
  expect_error<UsageError>([] { generate_frame(options_of(0, 4)); }, {"dimensions", "not 0"});
  FrameOptions options = options_of(3, 7);
  options.structure = FrameStructure::kCrossPolytope;
  expect_error<UsageError>([&] { generate_frame(options); }, {"cross-polytope", "d+2 <= C <= 2d"});
  options = options_of(3, 7, kAbsolute);
  options.method = FrameMethod::kCode1;
  expect_error<UsageError>([&] { generate_frame(options); }, {"code1", "signed"});
  options = options_of(3, 7);
  options.norm = -1.0;
  expect_error<UsageError>([&] { generate_frame(options); }, {"norm", "-1"});
  options = options_of(3, 7);
  options.restarts = -1;
  expect_error<UsageError>([&] { generate_frame(options); }, {"restarts", "-1"});
}

TEST(Constructions, Refuse_Sizes_That_Do_Not_Fit) {
  expect_error<Error>([] { simplex_frame(3, 5); }, {"5", "3"});
  expect_error<Error>([] { cross_polytope_frame(3, 7); }, {"6", "7"});
  expect_error<Error>([] { simplices_frame(6, 7); }, {"C = 7", "d = 6"});
}

}  // namespace
}  // namespace gnc
