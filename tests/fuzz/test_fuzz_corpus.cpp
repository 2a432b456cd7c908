/// The fuzzers' committed inputs, each as it is, cut off and with bytes changed: with an ordinary compiler
/// and its sanitizers. Findings of the fuzzers are among them.

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <set>

#include "engine/file.h"
#include "tests/fuzz/png_checksums.h"
#include "tests/fuzz/targets.h"

namespace gnc::tests {
namespace {

namespace fs = std::filesystem;

std::set<fs::path> corpus_of(std::string_view target) {
  std::set<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(GNC_FUZZ_CORPUS) / target))
    files.insert(entry.path());
  return files;
}

/// The committed inputs that are refused; all others are read.
const std::set<std::string> kRefused = {"images/dictionary.tar.xz",
                                        "images/escaping.tar",
                                        "images/links.tar",
                                        "picture/scans.jpg",
                                        "run/mistyped",
                                        "run/nested",
                                        "run/seed",
                                        "sidecar/large",
                                        "sidecar/nested",
                                        "tar/escaping.tar",
                                        "toml/arrays"};

class FuzzCorpus : public testing::TestWithParam<FuzzTarget> {};

TEST_P(FuzzCorpus, AndWhatIsNearItIsReadOrRefused) {
  const std::set<fs::path> files = corpus_of(GetParam().name);
  ASSERT_GE(files.size(), 3u);
  std::mt19937 random(1);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file);
    const std::string bytes = read_file(file);
    const std::string name = fs::relative(file, GNC_FUZZ_CORPUS);
    FuzzAnswer answer{};
    EXPECT_NO_THROW(answer = GetParam().run(bytes));
    EXPECT_EQ(answer == FuzzAnswer::kRefused, kRefused.contains(name)) << name;
    EXPECT_NO_THROW(GetParam().run(bytes.substr(0, bytes.size() / 2)));
    for (int i = 0; i < 20 && !bytes.empty(); ++i) {
      std::string changed = bytes;
      for (int j = 0; j < 3; ++j) changed[random() % changed.size()] = static_cast<char>(random());
      EXPECT_NO_THROW(GetParam().run(changed)) << "change " << i;
      sign_png(changed);
      EXPECT_NO_THROW(GetParam().run(changed)) << "change " << i << ", with checksums";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, FuzzCorpus, testing::ValuesIn(fuzz_targets().begin(), fuzz_targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(FuzzCorpora, HaveAFolderForEachTargetAndNoOther) {
  std::set<std::string> folders, targets;
  for (const fs::directory_entry& entry : fs::directory_iterator(GNC_FUZZ_CORPUS))
    folders.insert(entry.path().filename().string());
  for (const FuzzTarget& target : fuzz_targets()) targets.emplace(target.name);
  EXPECT_EQ(folders, targets);
}

}  // namespace
}  // namespace gnc::tests
