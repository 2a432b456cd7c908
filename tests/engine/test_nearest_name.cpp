/// What a person probably meant.

#include "engine/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace gnc {
namespace {

TEST(EditDistance, Counts_Insertions_Deletions_Replacements_And_Swaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("clases", "classes"), 1);
  EXPECT_EQ(edit_distance("singed", "signed"), 1);  // a swap, not two replacements
  EXPECT_EQ(edit_distance("ca", "abc"), 3);         // optimal string alignment: no edit inside a swapped pair
}

TEST(NearestName, Is_The_First_Of_The_Nearest) {
  const std::vector<std::string> names = {"train", "trait", "sweep"};
  EXPECT_EQ(nearest_name("trian", names), "train");
  EXPECT_EQ(nearest_name("traix", names), "train");
  EXPECT_EQ(nearest_name("swep", names), "sweep");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(UnknownName, Lists_The_Names_And_The_Nearest) {
  const std::vector<std::string> names = {"signed", "absolute"};
  EXPECT_EQ(unknown_name("singed", "an objective", names),
            "'singed' is not an objective; expected signed or absolute; did you mean 'signed'?");
  const std::vector<std::string> one = {"frame"};
  EXPECT_EQ(unknown_name("fram", "a command", one), "'fram' is not a command; expected frame");
}

}  // namespace
}  // namespace gnc
