#include "tests/apps/browser.h"

#include <sstream>

#include "engine/error.h"
#include "engine/file.h"
#include "tests/support/program.h"

namespace gnc::tests {
namespace {

/// "%7B%22a%22%7D" as "{"a"}".
std::string percent_decoded(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    result += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return result;
}

}  // namespace

std::optional<std::filesystem::path> find_browser() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}

BrowserVisit visit(const std::filesystem::path& browser, const std::filesystem::path& page,
                   const std::string& check) {
  const TempDir folder;
  std::string html = read_file(page);
  const std::size_t end = html.rfind("</body>");
  require(end != std::string::npos, "{}: has no </body>", page.string());
  // Percent encoding needs no escapes in HTML.
  html.insert(end, "<script>(async () => {" + check +
                       "})().then((answer) => { const node = document.createElement('pre');"
                       "node.textContent = 'answer:' + encodeURIComponent(JSON.stringify(answer)) + ':end';"
                       "document.body.append(node); });</script>\n");
  write_atomically(folder / "page.html", html);
  const ProgramResult result =
      run_program(browser, {"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--user-data-dir=" + (folder / "profile").string(), "--enable-logging=stderr",
                            "--v=0", "--window-size=1300,4000", "--virtual-time-budget=20000", "--dump-dom",
                            "file://" + (folder / "page.html").string()});
  require(result.exit_status == 0, "{}: exit status {}: {}", browser.string(), result.exit_status,
          result.err);
  BrowserVisit seen;
  std::istringstream lines(result.err);
  for (std::string line; std::getline(lines, line);)
    if (line.find(":CONSOLE") != std::string::npos) seen.console.push_back(line);
  const std::size_t from = result.out.find("answer:"), to = result.out.find(":end", from);
  // The script's own text has "answer:'", with a quote.
  std::size_t start = from;
  while (start != std::string::npos && result.out[start + 7] == '\'')
    start = result.out.find("answer:", start + 7);
  if (start != std::string::npos && to != std::string::npos)
    seen.answer = nlohmann::json::parse(
        percent_decoded(result.out.substr(start + 7, result.out.find(":end", start) - start - 7)), nullptr,
        false);
  return seen;
}

}  // namespace gnc::tests
