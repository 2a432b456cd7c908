#include "tests/guard/kernel_names.h"

#include <dlfcn.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

#include "engine/error.h"
#include "tests/support/program.h"

namespace gnc::tests {
namespace {

/// "void gnc::kernels::simt::(anonymous namespace)::name<(type)value, …>(parameters)": name and arguments.
std::string bare_name(const std::string& symbol) {
  static const std::regex kNamespaces("gnc::kernels::(simt::)?|\\(anonymous namespace\\)::|^void ");
  static const std::regex kCasts("\\([A-Za-z0-9_:]+\\)");
  std::string name = std::regex_replace(symbol, kNamespaces, "");
  name = std::regex_replace(name, kCasts, "");
  name = name.substr(0, name.find('('));
  std::erase(name, ' ');
  return name;
}

/// Bare names of the emulator's functions in this program's file, by their distance from its beginning.
std::map<std::uintptr_t, std::string> read_functions() {
  const ProgramResult nm =
      run_program(GNC_NM, {"--demangle", "--defined-only", std::filesystem::read_symlink("/proc/self/exe")});
  require<Error>(nm.exit_status == 0, "{}: {}", GNC_NM, nm.err);
  std::map<std::uintptr_t, std::string> functions;
  std::istringstream lines(nm.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::uintptr_t offset = 0;
    char kind = 0;
    std::string symbol;
    words >> std::hex >> offset >> kind >> std::ws;
    std::getline(words, symbol);
    if (words && symbol.find("gnc::kernels::simt::") != std::string::npos)
      functions[offset] = bare_name(symbol);
  }
  return functions;
}

}  // namespace

std::string kernel_name(const void* kernel) {
  static const std::map<std::uintptr_t, std::string> functions = read_functions();
  Dl_info program{};
  require<Error>(::dladdr(kernel, &program) != 0, "{}: in no program", fmt::ptr(kernel));
  const auto offset =
      reinterpret_cast<std::uintptr_t>(kernel) - reinterpret_cast<std::uintptr_t>(program.dli_fbase);
  const auto found = functions.find(offset);
  require<Error>(found != functions.end(), "{:#x}: no function of the emulator's kernels begins there",
                 offset);
  return found->second;
}

}  // namespace gnc::tests
