/// What the paper says of Grassmannian frames, and what its Code 1 does.

#include <gtest/gtest.h>

#include <cmath>

#include "engine/linalg.h"
#include "models/frame_certificate.h"
#include "models/frame_constructions.h"
#include "models/frame_equivalence.h"
#include "models/frame_generate.h"
#include "models/frame_geometry.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

FrameOptions options_of(int classes, int dim, FrameMethod method) {
  FrameOptions options;
  options.classes = classes;
  options.dim = dim;
  options.method = method;
  return options;
}

// §3 and NC3 minimise the signed product; for d+2 <= C <= 2d its minimum is exactly 0 (Rankin 1955). Both
// experiments of the paper, (C,d) = (10,6) and (100,64), are of this kind.
TEST(Frame, With_10_Classes_In_6_Dims_Reaches_Rankins_Bound) {
  for (const FrameMethod method : {FrameMethod::kBest, FrameMethod::kEquation3}) {
    const FrameGeometry geometry = measure_frame(generate_frame(options_of(10, 6, method)));
    EXPECT_NEAR(geometry.max_inner_product, 0.0, 1e-9) << to_string(method);
    EXPECT_EQ(geometry.rank, 6) << to_string(method);  // Definition 2.4
  }
}

TEST(Frame, With_100_Classes_In_64_Dims_Reaches_Rankins_Bound) {
  const FrameGeometry geometry = measure_frame(generate_frame(options_of(100, 64, FrameMethod::kBest)));
  EXPECT_NEAR(geometry.max_inner_product, 0.0, 1e-15);
  EXPECT_EQ(geometry.rank, 64);
}

// Figures 1 and 2.
TEST(Frame, With_4_Classes_In_The_Plane_Is_A_Cross) {
  Frame cross;
  cross.vectors.resize(2, 4);
  cross.vectors << 1, -1, 0, 0, 0, 0, 1, -1;
  for (const FrameMethod method : {FrameMethod::kBest, FrameMethod::kEquation3}) {
    const Frame frame = generate_frame(options_of(4, 2, method));
    EXPECT_EQ(compare_frames(cross, frame).is_equivalent, std::optional<bool>(true)) << to_string(method);
  }
}

// Theorem 2.9: an equiangular tight frame attains the Welch bound; the simplex is one, C = d+1.
TEST(Frame, Simplex_When_Dims_Suffice_Attains_The_Welch_Bound) {
  for (const int classes : {3, 4, 10, 100}) {
    const FrameGeometry geometry =
        measure_frame(generate_frame(options_of(classes, classes - 1, FrameMethod::kBest)));
    const double d = classes - 1;
    EXPECT_NEAR(geometry.max_abs_inner_product, std::sqrt((classes - d) / (d * (classes - 1.0))), 1e-15);
    EXPECT_NEAR(geometry.max_inner_product, -1.0 / (classes - 1.0),
                1e-15);  // and signed: neural collapse's ETF
    EXPECT_NEAR(geometry.tightness, 1.0, 1e-13);
    EXPECT_EQ(geometry.pairs_at_maximum, classes * (classes - 1) / 2);
  }
}

// Theorem 2.9, both ways: the Welch bound is attained by equiangular tight frames and by no others.
TEST(Frame, Attains_The_Welch_Bound_Exactly_When_It_Is_Equiangular_And_Tight) {
  const auto welch = [](double d, double c) { return std::sqrt((c - d) / (d * (c - 1.0))); };
  const auto measured = [](Eigen::MatrixXd vectors) {
    Frame frame;
    frame.vectors = std::move(vectors);
    return measure_frame(frame);
  };
  for (const auto& [d, c] :
       {std::pair{3, 6}, {5, 10}, {6, 16}, {7, 28}, {10, 16}, {15, 36}, {22, 176}, {23, 276}}) {
    const FrameGeometry geometry = measured(construct_frame(d, c, FrameObjective::kAbsolute)->vectors);
    EXPECT_NEAR(geometry.max_abs_inner_product, welch(d, c), 1e-14) << d;
    EXPECT_TRUE(is_equiangular(geometry) && is_tight(geometry)) << d;
  }
  // Equiangular, but five of the icosahedron's six lines are not tight; tight, but the lines of the 24-cell
  // have two angles; neither.
  const FrameGeometry five = measured(construct_frame(3, 5, FrameObjective::kAbsolute)->vectors);
  EXPECT_TRUE(is_equiangular(five) && !is_tight(five));
  EXPECT_GT(five.max_abs_inner_product, welch(3, 5) + 0.01);
  const FrameGeometry cell = measured(construct_frame(4, 12, FrameObjective::kAbsolute)->vectors);
  EXPECT_TRUE(!is_equiangular(cell) && is_tight(cell));
  EXPECT_GT(cell.max_abs_inner_product, welch(4, 12) + 0.01);
  const FrameGeometry random = measured(gaussian_matrix(RandomStream(4, "test"), 4, 9));
  EXPECT_TRUE(!is_equiangular(random) && !is_tight(random));
  EXPECT_GT(random.max_abs_inner_product, welch(4, 9) + 0.01);
}

// At both sizes of the paper many inequivalent frames reach Rankin's 0; spectrum and blocks tell them apart,
// and for all of them the forces balance.
TEST(Frame, At_The_Papers_Sizes_Is_Optimal_In_More_Than_One_Way) {
  for (const auto& [classes, dim] : {std::pair{10, 6}, {100, 64}}) {
    FrameOptions options = options_of(classes, dim, FrameMethod::kBest);
    const Frame simplices = generate_frame(options);
    options.structure = FrameStructure::kCrossPolytope;
    const Frame cross = generate_frame(options);
    EXPECT_NE(compare_frames(simplices, cross).is_equivalent, std::optional<bool>(true));
    std::vector<double> least;
    for (const Frame& frame : {simplices, cross}) {
      const FrameGeometry geometry = measure_frame(frame);
      const FrameCertificate certificate = certify_frame(frame, geometry, FrameObjective::kSigned);
      EXPECT_EQ(certificate.status, FrameStatus::kMeetsBound);
      EXPECT_EQ(certificate.is_unique, std::optional<bool>(false));
      EXPECT_LT(certificate.optimality.residual.value_or(1.0), 1e-12);
      EXPECT_NEAR(geometry.gram_spectrum.front(), 2.0, 1e-12);  // of an antipodal pair
      least.push_back(geometry.gram_spectrum.back());
    }
    // A simplex of n vectors has n/(n-1), a single vector 1.
    const double n = 2 * dim - classes + 2;
    EXPECT_NEAR(least[0], n / (n - 1.0), 1e-12);
    EXPECT_NEAR(least[1], 1.0, 1e-12);
    EXPECT_NE(
        certify_frame(simplices, measure_frame(simplices), FrameObjective::kSigned).optimality.block_sizes,
        certify_frame(cross, measure_frame(cross), FrameObjective::kSigned).optimality.block_sizes);
  }
}

// Code 1 as printed: ten classes survive its 1000 steps but are not yet a frame, a hundred collapse to zero
// because the penalty 0.1(‖M‖+‖Z‖) outweighs the mean cross-entropy there.
TEST(Frame, From_Code1_With_10_Classes_Is_Far_From_The_Optimum) {
  const FrameGeometry geometry = measure_frame(generate_frame(options_of(10, 6, FrameMethod::kCode1)));
  EXPECT_GT(geometry.max_inner_product, 0.1);
  EXPECT_NEAR(geometry.max_norm, 1.92, 0.05);
}

TEST(Frame, From_Code1_With_10_Classes_Comes_Near_It_With_20_Times_The_Steps) {
  FrameOptions options = options_of(10, 6, FrameMethod::kCode1);
  options.steps = 20000;
  options.restarts = 4;
  EXPECT_LT(measure_frame(generate_frame(options)).max_inner_product, 0.05);
}

TEST(Frame, From_Code1_With_100_Classes_Reports_Collapse) {
  tests::expect_error<Error>([] { generate_frame(options_of(100, 64, FrameMethod::kCode1)); },
                             {"code1", "100 classes", "64 dimensions", "collapsed to zero"});
}

// §4.2: R in SO(d), P a permutation; the paper's R is exp(A - Aᵀ).
TEST(Frame, Rotation_And_Permutation_Preserve_The_Gram_Matrix) {
  const Frame frame = generate_frame(options_of(10, 6, FrameMethod::kBest));
  for (const RotationKind kind : {RotationKind::kHaar, RotationKind::kExponential}) {
    const Frame turned = rotated(frame, 1000, kind);
    EXPECT_TRUE(compare_frames(frame, turned).is_type1);
    EXPECT_LT(compare_frames(frame, turned).procrustes_rotation_distance, 1e-13);  // by an R with det R = +1

    const Frame shuffled = permuted(turned, 1000);
    const std::vector<int> permutation = random_permutation(1000, 10);
    const Eigen::MatrixXd gram = frame.vectors.transpose() * frame.vectors;
    const Eigen::MatrixXd new_gram = shuffled.vectors.transpose() * shuffled.vectors;
    for (std::size_t i = 0; i < 10; ++i) {
      for (std::size_t j = 0; j < 10; ++j) {
        EXPECT_NEAR(new_gram(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)),
                    gram(permutation[i], permutation[j]), 1e-13);
      }
    }
    EXPECT_NEAR(measure_frame(shuffled).max_inner_product, 0.0, 1e-13);
  }
}

// "Definition 2.5 takes the absolute value": the optimum for lines is another frame, with signed products
// above Rankin's.
TEST(Frame, Of_Definition_2_5_Is_Not_That_Of_NC3) {
  FrameOptions options = options_of(4, 2, FrameMethod::kBest);
  options.objective = FrameObjective::kAbsolute;
  const FrameGeometry lines = measure_frame(generate_frame(options));
  EXPECT_NEAR(lines.max_abs_inner_product, std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(lines.max_inner_product, std::sqrt(0.5), 1e-15);
}

}  // namespace
}  // namespace gnc
