#include "tests/ops/all_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

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

/// Which cases a property is about, by their operands.
using Selection = bool (*)(const Operands&);

bool is_any(const Operands&) { return true; }

/// An image lies as the backend likes images.
bool has_image(const Operands& operands) {
  return std::ranges::any_of(operands.list, [](const CaseOperand& operand) {
    return operand.storage == Storage::kImage && !operand.layout;
  });
}

/// Something lies as the backend likes it.
bool has_layout(const Operands& operands) {
  return std::ranges::any_of(operands.list, [](const CaseOperand& operand) {
    return operand.storage != Storage::kPlain && !operand.layout;
  });
}

/// Is the case in that precision something else than in fp32? In TF32, where something is multiplied; in
/// bf16, where something is stored so. Elsewhere the same kernels would do the same once more.
bool is_of_its_own(const Operands& operands, Precision precision) {
  return precision == Precision::kFp32 || std::ranges::any_of(operands.list, [&](const CaseOperand& operand) {
           return precision == Precision::kTf32
                      ? operand.is_multiplied
                      : placed_dtype(operand, DType::kBf16) != placed_dtype(operand, DType::kF32);
         });
}

/// Calls `body(case, operands)` for the cases of an op that are for that backend until one of them fails:
/// they are sorted by size, and a larger case would only repeat what the smallest failing one says.
template <class Op, class Body>
void for_each_case(const Backend& backend, int runs, const Body& body, Selection selects = is_any) {
  int count = 0;
  for (const auto& op_case : OpCases<Op>::cases()) {
    if (!is_for<Op>(op_case, backend)) continue;
    const Operands operands = operands_of<Op>(op_case, Draw(kSeed, runs, backend.precision()));
    if (!is_of_its_own(operands, backend.precision()) || !selects(operands)) continue;
    ++count;
    SCOPED_TRACE(fmt::format("{}, case {}, seed {}", Op::kName, OpCases<Op>::name(op_case), kSeed));
    body(op_case, operands);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(count, 0) << "no case to show it";
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
  for_each_case<Op>(backend, 1, [&](const auto& op_case, const Operands& operands) {
    expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands), outcome_on<Op>(backend, op_case, operands));
  });
}

template <class Op>
void run_of_ensemble_is_run_alone(Backend& backend) {
  for_each_case<Op>(backend, kRuns, [&](const auto& op_case, const Operands& operands) {
    const Outcome ensemble = outcome_on<Op>(backend, op_case, operands);
    expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands), ensemble);
    expect_runs_alone<Op>(backend, op_case, operands, ensemble);
  });
}

template <class Op>
void shared_operands_serve_all_runs(Backend& backend) {
  for_each_case<Op>(backend, kRuns, [&](const auto& op_case, const Operands& apart) {
    const Operands operands = apart.with_shared_reads();
    expect_runs_alone<Op>(backend, op_case, operands, outcome_on<Op>(backend, op_case, operands));
  });
}

/// The second time, the threads of emulated kernels run in another order.
template <class Op>
void is_deterministic(Backend& backend) {
  for_each_case<Op>(backend, 1, [&](const auto& op_case, const Operands& operands) {
    const Outcome first = outcome_on<Op>(backend, op_case, operands);
    const Schedule other(other_seed());
    expect_same_bits(first, outcome_on<Op>(backend, op_case, operands), "the second time");
  });
}

/// Images may lie pixel by pixel (HWNC) on the device backends.
template <class Op>
void takes_pixel_major_images(Backend& backend) {
  Placing placing = placing_for(backend.precision());
  placing.image = Layout::kHWNC;
  for_each_case<Op>(
      backend, 1,
      [&](const auto& op_case, const Operands& operands) {
        expect_outcome<Op>(op_case, oracle_of<Op>(op_case, operands),
                           run_case<Op>(backend, op_case, operands, placing));
      },
      has_image);
}

/// The oracle gives the same bits in every layout, and zero padding in the blocked ones.
template <class Op>
void layouts_agree(Backend& backend) {
  const DType real = backend.precision() == Precision::kBf16 ? DType::kBf16 : DType::kF64;
  for_each_case<Op>(
      backend, 1,
      [&](const auto& op_case, const Operands& operands) {
        const Outcome row_major =
            run_case<Op>(backend, op_case, operands, {real, Layout::kRowMajor, Layout::kRowMajor});
        for (const auto& [image, weights] : kLayouts) {
          const Placing placing{.real = real, .image = image, .weights = weights};
          expect_same_bits(row_major, run_case<Op>(backend, op_case, operands, placing),
                           fmt::format("images in {}, weights in {}", to_string(image), to_string(weights)));
        }
      },
      has_layout);
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

/// What there is to show in a precision with the cases of an op.
struct Showable {
  bool has_cases = false;
  bool has_images = false;
  bool has_layouts = false;
};

/// Whether a backend takes the cases is not asked. The operands differ in numbers alone from precision to
/// precision.
template <class Op>
const Showable& showable(Precision precision) {
  static const auto all = [] {
    std::map<Precision, Showable> showables;
    for (const auto& op_case : OpCases<Op>::cases()) {
      const Operands operands = OpCases<Op>::make_inputs(op_case, Draw(kSeed));
      for (const Precision in : {Precision::kFp32, Precision::kTf32, Precision::kBf16}) {
        if (!is_of_its_own(operands, in)) continue;
        Showable& showable = showables[in];
        showable.has_cases = true;
        showable.has_images |= has_image(operands);
        showable.has_layouts |= has_layout(operands);
      }
    }
    return showables;
  }();
  static constexpr Showable kNothing;
  const auto found = all.find(precision);
  return found == all.end() ? kNothing : found->second;
}

/// What is to be shown of an op there; nothing where fp32 shows it all.
template <class Op>
std::vector<Property> properties_of(const BackendChoice& choice) {
  const Showable& there = showable<Op>(choice.precision);
  if (!there.has_cases) return {};
  std::vector<Property> properties = {
      {"Matches_The_Oracle", matches_oracle<Op>},
      {"Run_Of_An_Ensemble_Is_The_Run_Alone", run_of_ensemble_is_run_alone<Op>},
      {"Shared_Operands_Serve_All_Runs", shared_operands_serve_all_runs<Op>},
      {"Is_Deterministic", is_deterministic<Op>}};
  if (choice.device == "reference" && there.has_layouts)
    properties.push_back({"Gives_The_Same_Bits_In_Every_Layout", layouts_agree<Op>});
  if ((choice.device == "simt" || choice.device == "cuda") && there.has_images)
    properties.push_back({"Takes_Pixel_Major_Images", takes_pixel_major_images<Op>});
  return properties;
}

template <class Op>
void register_op(const BackendChoice& choice) {
  for (const Property& property : properties_of<Op>(choice))
    add_test(fmt::format("{}/{}", Op::kName, choice.to_string()), property.name,
             [choice, check = property.check] { check(backend_named(choice.device, choice.precision)); });
}

template <class... Ops>
void register_ops(OpList<Ops...>, const BackendChoice& choice) {
  (register_op<Ops>(choice), ...);
}

/// Tests of all ops on a backend.
template <class... Ops>
std::size_t count_tests(OpList<Ops...>, const std::string& device) {
  std::size_t tests = 0;
  for (const Precision precision : precisions_of(device))
    tests += (properties_of<Ops>({device, precision}).size() + ...);
  return tests;
}

/// Cases of an op that are run on the backend.
template <class Op>
int count_cases(const Backend& backend) {
  const auto cases = OpCases<Op>::cases();
  return static_cast<int>(std::ranges::count_if(cases, [&](const auto& op_case) {
    return is_for<Op>(op_case, backend) &&
           is_of_its_own(operands_of<Op>(op_case, Draw(kSeed, 1, backend.precision())), backend.precision());
  }));
}

/// Prints how much the tests of emulated kernels cover.
template <class... Ops>
void count_simt_cases(OpList<Ops...>) {
  const auto in = [](Precision precision) {
    return std::vector<int>{count_cases<Ops>(backend_named("simt", precision))...};
  };
  const auto sum = [](const std::vector<int>& cases) { return std::reduce(cases.begin(), cases.end()); };
  const std::vector<int> fp32 = in(Precision::kFp32);
  for (const int cases : fp32) EXPECT_GT(cases, 0) << "an op has no case";
  const int in_fp32 = sum(fp32), in_tf32 = sum(in(Precision::kTf32)), in_bf16 = sum(in(Precision::kBf16));
  fmt::print(
      "simt: {} cases of {} ops, each counted once: {} in fp32, {} of products in tf32, {} of operands "
      "stored "
      "in bf16\n",
      in_fp32 + in_tf32 + in_bf16, sizeof...(Ops), in_fp32, in_tf32, in_bf16);
}

}  // namespace

void register_tests_of_all_ops() {
  for (const BackendChoice& choice : backend_choices()) register_ops(AllOps{}, choice);
  add_test("Cases/simt", "Are_Counted", [] { count_simt_cases(AllOps{}); });
  for (const MissingBackend& missing : missing_backends())
    add_test("Backend", missing.name + "_Is_Missing", [missing] {
      GTEST_SKIP() << count_tests(AllOps{}, missing.name) << " tests left out: " << missing.reason;
    });
}

}  // namespace gnc::tests
