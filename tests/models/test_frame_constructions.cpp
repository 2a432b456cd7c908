/// Constructions against the definition of what they claim to be.

#include "models/frame_constructions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "models/frame_algebra.h"
#include "models/frame_bounds.h"
#include "models/frame_catalogue.h"
#include "models/frame_equiangular.h"
#include "models/frame_graphs.h"
#include "models/frame_kerdock.h"
#include "models/galois_field.h"
#include "tests/support/expect_error.h"

namespace gnc {
namespace {

using tests::expect_error;

constexpr FrameObjective kSigned = FrameObjective::kSigned, kAbsolute = FrameObjective::kAbsolute;

/// Coordinates come from at most three factorisations and projections in d <= 120 dimensions, each of which
/// adds a few times √d ε to products of unit vectors: 1e-14.
constexpr double kRounding = 5e-14;

/// Largest signed or absolute product of two columns, a block of columns at a time.
double largest_product(const Eigen::MatrixXd& code, FrameObjective objective) {
  double most = -std::numeric_limits<double>::infinity();
  constexpr Eigen::Index kBlock = 512;
  for (Eigen::Index from = 0; from < code.cols(); from += kBlock) {
    const Eigen::Index count = std::min(kBlock, code.cols() - from);
    Eigen::MatrixXd gram = code.middleCols(from, count).transpose() * code;
    if (objective == kAbsolute) gram = gram.cwiseAbs();
    for (Eigen::Index i = 0; i < count; ++i) gram(i, from + i) = -1.0;
    most = std::max(most, gram.maxCoeff());
  }
  return most;
}

/// Smallest and largest eigenvalue of M Mᵀ: equal for a tight frame, the first not 0 for one that spans.
std::pair<double, double> frame_bounds_of(const Eigen::MatrixXd& code) {
  const Eigen::VectorXd values =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(code * code.transpose(), Eigen::EigenvaluesOnly)
          .eigenvalues();
  return {values.minCoeff(), values.maxCoeff()};
}

bool meets_welch(int d, int n, double value) {
  return std::abs(value - std::sqrt((n - d) / (d * (n - 1.0)))) < 1e-12;
}

class Catalogue : public testing::TestWithParam<int> {};

TEST_P(Catalogue, Codes_Have_The_Size_And_The_Products_They_Claim) {
  const int d = GetParam();
  for (const FrameObjective objective : {kSigned, kAbsolute}) {
    int last = 0;
    for (const CatalogueCode& code : frame_catalogue(d, objective)) {
      const std::string what = fmt::format("{} ({},{}) {}", to_string(objective), d, code.classes, code.name);
      EXPECT_GT(code.classes, last) << what;
      last = code.classes;
      const Eigen::MatrixXd built = code.build();
      ASSERT_EQ(built.rows(), d) << what;
      ASSERT_EQ(built.cols(), code.classes) << what;
      EXPECT_LT((built.colwise().norm().array() - 1.0).abs().maxCoeff(), kRounding) << what;
      EXPECT_NEAR(largest_product(built, objective), code.value, kRounding) << what;
      const auto [low, high] = frame_bounds_of(built);
      EXPECT_GT(low, 1e-3) << what;  // spans
      if (objective == kAbsolute && meets_welch(d, code.classes, code.value)) {
        EXPECT_NEAR(low / high, 1.0, 1e-12) << what;  // tight, as Theorem 2.9 demands
      }
      EXPECT_GE(code.value, frame_bounds(d, code.classes, objective).front().value - 1e-12) << what;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dims, Catalogue,
                         testing::Values(3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 20, 21, 22, 23, 25, 28, 35, 36, 43,
                                         52, 64, 66, 78, 85, 105),
                         [](const auto& parameter) { return fmt::format("{}", parameter.param); });

struct Size {
  FrameObjective objective;
  int dim, classes;
  double value;
};

// Sharp codes, the optimal codes of arXiv 2403.16874, and lines that attain Welch's, the orthoplex,
// Levenshtein's and the Bukh-Cox bound.
TEST(ConstructFrame, Writes_Down_The_Optima_That_Are_Proved) {
  const Size sizes[] = {{kSigned, 3, 11, 1 / std::sqrt(5.0)},
                        {kSigned, 3, 12, 1 / std::sqrt(5.0)},
                        {kSigned, 3, 24, 0.723078468333509},
                        {kSigned, 4, 10, 1.0 / 6},
                        {kSigned, 4, 24, 1.0 / 2},
                        {kSigned, 4, 120, (1 + std::sqrt(5.0)) / 4},
                        {kSigned, 5, 16, 1.0 / 5},
                        {kSigned, 6, 27, 1.0 / 4},
                        {kSigned, 7, 56, 1.0 / 3},
                        {kSigned, 8, 240, 1.0 / 2},
                        {kSigned, 16, 288, 1.0 / 4},
                        {kSigned, 20, 56, 1.0 / 15},
                        {kSigned, 21, 50, 1.0 / 21},
                        {kSigned, 21, 77, 1.0 / 12},
                        {kSigned, 21, 112, 1.0 / 9},
                        {kSigned, 21, 162, 1.0 / 7},
                        {kSigned, 22, 100, 1.0 / 11},
                        {kSigned, 22, 275, 1.0 / 6},
                        {kSigned, 22, 891, 1.0 / 4},
                        {kSigned, 23, 552, 1.0 / 5},
                        {kSigned, 23, 4600, 1.0 / 3},
                        {kSigned, 52, 325, 1.0 / 16},
                        {kSigned, 64, 1000, 1.0 / 8},
                        {kSigned, 64, 4224, 1.0 / 8},
                        {kSigned, 105, 756, 1.0 / 25},
                        {kAbsolute, 3, 5, 1 / std::sqrt(5.0)},
                        {kAbsolute, 3, 6, 1 / std::sqrt(5.0)},
                        {kAbsolute, 3, 7, 1 / std::sqrt(3.0)},
                        {kAbsolute, 4, 6, 1.0 / 3},
                        {kAbsolute, 4, 11, 1.0 / 2},
                        {kAbsolute, 4, 12, 1.0 / 2},
                        {kAbsolute, 5, 10, 1.0 / 3},
                        {kAbsolute, 5, 16, 1 / std::sqrt(5.0)},
                        {kAbsolute, 6, 14, 1.0 / 3},
                        {kAbsolute, 6, 16, 1.0 / 3},
                        {kAbsolute, 6, 22, 1 / std::sqrt(6.0)},
                        {kAbsolute, 7, 9, 1.0 / 5},
                        {kAbsolute, 7, 24, 1.0 / 3},
                        {kAbsolute, 7, 28, 1.0 / 3},
                        {kAbsolute, 7, 63, 1.0 / 2},
                        {kAbsolute, 8, 120, 1.0 / 2},
                        {kAbsolute, 9, 12, 0.182743997631557},
                        {kAbsolute, 10, 16, 1.0 / 5},
                        {kAbsolute, 15, 36, 1.0 / 5},
                        {kAbsolute, 16, 140, 1.0 / 4},
                        {kAbsolute, 21, 28, 1.0 / 9},
                        {kAbsolute, 21, 36, 1.0 / 7},
                        {kAbsolute, 21, 126, 1.0 / 5},
                        {kAbsolute, 22, 176, 1.0 / 5},
                        {kAbsolute, 23, 276, 1.0 / 5},
                        {kAbsolute, 23, 2300, 1.0 / 3},
                        {kAbsolute, 28, 64, 1.0 / 7},
                        {kAbsolute, 35, 120, 1.0 / 7},
                        {kAbsolute, 36, 64, 1.0 / 9},
                        {kAbsolute, 66, 144, 1.0 / 11}};
  for (const Size& size : sizes) {
    const std::string what = fmt::format("{} ({},{})", to_string(size.objective), size.dim, size.classes);
    const auto built = construct_frame(size.dim, size.classes, size.objective);
    ASSERT_TRUE(built.has_value()) << what;
    ASSERT_EQ(built->vectors.cols(), size.classes) << what;
    EXPECT_NEAR(largest_product(built->vectors, size.objective), size.value, kRounding) << what;
    EXPECT_GT(frame_bounds_of(built->vectors).first, 1e-3) << what << ": subsets span, too";
  }
}

// "conference (d,2d) for 2d-1 = 5 9 13 17 25 29 37 41 49 53 61 73 89 97", and 81 more.
TEST(ConstructFrame, Attains_Welch_At_Every_Paley_Conference_Matrix) {
  for (const int q : {5, 9, 13, 17, 25, 29, 37, 41, 49, 53, 61, 73, 81, 89, 97}) {
    const auto built = construct_frame((q + 1) / 2, q + 1, kAbsolute);
    ASSERT_TRUE(built.has_value()) << q;
    EXPECT_NEAR(largest_product(built->vectors, kAbsolute), 1.0 / std::sqrt(q), kRounding) << q;
    const auto [low, high] = frame_bounds_of(built->vectors);
    EXPECT_NEAR(low / high, 1.0, 1e-12) << q;
  }
}

// A single descent from a random start ended at 0.288, 0.134 and 0.2578; see frame_catalogue.cpp.
TEST(ConstructFrame, Takes_A_Subset_Of_The_Kerdock_Code_Where_Descents_End_Above_It) {
  for (const Size& size :
       {Size{kSigned, 16, 192, 1.0 / 4}, {kSigned, 64, 768, 1.0 / 8}, {kAbsolute, 16, 80, 1.0 / 4}}) {
    const auto built = construct_frame(size.dim, size.classes, size.objective);
    ASSERT_TRUE(built.has_value()) << size.classes;
    EXPECT_EQ(largest_product(built->vectors, size.objective), size.value) << size.classes;
  }
  EXPECT_FALSE(construct_frame(16, 120, kSigned).has_value());
  EXPECT_FALSE(construct_frame(16, 48, kAbsolute).has_value());
  EXPECT_FALSE(construct_frame(64, 129, kSigned).has_value());
}

TEST(ConstructFrame, Leaves_To_A_Search_What_It_Does_Not_Know) {
  EXPECT_FALSE(construct_frame(3, 13, kSigned).has_value());
  EXPECT_FALSE(construct_frame(8, 100, kSigned).has_value());  // of the E8 roots, but a search does better
  EXPECT_FALSE(construct_frame(5, 8, kAbsolute).has_value());
  EXPECT_FALSE(construct_frame(32, 100, kSigned).has_value());
}

TEST(StructuredCodes, Are_The_Catalogues_And_Rise) {
  const std::vector<FrameConstruction> codes = structured_codes(5, kSigned);
  ASSERT_GE(codes.size(), 2u);
  EXPECT_EQ(codes.front().name, "Clebsch code");
  for (std::size_t i = 1; i < codes.size(); ++i)
    EXPECT_LT(codes[i - 1].vectors.cols(), codes[i].vectors.cols());
  EXPECT_TRUE(structured_codes(2, kSigned).empty());
}

TEST(KerdockLines, Are_Mutually_Unbiased_Bases) {
  const Eigen::MatrixXd lines = kerdock_lines(16, 9);
  for (Eigen::Index a = 0; a < 9; ++a) {
    for (Eigen::Index b = 0; b < 9; ++b) {
      const Eigen::MatrixXd products =
          lines.middleCols(16 * a, 16).transpose() * lines.middleCols(16 * b, 16);
      if (a == b) {
        EXPECT_LT((products - Eigen::MatrixXd::Identity(16, 16)).cwiseAbs().maxCoeff(), 1e-15);
      } else {
        EXPECT_LT((products.cwiseAbs().array() - 0.25).abs().maxCoeff(), 1e-15);
      }
    }
  }
}

TEST(HadamardMatrix, Has_Orthogonal_Rows_Of_Signs) {
  for (int order = 4; order <= 104; order += 4) {
    const auto matrix = hadamard_matrix(order);
    // The orders below 104 that Paley and Sylvester miss.
    ASSERT_EQ(matrix.has_value(), order != 92) << order;
    if (!matrix) continue;
    EXPECT_EQ(matrix->cwiseAbs(), Eigen::MatrixXd::Ones(order, order)) << order;
    EXPECT_EQ(*matrix * matrix->transpose(), order * Eigen::MatrixXd::Identity(order, order)) << order;
  }
  EXPECT_FALSE(hadamard_matrix(6).has_value());
}

TEST(GaloisField, Is_A_Field) {
  for (const int order : {2, 3, 4, 5, 8, 9, 25, 27}) {
    const GaloisField field(order);
    for (int a = 0; a < order; ++a) {
      EXPECT_EQ(field.add(a, field.negative(a)), 0);
      EXPECT_EQ(field.multiply(a, 1), a);
      std::set<int> multiples, sums;
      for (int b = 0; b < order; ++b) {
        multiples.insert(field.multiply(a, b));
        sums.insert(field.add(a, b));
        for (int c = 0; c < order; c += 2) {
          EXPECT_EQ(field.multiply(a, field.add(b, c)),
                    field.add(field.multiply(a, b), field.multiply(a, c)));
        }
      }
      EXPECT_EQ(multiples.size(), a == 0 ? 1u : static_cast<std::size_t>(order));
      EXPECT_EQ(sums.size(), static_cast<std::size_t>(order));
    }
  }
  const GaloisField nine(9);
  int balance = 0;
  for (int a = 0; a < 9; ++a) {
    balance += nine.character(a);
    if (a != 0) {
      EXPECT_EQ(nine.character(nine.multiply(a, a)), 1);
    }
  }
  EXPECT_EQ(balance, 0);
  expect_error<Error>([] { GaloisField(6); }, {"6 elements"});
}

TEST(NaimarkComplement, Of_A_Tight_Frame_Is_Tight_With_Opposite_Products) {
  const Eigen::MatrixXd frame = conference_frame(5);
  const Eigen::MatrixXd other = naimark_complement(frame);
  const Eigen::MatrixXd sum = frame.transpose() * frame + other.transpose() * other;
  EXPECT_LT((sum - 2.0 * Eigen::MatrixXd::Identity(6, 6)).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(SpectralCode, Refuses_Graphs_That_Are_Not_Strongly_Regular) {
  Eigen::MatrixXd path = Eigen::MatrixXd::Zero(6, 6);  // a hexagon: vertices have 0, 1 or 0 common neighbours
  for (Eigen::Index i = 0; i < 6; ++i) path(i, (i + 1) % 6) = path((i + 1) % 6, i) = 1.0;
  expect_error<Error>([&] { spectral_code(path); }, {"not strongly regular"});
}

TEST(Constructions, Refuse_Sizes_That_Do_Not_Exist) {
  expect_error<Error>([] { conference_frame(7); }, {"7"});
  expect_error<Error>([] { unitary_frame(4); }, {"4"});
  expect_error<Error>([] { steiner_frame(6); }, {"6"});
  expect_error<Error>([] { bukh_cox_frame(5, 7); }, {"7", "5"});
  expect_error<Error>([] { kerdock_lines(8, 2); }, {"8"});
  expect_error<Error>([] { kerdock_lines(16, 10); }, {"9", "10"});
  expect_error<Error>([] { construct_frame(0, 3, kSigned); }, {"d >= 1", "0"});
}

}  // namespace
}  // namespace gnc
