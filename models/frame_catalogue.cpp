#include "models/frame_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/frame_algebra.h"
#include "models/frame_equiangular.h"
#include "models/frame_golay.h"
#include "models/frame_graphs.h"
#include "models/frame_kerdock.h"
#include "models/frame_polytopes.h"
#include "models/galois_field.h"

namespace gnc {
namespace {

using Codes = std::vector<CatalogueCode>;

double welch_value(double dim, double classes) {
  return std::sqrt((classes - dim) / (dim * (classes - 1.0)));
}

/// Larger codes than a frame may have vectors are left out.
constexpr int kLargestCode = 32768;

/// Above, 1/2 is far from the best at the size of D_d.
constexpr int kMostRoots = 24;

/// Larger fields are left out: factors of Gram matrices of more than 500 vectors take longer than a second.
constexpr int kLargestConference = 500;

/// An equiangular tight frame of n vectors that is built in `built_dim` dimensions, if R^dim is either that
/// space or its complement.
void add_tight_pair(Codes& codes, int dim, int built_dim, int n, const std::string& name,
                    const std::function<Eigen::MatrixXd()>& build) {
  if (dim == built_dim) {
    codes.push_back({name, n, welch_value(dim, n), build});
  } else if (dim == n - built_dim) {
    codes.push_back({"Naimark complement of the " + name, n, welch_value(dim, n),
                     [build] { return naimark_complement(build()); }});
  }
}

void add_equiangular(Codes& codes, int d) {
  if (const int q = 2 * d - 1; q % 4 == 1 && q <= kLargestConference && is_prime_power(q))
    codes.push_back({"conference frame", 2 * d, welch_value(d, 2 * d), [q] { return conference_frame(q); }});
  for (const int v : {4, 8, 12, 16, 20, 24, 28, 32}) {
    add_tight_pair(codes, d, v * (v - 1) / 2, v * v, "Steiner frame", [v] { return steiner_frame(v); });
  }
  for (const int m : {3, 4, 5}) {
    const int half = 1 << (2 * m - 1), step = 1 << (m - 1);
    // Multiplicities of the eigenvalues 2^m ∓ 1 of the two-graphs.
    const int plus = (half + step) * (step + 1) / (3 * step), minus = (half - step) * (step - 1) / (3 * step);
    add_tight_pair(codes, d, plus, half + step, "symplectic frame", [m] { return symplectic_frame(m, 1); });
    add_tight_pair(codes, d, minus, half - step, "symplectic frame", [m] { return symplectic_frame(m, -1); });
  }
  for (const int q : {5, 7, 9})
    add_tight_pair(codes, d, q * q - q + 1, q * q * q + 1, "unitary frame", [q] { return unitary_frame(q); });
  add_tight_pair(codes, d, 22, 176, "frame of heptads", heptad_lines_176);
  add_tight_pair(codes, d, 23, 276, "equiangular lines of the Leech lattice", leech_lines_276);
}

void add_bukh_cox(Codes& codes, int d) {
  for (const int k : {2, 3, 7, 23}) {
    const int classes = d + k, lines = k * (k + 1) / 2;
    // One copy of each line is the complement of an equiangular tight frame, which others have.
    if (classes % lines != 0 || classes == lines) continue;
    codes.push_back({"Bukh-Cox frame", classes, bukh_cox_value(d, classes),
                     [d, classes] { return bukh_cox_frame(d, classes); }});
  }
}

Codes line_codes(int d) {
  Codes codes;
  const auto add = [&](int dim, std::string name, int classes, double value,
                       std::function<Eigen::MatrixXd()> build) {
    if (dim == d) codes.push_back({std::move(name), classes, value, std::move(build)});
  };
  const auto lines_of_roots = [](int dim) { return [dim] { return lines_of(e_roots(dim)); }; };
  if (d >= 4 && d <= kMostRoots)
    add(d, fmt::format("lines of the D{} roots", d), d * (d - 1), 0.5, [d] { return lines_of(d_roots(d)); });
  add(3, "axes and diagonals of the cube", 7, std::sqrt(1.0 / 3.0), axes_and_diagonals);
  add(3, "diagonals of icosahedron and dodecahedron", 16, std::sqrt((5.0 + 2.0 * std::sqrt(5.0)) / 15.0),
      icosahedral_lines);
  add(4, "lines of the 600-cell", 60, (1.0 + std::sqrt(5.0)) / 4.0, [] { return lines_of(cell_600()); });
  add(5, "lines of the simplex and its splits", 16, std::sqrt(0.2), simplex_and_splits);
  add(5, "axes and triples", 45, 2.0 / 3.0, axes_and_triples);
  add(6, "axes and diagonals of the half-cube", 22, std::sqrt(1.0 / 6.0), axes_and_half_cube);
  add(6, "lines of the E6 roots", 36, 0.5, lines_of_roots(6));
  add(6, "lines of the E6 roots and the dual lattice", 63, std::sqrt(0.375), e6_and_dual);
  add(7, "equiangular lines of the E8 roots", 28, 1.0 / 3.0, [] { return lines_of(e_series_code(7)); });
  add(7, "lines of the E7 roots", 63, 0.5, lines_of_roots(7));
  add(8, "lines of the E8 roots", 120, 0.5, lines_of_roots(8));
  add(9, "lines of the affine plane", 48, 1.0 / 3.0, affine_plane_lines);
  add(23, "lines of the Leech lattice", 2300, 1.0 / 3.0, [] { return lines_of(leech_code_4600()); });
  for (const int dim : {4, 16, 64, 256}) {
    const int bases = std::min(dim / 2 + 1, kLargestCode / dim);
    add(dim, "Kerdock lines", dim * bases, 1.0 / std::sqrt(dim),
        [dim, bases] { return kerdock_lines(dim, bases); });
    // A descent ended at 0.2578 for (C,d) = (64,16), 0.1280 for (256,64) and 0.0673 for (1024,256).
    if (dim == d && dim >= 16) codes.back().best_from = 5 * dim;
  }
  add_equiangular(codes, d);
  add_bukh_cox(codes, d);
  return codes;
}

Codes point_codes(int d) {
  Codes codes;
  const auto add = [&](int dim, std::string name, int classes, double value,
                       std::function<Eigen::MatrixXd()> build) {
    if (dim == d) codes.push_back({std::move(name), classes, value, std::move(build)});
  };
  const auto e_series = [](int dim) { return [dim] { return e_series_code(dim); }; };
  const auto hexads = [](HexadGraph graph) { return [graph] { return hexad_code(graph); }; };
  add(3, "icosahedron", 12, std::sqrt(0.2), icosahedron);
  add(3, "snub cube", 24, snub_cube_value(), snub_cube);
  add(4, "Petersen code", 10, 1.0 / 6.0, e_series(4));
  add(4, "600-cell", 120, (1.0 + std::sqrt(5.0)) / 4.0, cell_600);
  add(4, "24-cell", 24, 0.5, [] { return d_roots(4); });
  add(5, "Clebsch code", 16, 1.0 / 5.0, e_series(5));
  add(6, "Schläfli code", 27, 1.0 / 4.0, e_series(6));
  add(7, "code derived from the E8 roots", 56, 1.0 / 3.0, e_series(7));
  add(6, "E6 roots", 72, 0.5, [] { return e_roots(6); });
  add(7, "E7 roots", 126, 0.5, [] { return e_roots(7); });
  add(8, "E8 roots", 240, 0.5, [] { return e_roots(8); });
  if (d >= 5 && d <= kMostRoots)
    add(d, fmt::format("D{} roots", d), 2 * d * (d - 1), 0.5, [d] { return d_roots(d); });
  add(20, "Gewirtz code", 56, 1.0 / 15.0, hexads(HexadGraph::kGewirtz));
  add(21, "Hoffman-Singleton code", 50, 1.0 / 21.0, hoffman_singleton_code);
  add(21, "code of the M22 graph", 77, 1.0 / 12.0, hexads(HexadGraph::kM22));
  add(22, "Higman-Sims code", 100, 1.0 / 11.0, hexads(HexadGraph::kHigmanSims));
  const auto mclaughlin = [] { return derived_code(antipodal_code(leech_lines_276()), 0, 1.0 / 5.0); };
  add(22, "McLaughlin code", 275, 1.0 / 6.0, mclaughlin);
  add(21, "code derived from McLaughlin's", 162, 1.0 / 7.0,
      [mclaughlin] { return derived_code(mclaughlin(), 0, 1.0 / 6.0); });
  const auto leech_891 = [] { return derived_code(leech_code_4600(), 0, 1.0 / 3.0); };
  add(23, "code derived from the Leech lattice", 4600, 1.0 / 3.0, leech_code_4600);
  add(22, "code derived twice from the Leech lattice", 891, 1.0 / 4.0, leech_891);
  add(21, "code derived three times from the Leech lattice", 336, 1.0 / 5.0,
      [leech_891] { return derived_code(leech_891(), 0, 1.0 / 4.0); });
  for (const int q : {3, 4, 5}) {
    add(q * (q * q - q + 1), "generalised quadrangle", (q + 1) * (q * q * q + 1), 1.0 / (q * q),
        [q] { return quadrangle_code(q); });
  }
  for (const int dim : {16, 64, 256}) {
    const int bases = std::min(dim / 2 + 1, kLargestCode / (2 * dim));
    add(dim, "Kerdock code", 2 * dim * bases, 1.0 / std::sqrt(dim),
        [dim, bases] { return antipodal_code(kerdock_lines(dim, bases)); });
    // A descent ended at 0.288 for (C,d) = (192,16) and 0.134 for (768,64).
    if (dim == d) codes.back().best_from = 12 * dim;
  }
  // Lines as points ±x.
  for (const CatalogueCode& lines : line_codes(d)) {
    if (2 * lines.classes > kLargestCode) continue;
    codes.push_back({"±" + lines.name, 2 * lines.classes, lines.value,
                     [build = lines.build] { return antipodal_code(build()); }});
  }
  return codes;
}

}  // namespace

std::vector<CatalogueCode> frame_catalogue(int dim, FrameObjective objective) {
  Codes codes = objective == FrameObjective::kSigned ? point_codes(dim) : line_codes(dim);
  // Of codes of one size the best, of equal ones the first listed, and none that a larger one beats.
  constexpr double kRounding = 1e-12;
  std::stable_sort(codes.begin(), codes.end(),
                   [](const CatalogueCode& a, const CatalogueCode& b) { return a.classes > b.classes; });
  Codes kept;
  for (CatalogueCode& code : codes) {
    if (!kept.empty() && code.value > kept.back().value - kRounding) continue;
    if (!kept.empty() && code.classes == kept.back().classes) kept.pop_back();
    kept.push_back(std::move(code));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace gnc
