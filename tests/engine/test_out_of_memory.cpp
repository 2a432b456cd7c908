/// Too little memory on the device: the error says what would fit, and what it says fits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "engine/attacks/robustness.h"
#include "engine/trainer.h"
#include "tests/support/tiny_training.h"

namespace gnc {
namespace {

using tests::tiny_network;
using tests::tiny_settings;
using tests::TinyImages;

/// Host memory of which only so much may be in use.
class SmallMemory final : public MemoryResource {
 public:
  explicit SmallMemory(std::size_t capacity) : free_(capacity) {}
  std::string_view name() const override { return "small"; }
  void* allocate(std::size_t bytes) override {
    if (bytes > free_) throw OutOfMemoryError(name(), bytes, free_);
    free_ -= bytes;
    return host_.allocate(bytes);
  }
  /// What is given back stays lost: nothing here allocates twice.
  void release(void* pointer) noexcept override { host_.release(pointer); }
  void upload(void* to, const void* from, std::size_t bytes) override { host_.upload(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { host_.download(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { host_.copy(to, from, bytes); }
  void fill_zero(void* to, std::size_t bytes) override { host_.fill_zero(to, bytes); }
  std::optional<std::size_t> free_bytes() override { return free_; }

 private:
  HostMemory host_;
  std::size_t free_;
};

/// Has memory, and computes nothing.
class SmallBackend final : public ImplementedBy<SmallBackend, AllOps> {
 public:
  explicit SmallBackend(std::size_t capacity) : memory_(capacity) {}
  std::string_view name() const override { return "small"; }
  MemoryResource& memory() override { return memory_; }

 private:
  SmallMemory memory_;
};

template <class Op>
void execute(SmallBackend&, const Op&) {}

struct Setting {
  int batch_size;
  int runs;
  int attacked = 0;  ///< pictures, of four classes
};

/// Trains on a device of that capacity (not for long: ops compute nothing). Returns what it takes.
std::size_t memory_of(std::size_t capacity, const Setting& setting) {
  SmallBackend backend(capacity);
  const TinyImages train(4, 16, 1), test(4, 3, 2);
  const auto network = tiny_network(2, 4);
  TrainerSettings settings = tiny_settings();
  settings.batch_size = setting.batch_size;
  const std::vector<std::uint64_t> seeds(static_cast<std::size_t>(setting.runs), 1);
  const TinyImages attacked(4, std::max(1, setting.attacked / 4), 3);
  std::optional<RobustnessMeter> robustness;
  if (setting.attacked > 0)
    robustness.emplace(backend, *network, attacked,
                       RobustnessSettings{.gradient = {}, .deepfool = {}, .batch_size = setting.batch_size},
                       seeds);
  const Trainer trainer(backend, *network, train, test, settings, seeds, robustness ? &*robustness : nullptr);
  return capacity - *backend.memory().free_bytes();
}

constexpr std::size_t kPlenty = std::size_t{1} << 30;

/// The number behind `flag` in a message.
int number_after(const std::string& message, const std::string& flag) {
  const std::size_t at = message.find(flag + " ");
  return at == std::string::npos ? -1 : std::atoi(message.c_str() + at + flag.size());
}

TEST(OutOfMemory, NamesSettingsThatFit) {
  const Setting wanted{.batch_size = 32, .runs = 4};
  const std::size_t needed = memory_of(kPlenty, wanted);
  const std::size_t capacity = needed - 1;
  try {
    memory_of(capacity, wanted);
    FAIL() << "fitted into less than it takes";
  } catch (const OutOfMemoryError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("small memory"), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(error.asked_bytes()) + " bytes were asked for"), std::string::npos);
    EXPECT_NE(message.find(std::to_string(error.free_bytes()) + " are free"), std::string::npos);
    EXPECT_NE(message.find("4 runs in batches of 32"), std::string::npos) << message;
    EXPECT_EQ(number_after(message, "--batch-size"), 16) << message;
    EXPECT_EQ(number_after(message, "--ensemble"), 3) << message;
  }
  EXPECT_LE(memory_of(capacity, {.batch_size = 16, .runs = 4}), capacity);
  EXPECT_LE(memory_of(capacity, {.batch_size = 32, .runs = 3}), capacity);
}

/// The message of a training that does not fit into that capacity.
std::string message_of(std::size_t capacity, const Setting& setting) {
  try {
    memory_of(capacity, setting);
  } catch (const OutOfMemoryError& error) {
    return error.what();
  }
  ADD_FAILURE() << "fitted into " << capacity << " bytes";
  return "";
}

TEST(OutOfMemory, OffersFewerAttackedPicturesThatFit) {
  // DeepFool keeps what the layers saved, which a step of training gives back on its way: attacks take most.
  const Setting wanted{.batch_size = 32, .runs = 4, .attacked = 32}, without{.batch_size = 32, .runs = 4};
  const std::size_t needed = memory_of(kPlenty, wanted);
  ASSERT_GT(needed, memory_of(kPlenty, without));
  const std::string message = message_of(needed - 1, wanted);
  EXPECT_EQ(number_after(message, "--robustness"), 16) << message;
  EXPECT_EQ(number_after(message, "--batch-size"), 16) << message;
  Setting fewer = wanted;
  fewer.attacked = 16;
  EXPECT_LE(memory_of(needed - 1, fewer), needed - 1);
  fewer = {.batch_size = 16, .runs = 4, .attacked = 32};
  EXPECT_LE(memory_of(needed - 1, fewer), needed - 1);
}

TEST(OutOfMemory, OffersToTrainWithoutAttacks_WhenFewerThanTheClassesFit) {
  // One run in batches of four, one of each class.
  const Setting wanted{.batch_size = 4, .runs = 1, .attacked = 4}, without{.batch_size = 4, .runs = 1};
  const std::size_t needed = memory_of(kPlenty, wanted);
  ASSERT_GT(needed, memory_of(kPlenty, without));
  const std::string message = message_of(needed - 1, wanted);
  EXPECT_NE(message.find("training without --robustness"), std::string::npos) << message;
  EXPECT_LE(memory_of(needed - 1, without), needed - 1);
}

TEST(OutOfMemory, SaysThatThePicturesOfAttacksDoNotFit) {
  const std::string message = message_of(1000, {.batch_size = 8, .runs = 1, .attacked = 8});
  for (const char* part : {"small memory", "for the pictures of attacks", "--robustness"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(OutOfMemory, SaysThatNothingFits_WhenNothingDoes) {
  // One run in batches of one: no smaller batch and no smaller ensemble.
  const std::size_t needed = memory_of(kPlenty, {.batch_size = 1, .runs = 1});
  try {
    memory_of(needed - 1, {.batch_size = 1, .runs = 1});
    FAIL() << "fitted into less than it takes";
  } catch (const OutOfMemoryError& error) {
    EXPECT_NE(std::string(error.what()).find("no smaller batch or ensemble fits"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace gnc
