#include "tests/ops/all_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "tests/ops/cases/all.h"
#include "tests/ops/schedule.h"
#include "tests/support/backends.h"
#include "tests/support/rounding.h"

namespace gnc::tests {
namespace {

constexpr std::uint64_t kSeed = 20260101;
constexpr int kRuns = 3;

/// Every layout of images and of weights at least once.
constexpr std::pair<Layout, Layout> kLayouts[] = {{Layout::kNHWC, Layout::kNHWC},
                                                  {Layout::kHWNC, Layout::kOIhw16i16o},
                                                  {Layout::kNHWC, Layout::kOhwi16o},
                                                  {Layout::kHWNC, Layout::kOIhw8i8o},
                                                  {Layout::kRowMajor, Layout::kOhwi8o}};

/// Calls `body(case)` for the cases of an op that are for that backend until one of them fails: they are
/// sorted by size, and a larger case would only repeat what the smallest failing one says.
template <class Op, class Body>
void for_each_case(const Backend& backend, Body body) {
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!is_for<Op>(op_case, backend)) continue;
    SCOPED_TRACE(fmt::format("{}, case {}, seed {}", Op::kName, OpCases<Op>::name(op_case), kSeed));
    body(op_case);
    if (::testing::Test::HasFailure()) return;
  }
}

template <class Op>
Outcome outcome_on(Backend& backend, const typename OpCases<Op>::Case& op_case, const Operands& operands) {
  return run_case<Op>(backend, op_case, operands, placing_for(backend.precision()));
}

template <class Op>
Outcome oracle_of(const typename OpCases<Op>::Case& op_case, const Operands& operands) {
  return run_case<Op>(backend_named("reference"), op_case, operands, kOraclePlacing);
}

template <class Op>
void expect_outcome(const typename OpCases<Op>::Case& op_case, const Outcome& expected,
                    const Outcome& actual) {
  for (const std::string& fault : actual.faults) ADD_FAILURE() << fault;
  ASSERT_EQ(expected.results.size(), actual.results.size());
  ASSERT_FALSE(expected.results.empty()) << "the case writes nothing";
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    const Result& wanted = expected.results[i];
    const Comparison comparison =
        compare(wanted.values, actual.results[i].values, tolerance_of<Op>(op_case, wanted, actual.results[i]),
                wanted.zero_reference);
    EXPECT_TRUE(comparison) << wanted.name << ": " << comparison.message;
  }
}

void expect_same_bits(const Outcome& expected, const Outcome& actual, std::string_view what) {
  for (const std::string& fault : actual.faults) ADD_FAILURE() << fault;
  ASSERT_EQ(expected.results.size(), actual.results.size());
  for (std::size_t i = 0; i < expected.results.size(); ++i) {
    const Comparison comparison = compare_bits(expected.results[i].values, actual.results[i].values);
    EXPECT_TRUE(comparison) << expected.results[i].name << " of " << what << ": " << comparison.message;
  }
}

/// Run i of an ensemble has the bits of run i alone.
template <class Op>
void expect_runs_alone(Backend& backend, const typename OpCases<Op>::Case& op_case, const Operands& operands,
                       const Outcome& ensemble) {
  for (int run = 0; run < operands.runs; ++run) {
    Outcome of_run{.results = {}, .faults = ensemble.faults};
    for (const Result& result : ensemble.results)
      of_run.results.push_back({result.name, run_of(result.values, run), result.zero_reference});
    const Outcome alone = outcome_on<Op>(backend, op_case, operands.run(run));
    expect_same_bits(alone, of_run, fmt::format("run {} of {}", run, operands.runs));
  }
}

// The properties
// -------------------------------------------------------------------------------------------------------

/// One run, within the derived tolerance of the oracle; nothing outside the operands is touched.
template <class Op>
void matches_oracle(Backend& backend) {
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
    expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands), outcome_on<Op>(backend, op_case, operands));
  });
}

template <class Op>
void run_of_ensemble_is_run_alone(Backend& backend) {
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, kRuns, backend.precision()));
    const Outcome ensemble = outcome_on<Op>(backend, op_case, operands);
    expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands), ensemble);
    expect_runs_alone<Op>(backend, op_case, operands, ensemble);
  });
}

template <class Op>
void shared_operands_serve_all_runs(Backend& backend) {
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands =
        operands_of<Op>(op_case, Draw(kSeed, kRuns, backend.precision())).with_shared_reads();
    expect_runs_alone<Op>(backend, op_case, operands, outcome_on<Op>(backend, op_case, operands));
  });
}

/// The second time, the threads of emulated kernels run in another order.
template <class Op>
void is_deterministic(Backend& backend) {
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
    const Outcome first = outcome_on<Op>(backend, op_case, operands);
    const Schedule other(kSeed);
    expect_same_bits(first, outcome_on<Op>(backend, op_case, operands), "the second time");
  });
}

/// Images may lie pixel by pixel (HWNC) on the device backends.
template <class Op>
void takes_pixel_major_images(Backend& backend) {
  Placing placing = placing_for(backend.precision());
  placing.image = Layout::kHWNC;
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
    expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands),
                       run_case<Op>(backend, op_case, operands, placing));
  });
}

/// The oracle gives the same bits in every layout, and zero padding in the blocked ones.
template <class Op>
void layouts_agree(Backend& backend) {
  const DType real = backend.precision() == Precision::kBf16 ? DType::kBf16 : DType::kF64;
  for_each_case<Op>(backend, [&](const auto& op_case) {
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision()));
    const Outcome row_major =
        run_case<Op>(backend, op_case, operands, {real, Layout::kRowMajor, Layout::kRowMajor});
    for (const auto& [image, weights] : kLayouts) {
      const Placing placing{.real = real, .image = image, .weights = weights};
      expect_same_bits(row_major, run_case<Op>(backend, op_case, operands, placing),
                       fmt::format("images in {}, weights in {}", to_string(image), to_string(weights)));
    }
  });
}

// Registration
// ---------------------------------------------------------------------------------------------------------

class GeneratedTest : public ::testing::Test {
 public:
  explicit GeneratedTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

void add_test(const std::string& suite, const std::string& name, std::function<void()> body) {
  ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [body = std::move(body)]() -> ::testing::Test* { return new GeneratedTest(body); });
}

struct Property {
  std::string name;
  void (*check)(Backend&);
};

template <class Op>
void register_op(const BackendChoice& choice) {
  std::vector<Property> properties = {
      {"Matches_The_Oracle", matches_oracle<Op>},
      {"Run_Of_An_Ensemble_Is_The_Run_Alone", run_of_ensemble_is_run_alone<Op>},
      {"Shared_Operands_Serve_All_Runs", shared_operands_serve_all_runs<Op>},
      {"Is_Deterministic", is_deterministic<Op>}};
  if (choice.device == "reference")
    properties.push_back({"Gives_The_Same_Bits_In_Every_Layout", layouts_agree<Op>});
  if (choice.device == "simt" || choice.device == "cuda")
    properties.push_back({"Takes_Pixel_Major_Images", takes_pixel_major_images<Op>});
  for (const Property& property : properties)
    add_test(fmt::format("{}/{}", Op::kName, choice.to_string()), property.name,
             [choice, check = property.check] { check(backend_named(choice.device, choice.precision)); });
}

/// Cases of an op that are for the backend.
template <class Op>
int count_cases(const Backend& backend) {
  const auto cases = OpCases<Op>::cases();
  return static_cast<int>(
      std::ranges::count_if(cases, [&](const auto& op_case) { return is_for<Op>(op_case, backend); }));
}

/// Prints how much the tests of emulated kernels cover.
template <class... Ops>
void count_simt_cases(OpList<Ops...>) {
  int total = 0;
  for (const Precision precision : precisions_of("simt")) {
    const Backend& simt = backend_named("simt", precision);
    int in_precision = 0;
    for (const int cases : {count_cases<Ops>(simt)...}) {
      EXPECT_GT(cases, 0) << "an op has no case in " << to_string(precision);
      in_precision += cases;
    }
    total += in_precision;
  }
  fmt::print("simt: {} cases of {} ops in {} precisions\n", total, sizeof...(Ops),
             precisions_of("simt").size());
}

template <class... Ops>
void register_ops(OpList<Ops...>, const BackendChoice& choice) {
  (register_op<Ops>(choice), ...);
}

}  // namespace

void register_tests_of_all_ops() {
  for (const BackendChoice& choice : backend_choices()) register_ops(AllOps{}, choice);
  add_test("Cases/simt", "Are_Counted", [] { count_simt_cases(AllOps{}); });
  constexpr int kPropertiesPerOp = 5;
  for (const MissingBackend& missing : missing_backends())
    add_test("Backend", missing.name + "_Is_Missing", [missing] {
      const std::size_t precisions = precisions_of(missing.name).size();
      GTEST_SKIP() << AllOps::kSize * kPropertiesPerOp * precisions << " tests left out: " << missing.reason;
    });
}

}  // namespace gnc::tests
