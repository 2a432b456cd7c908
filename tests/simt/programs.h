#pragma once
/// Programs that the tests run: `gnc_simt_programs NAME`.

#include <map>
#include <string>

namespace gnc::tests {

using Programs = std::map<std::string, void (*)()>;

/// Kernels with bugs that AddressSanitizer reports (linked into its build only).
Programs address_programs();
/// Kernels with bugs that ThreadSanitizer reports, and without (linked into its build only).
Programs thread_programs();

}  // namespace gnc::tests
