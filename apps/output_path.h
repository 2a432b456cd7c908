#pragma once
/// Places for results, checked before the work of minutes that fills them.

#include <string>
#include <string_view>

namespace gnc {

/// Throws unless `path`, the value of `flag`, is empty or a file that can be made: UsageError when it does
/// not end in `extension` (".csv"), FileError when its folder is not there or not writable.
void check_output_path(std::string_view flag, const std::string& path, std::string_view extension);

}  // namespace gnc
