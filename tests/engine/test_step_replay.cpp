/// A training step may be recorded and replayed (Backend::run_step, CUDA graphs): its ops must have the same
/// operands whenever it is called with the same key. Shown on the host, where ops are values.

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/trainer.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::tiny_network;
using tests::TinyImages;

/// cpu, but a step's ops are recorded by key, as the cuda backend does: the first step of a key runs as it
/// is, the second is recorded without running, and from then on the record is run and the step not called.
class ReplayingBackend final : public ImplementedBy<ReplayingBackend, AllOps> {
 public:
  std::string_view name() const override { return "replaying"; }
  MemoryResource& memory() override { return cpu_->memory(); }
  void synchronize() override { cpu_->synchronize(); }
  std::size_t workspace_bytes() const override { return cpu_->workspace_bytes(); }
  Layout image_layout() const override { return cpu_->image_layout(); }
  Layout weights_layout(const Shape& shape) const override { return cpu_->weights_layout(shape); }

  void run_step(const StepKey& key, const std::function<void()>& step) override {
    const auto [found, is_new] = records_.try_emplace(key);
    std::optional<Record>& record = found->second;
    if (is_new) return step();
    if (!record) {
      record.emplace();
      recording_ = &*record;
      step();
      recording_ = nullptr;
    } else {
      ++steps_not_called_;
    }
    for (const auto& run_op : *record) run_op(*cpu_);
  }

  template <class Op>
  void take(const Op& op) {
    if (recording_ != nullptr)
      recording_->push_back([op](Backend& cpu) { cpu.run(op); });
    else
      cpu_->run(op);
  }

  /// Kinds of steps seen so far.
  std::size_t keys() const { return records_.size(); }
  int steps_not_called() const { return steps_not_called_; }

 private:
  using Record = std::vector<std::function<void(Backend&)>>;

  std::unique_ptr<Backend> cpu_ = open_backend("cpu");
  std::map<StepKey, std::optional<Record>> records_;  // nothing: seen once
  Record* recording_ = nullptr;
  int steps_not_called_ = 0;
};

template <class Op>
void execute(ReplayingBackend& backend, const Op& op) {
  backend.take(op);
}

constexpr int kClasses = 4;

/// Four epochs, of which the last two are slower.
TrainerSettings settings_of(int batch_size) {
  TrainerSettings settings = tests::tiny_settings();
  settings.epochs = 4;
  settings.batch_size = batch_size;
  settings.schedule.epochs = {2};
  return settings;
}

/// A trainer with all it needs on a backend that others may use.
struct TinyRun {
  TinyRun(Backend& backend, std::vector<std::uint64_t> seeds, int batch_size = 10)
      : network(tiny_network(2, kClasses)),
        trainer(backend, *network, train, test, settings_of(batch_size), std::move(seeds)) {
    for (int run = 0; run < trainer.runs(); ++run) tests::install_cross(trainer, run);
  }
  TinyImages train{kClasses, 8, 1};  // 32 samples: batches of 10, 10, 10 and 2
  TinyImages test{kClasses, 3, 2};
  std::unique_ptr<Network> network;
  Trainer trainer;

  bool is_done() const { return trainer.position().epoch == trainer.settings().epochs; }
  void train_step() {
    trainer.train_epoch([](int, int) { return false; });
  }
};

/// What training leaves: every value, buffer and momentum of every run, and the losses of evaluations.
struct Outcome {
  std::vector<std::byte> parameters;
  std::vector<float> losses;
  friend bool operator==(const Outcome&, const Outcome&) = default;

  void add_losses(Trainer& trainer) {
    for (const Split split : {Split::kTest, Split::kTrain})
      for (const Evaluation& evaluation : trainer.evaluate(split))
        losses.insert(losses.end(), evaluation.losses.begin(), evaluation.losses.end());
  }
  void add_parameters(Trainer& trainer) {
    const ParameterArena& arena = trainer.parameters();
    const auto add = [&](const HostTensor& values) {
      parameters.insert(parameters.end(), values.bytes().begin(), values.bytes().end());
    };
    for (int run = 0; run < trainer.runs(); ++run) {
      for (const auto& entry : arena.trained()) {
        add(arena.read(entry.parameter->value, run));
        add(arena.read(arena.momentum_of(entry), run));
      }
      for (const auto& entry : arena.buffers()) add(arena.read(entry.parameter->value, run));
    }
  }
};

/// All epochs, with an evaluation in the middle of the second and after each.
Outcome train(Backend& backend, const std::vector<std::uint64_t>& seeds, int batch_size = 10) {
  TinyRun tiny(backend, seeds, batch_size);
  Outcome outcome;
  while (!tiny.is_done()) {
    if (tiny.trainer.position().epoch == 1) {
      tiny.train_step();
      outcome.add_losses(tiny.trainer);
    }
    tiny.trainer.train_epoch([](int, int) { return true; });
    outcome.add_losses(tiny.trainer);
  }
  outcome.add_parameters(tiny.trainer);
  return outcome;
}

TEST(StepReplay, TrainsToTheBitsOfPlainTraining) {
  // One run; two with one order of samples; two with an order each.
  for (const auto& seeds : {std::vector<std::uint64_t>{3}, {3, 3}, {3, 4}}) {
    SCOPED_TRACE(testing::PrintToString(seeds));
    const std::unique_ptr<Backend> cpu = open_backend("cpu");
    ReplayingBackend replaying;
    const Outcome plain = train(*cpu, seeds);
    EXPECT_TRUE(train(replaying, seeds) == plain);
    // A full and a short batch, at two learning rates, in two epochs each; of each kind two steps are called.
    EXPECT_EQ(replaying.keys(), 4U);
    EXPECT_EQ(replaying.steps_not_called(), 4 * (3 + 1) - 4 * 2);
  }
}

TEST(StepReplay, ServesTwoTrainersInTurn) {
  const std::unique_ptr<Backend> cpu = open_backend("cpu");
  const auto train_both = [](Backend& backend) {
    TinyRun first(backend, {3, 4}), second(backend, {5}, 8);
    Outcome outcome;
    while (!first.is_done() || !second.is_done())
      for (TinyRun* tiny : {&first, &second}) {
        if (tiny->is_done()) continue;
        tiny->train_step();
        outcome.add_losses(tiny->trainer);
      }
    outcome.add_parameters(first.trainer);
    outcome.add_parameters(second.trainer);
    return outcome;
  };
  ReplayingBackend replaying;
  EXPECT_TRUE(train_both(replaying) == train_both(*cpu));
  EXPECT_EQ(replaying.keys(), 6U) << "the second trainer has no short batch";
  EXPECT_GT(replaying.steps_not_called(), 0);
}

TEST(StepReplay, ForgetsATrainerThatIsGone) {
  // The second may get the memory of the first, but not its records.
  const std::unique_ptr<Backend> cpu = open_backend("cpu");
  ReplayingBackend replaying;
  train(replaying, {3});
  EXPECT_TRUE(train(replaying, {4, 5}) == train(*cpu, {4, 5}));
  EXPECT_EQ(replaying.keys(), 8U);
}

}  // namespace
}  // namespace gnc
