#pragma once
/// The properties every op has on every backend, as tests made from the case tables.

namespace gnc::tests {

/// Registers, for every op of AllOps and every backend that opens, the tests `<Op>/<backend>.<Property>`; and
/// for every backend that does not, one test that is skipped with the reason and the number of tests left
/// out.
void register_tests_of_all_ops();

}  // namespace gnc::tests
