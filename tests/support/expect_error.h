#pragma once
/// Errors as users see them.

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace gnc::tests {

/// Expects `body` to throw exactly an `E` whose message is one line that contains all `parts`.
template <class E, class Body>
void expect_error(Body body, std::initializer_list<std::string_view> parts) {
  try {
    body();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const E& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << "more than one line: " << message;
    for (const std::string_view part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error was thrown: " << error.what();
  }
}

}  // namespace gnc::tests
