#include "data/registry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/data/files.h"

namespace gnc::tests {
namespace {

TEST(Registry, An_Unknown_Name_Gets_The_Nearest_And_All_There_Are) {
  expect_error<UsageError>(
      [] { load_dataset("fashion_mnist"); },
      {"'fashion_mnist'", "did you mean 'fashion-mnist'", "cifar10", "cifar100", "images", "synthetic"});
  expect_error<UsageError>([] { load_dataset(""); }, {"''", "synthetic"});
  expect_error<UsageError>([] { load_dataset(":x"); }, {"''", "synthetic"});
}

TEST(Registry, A_Missing_Argument_Is_A_Usage_Error_With_The_Form) {
  for (const std::string name : {"mnist", "cifar10", "cifar100", "images"}) {
    expect_error<UsageError>([&] { load_dataset(name); }, {"'" + name + "'", name + ":DIR"});
    expect_error<UsageError>([&] { load_dataset(name + ":"); }, {name + ":DIR"});
  }
}

TEST(Registry, The_Argument_Is_All_Behind_The_First_Colon) {
  expect_error<FileError>([] { load_dataset("images:/no:where"); }, {"/no:where"});
  expect_error<FileError>([] { load_dataset("cifar10:/nowhere"); }, {"/nowhere", "no such folder"});
}

TEST(Registry, Lists_A_Form_For_Every_Set) {
  const std::vector<std::string> forms = dataset_forms();
  for (const std::string_view start :
       {"fashion-mnist", "mnist:", "cifar10:", "cifar100:", "images:", "synthetic"})
    EXPECT_TRUE(std::ranges::any_of(forms, [&](const auto& form) { return form.starts_with(start); }))
        << start;
}

}  // namespace
}  // namespace gnc::tests
