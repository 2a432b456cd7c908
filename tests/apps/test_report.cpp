/// gnc report: the page in a browser, its tables against the CSV files beside it, its numbers against the
/// runs.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <set>
#include <thread>

#include "engine/csv.h"
#include "engine/file.h"
#include "tests/apps/browser.h"
#include "tests/apps/gnc_program.h"
#include "tests/support/temp_dir.h"

namespace gnc {
namespace {

using tests::last_line_as_json;

const std::vector<std::string> kTraining = {
    "--data",       "synthetic:classes=4,size=8,train=8,test=40,channels=1",
    "--model",      "mlp",
    "--lr",         "0.03",
    "--epochs",     "3",
    "--batch-size", "1",
    "--augment",    "none",
    "--metrics",    "jiang",
    "--device",     "cpu",
    "--threads",    "1"};

std::vector<std::string> with_training(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kTraining.begin(), kTraining.end());
  return arguments;
}

/// Two small sweeps, made once: permutations of a frame with d = 3, and seeds.
class Report : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<tests::TempDir>();
    ASSERT_EQ(tests::gnc({"frame", "generate", "--classes", "4", "--dim", "3", "--out", path("frame.npy")})
                  .exit_status,
              0);
    for (const std::string vary : {"permutation", "seed"}) {
      const tests::ProgramResult result = tests::gnc(with_training(
          {"sweep", "--robustness", "8", "--robustness-every", "1", "--layers", "all", "--bounds", "--frames",
           "4", "--vary", vary, "--classifier", path("frame.npy"), "--out", path(vary)}));
      ASSERT_EQ(result.exit_status, 0) << result.err;
      printed_ = result.out;
    }
    const tests::ProgramResult result = tests::gnc({"report", path("permutation"), path("seed"), "--out",
                                                    path("page.html"), "--title", "Four & <four>", "--json"});
    summary_ = last_line_as_json(result);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  static CsvTable table(const std::string& name) { return read_csv(path("page-csv/" + name + ".csv")); }

  static inline std::unique_ptr<tests::TempDir> folder_;
  static inline std::string printed_;  // by the last sweep
  static inline nlohmann::json summary_;
};

TEST_F(Report, Statistics_Are_Those_Of_The_Runs) {
  const CsvTable runs = read_csv(path("permutation/table.csv"));
  std::vector<double> accuracies;
  for (int row = 0; row < runs.size(); ++row) accuracies.push_back(runs.number(row, "test_accuracy"));
  double mean = 0, squares = 0;
  for (const double x : accuracies) mean += x / 4;
  for (const double x : accuracies) squares += (x - mean) * (x - mean);
  const auto row = std::ranges::find_if(summary_["statistics"], [](const nlohmann::json& one) {
    return one["group"] == "permutation" && one["metric"] == "test_accuracy";
  });
  ASSERT_NE(row, summary_["statistics"].end());
  EXPECT_EQ((*row)["runs"], 4);
  EXPECT_NEAR((*row)["mean"].get<double>(), mean, 1e-15);
  EXPECT_NEAR((*row)["population_deviation"].get<double>(), std::sqrt(squares / 4), 1e-15);
  EXPECT_NEAR((*row)["sample_deviation"].get<double>(), std::sqrt(squares / 3), 1e-15);
  // The paper's row stands below.
  const nlohmann::json paper = summary_["statistics"].back();
  EXPECT_EQ(paper["metric"], "test_accuracy");
  EXPECT_NEAR(paper["mean"].get<double>(), 0.87943, 1e-12);
  EXPECT_NEAR(paper["range"].get<double>(), 0.0107, 1e-12);
}

TEST_F(Report, Eval_Of_A_Sweep_Gives_The_Same_Numbers) {
  const nlohmann::json eval = last_line_as_json(tests::gnc({"eval", path("permutation"), "--json"}));
  const nlohmann::json report =
      last_line_as_json(tests::gnc({"report", path("permutation"), "--out", path("same.html"), "--json"}));
  EXPECT_EQ(eval["statistics"], report["statistics"]);
  EXPECT_EQ(eval["ranks"], report["ranks"]);
  EXPECT_NE(tests::gnc({"eval", path("permutation")}).out.find("4 runs, varied: permutation"),
            std::string::npos);
}

TEST_F(Report, Compares_With_The_Seed_Control_Only) {
  std::set<std::string> pairs;
  for (const nlohmann::json& row : summary_["comparisons"])
    pairs.insert(row["metric"].get<std::string>() + " " + row["group"].get<std::string>() + " " +
                 row["control"].get<std::string>());
  EXPECT_EQ(pairs, (std::set<std::string>{"test_accuracy permutation seed", "test_ce permutation seed"}));
  // Run 0 of both is the untransformed frame with the first seed: one network, which counts for the control.
  for (const nlohmann::json& row : summary_["comparisons"]) {
    EXPECT_EQ(row["runs"], 3);
    EXPECT_EQ(row["control_runs"], 4);
  }
  ASSERT_EQ(summary_["left_out"].size(), 1U);
  EXPECT_NE(
      summary_["left_out"][0].get<std::string>().find("run-00 of permutation is run-00 of its control seed"),
      std::string::npos);
  EXPECT_TRUE(summary_["warnings"].empty()) << summary_["warnings"];
}

TEST_F(Report, Tables_Hold_What_The_Runs_Wrote) {
  const CsvTable curves = table("curves"), metrics = read_csv(path("seed/run-02/metrics.csv"));
  int matched = 0;
  for (int row = 0; row < curves.size(); ++row) {
    if (curves.text(row, "group") != "seed" || curves.text(row, "run") != "run-02") continue;
    for (const std::string& column : metrics.header())
      EXPECT_EQ(curves.text(row, column), metrics.text(matched, column)) << column;
    ++matched;
  }
  EXPECT_EQ(matched, 3);
  EXPECT_EQ(curves.size(), 8 * 3);
  EXPECT_EQ(table("runs").size(), 8);
  const CsvTable layers = table("layers"), own = read_csv(path("permutation/run-00/layers.csv"));
  ASSERT_EQ(own.size(), 3 * 7) << "the mlp's three linear layers and ReLUs and its projection, three epochs";
  ASSERT_EQ(layers.size(), 8 * own.size());
  for (int row = 0; row < own.size(); ++row)
    for (const std::string& column : own.header())
      EXPECT_EQ(layers.text(row, column), own.text(row, column)) << column;
  EXPECT_EQ(table("gram").size(), 8 * 16);
  EXPECT_EQ(table("features").size(), 8 * 40);
  // Every test picture is somewhere in its run's confusions.
  const CsvTable confusions = table("confusions");
  double sum = 0;
  for (int row = 0; row < confusions.size(); ++row) sum += confusions.number(row, "count");
  EXPECT_EQ(sum, 8 * 40);
  // What was measured stands in the table of settings that training begins with.
  for (const char* row :
       {"\nmetrics       the paper's own and those of jiang\n", "\nlayers        collapse of all,",
        "\nbounds        Theorems 3.8 and 4.2 of the trained network, by 1000 pictures",
        "\nrobustness    FGSM, PGD"})
    EXPECT_NE(printed_.find(row), std::string::npos) << row << printed_;
}

TEST_F(Report, Terminal_Phase_Is_What_The_Epochs_Say) {
  // Run by run from the epochs: where it begins, and the first and the last value from there on.
  const CsvTable begins = table("terminal"), changes = table("terminal_changes");
  ASSERT_EQ(begins.size(), 8);
  for (const std::string quantity :
       {"mean_margin", "test_accuracy", "robust_pgd_accuracy", "deepfool_distance"}) {
    std::vector<double> starts, ends;
    for (int run = 0; run < 4; ++run) {
      const CsvTable epochs = read_csv(path("seed/run-0" + std::to_string(run) + "/metrics.csv"));
      int first = 0;
      while (first < epochs.size() && epochs.number(first, "train_accuracy") < 1) ++first;
      const int row = 4 + run;  // the permutations come first
      ASSERT_EQ(begins.text(row, "group"), "seed");
      EXPECT_EQ(begins.text(row, "begins"), first < epochs.size() ? std::to_string(first + 1) : "nan");
      if (first + 1 >= epochs.size()) continue;
      starts.push_back(epochs.number(first, quantity));
      ends.push_back(epochs.number(epochs.size() - 1, quantity));
    }
    ASSERT_GE(starts.size(), 2U) << "too few runs learn their training set: nothing is shown";
    const auto count = static_cast<double>(starts.size());
    double start = 0, change = 0, squares = 0, rose = 0;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      start += starts[i] / count;
      change += (ends[i] - starts[i]) / count;
      rose += ends[i] > starts[i] ? 1 : 0;
    }
    for (std::size_t i = 0; i < starts.size(); ++i) squares += std::pow(ends[i] - starts[i] - change, 2);
    int row = 0;
    while (row < changes.size() &&
           (changes.text(row, "group") != "seed" || changes.text(row, "quantity") != quantity))
      ++row;
    ASSERT_LT(row, changes.size()) << quantity;
    EXPECT_EQ(changes.number(row, "runs"), count);
    EXPECT_NEAR(changes.number(row, "start"), start, 1e-12 * (1 + std::abs(start)));
    EXPECT_NEAR(changes.number(row, "change"), change, 1e-12 * (1 + std::abs(start)));
    EXPECT_EQ(changes.number(row, "rose"), rose);
    // Student's t at 97.5 % for 1, 2 and 3 degrees of freedom.
    const double quantile = std::array{12.7062, 4.30265, 3.18245}.at(starts.size() - 2);
    const double half = quantile * std::sqrt(squares / (count - 1) / count);
    if (std::isnan(changes.number(row, "change_lower"))) {
      // Equal changes have none, and say so; a deviation of rounding is some ε of the values.
      EXPECT_EQ(changes.text(row, "note"), "no interval: all runs change by the same") << quantity;
      EXPECT_LE(half, 1e-14 * (1 + std::abs(start))) << quantity;
      continue;
    }
    EXPECT_NEAR(changes.number(row, "change_upper") - changes.number(row, "change_lower"), 2 * half,
                1e-5 * half + 1e-12);
  }
}

TEST_F(Report, Page_Needs_Nothing_From_Anywhere) {
  const std::string page = read_file(path("page.html"));
  for (const char* link :
       {"<link", "src=\"http", "src='http", "@import", "url(http", "fetch(", "XMLHttpRequest"})
    EXPECT_EQ(page.find(link), std::string::npos) << link;
  EXPECT_NE(page.find("<title>Four &amp; &lt;four&gt;</title>"), std::string::npos);
  EXPECT_EQ(page.find("@DATA@"), std::string::npos);
}

/// Waits for the page, then says how many coloured pixels each canvas has, and what each table holds. Axes,
/// their text and the seed control are grey, what the runs gave is not.
const std::string kInspect = R"js(
  const later = () => new Promise((done) => setTimeout(done, 100));
  await later();
  const canvases = () => Object.fromEntries([...document.querySelectorAll("main canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let colored = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 128 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 40) ++colored;
    return [canvas.id, colored];
  }));
  const table = (name) => [...document.querySelectorAll(`table[data-table="${name}"] tbody tr`)]
    .map((row) => [...row.cells].map((cell) => cell.dataset.value));
)js";

#define VISIT_OR_SKIP(browser)                \
  const auto browser = tests::find_browser(); \
  if (!browser) GTEST_SKIP() << "no Chromium on this machine (Debian package chromium)"

TEST_F(Report, Page_Draws_Every_Figure_In_A_Browser) {
  VISIT_OR_SKIP(browser);
  const tests::BrowserVisit seen = tests::visit(*browser, path("page.html"), kInspect + "return canvases();");
  EXPECT_TRUE(seen.console.empty()) << seen.console.front();
  std::set<std::string> drawn;
  for (const auto& [id, colored] : seen.answer.items()) {
    EXPECT_GE(colored.get<int>(), 100) << id;  // a point of radius 5 has 78 pixels, and four runs give four
    drawn.insert(id);
  }
  EXPECT_EQ(drawn, (std::set<std::string>{"against-accuracy", "curve-chart", "feature-scatter", "layer-chart",
                                          "map-class-means", "map-count", "map-frame", "map-margin", "spread",
                                          "terminal-chart"}));
}

TEST_F(Report, Page_Tables_Equal_The_CSV_Files) {
  VISIT_OR_SKIP(browser);
  const std::vector<std::string> names = {"runs",  "statistics", "comparisons",     "ranks",
                                          "final", "terminal",   "terminal_changes"};
  const tests::BrowserVisit seen =
      tests::visit(*browser, path("page.html"),
                   kInspect + "return Object.fromEntries(" + nlohmann::json(names).dump() +
                       ".map((name) => [name, table(name)]));");
  for (const std::string& name : names) {
    const CsvTable csv = table(name);
    ASSERT_EQ(seen.answer[name].size(), static_cast<std::size_t>(csv.size())) << name;
    for (int row = 0; row < csv.size(); ++row)
      for (std::size_t k = 0; k < csv.header().size(); ++k)
        EXPECT_EQ(seen.answer[name][static_cast<std::size_t>(row)][k], csv.text(row, csv.header()[k]))
            << name << " row " << row << " " << csv.header()[k];
  }
}

TEST_F(Report, Page_Survives_Every_Choice_And_Both_Themes) {
  VISIT_OR_SKIP(browser);
  const tests::BrowserVisit seen = tests::visit(*browser, path("page.html"), kInspect + R"js(
    let changes = 0;
    for (let round = 0; round < 2; ++round) {
      for (const select of document.querySelectorAll("select"))
        for (const option of [...select.options, select.options[0]]) {
          select.value = option.value;
          select.dispatchEvent(new Event("change"));
          ++changes;
        }
      document.getElementById("theme").click();
    }
    const head = document.querySelector('table[data-table="runs"] thead th:last-child');
    head.querySelector("button").click();
    await later();
    return { changes, canvases: canvases(), sorted: table("runs").map((row) => row[row.length - 1]), sort: head.getAttribute("aria-sort") };
  )js");
  EXPECT_TRUE(seen.console.empty()) << seen.console.front();
  EXPECT_GT(seen.answer["changes"].get<int>(), 100);
  for (const auto& [id, colored] : seen.answer["canvases"].items()) EXPECT_GE(colored.get<int>(), 100) << id;
  std::vector<double> sorted;
  for (const nlohmann::json& value : seen.answer["sorted"])
    sorted.push_back(std::stod(value.get<std::string>()));
  EXPECT_EQ(sorted.size(), 8U);
  EXPECT_TRUE(std::ranges::is_sorted(sorted));
  EXPECT_EQ(seen.answer["sort"], "ascending");
}

TEST_F(Report, Page_Is_Named_And_Reachable_For_Screen_Readers_And_Keyboards) {
  VISIT_OR_SKIP(browser);
  const tests::BrowserVisit seen = tests::visit(*browser, path("page.html"), kInspect + R"js(
    const named = (node) => (node.getAttribute("aria-label") || node.textContent || "").trim() !== "";
    const map = document.getElementById("map-frame");
    map.focus();
    map.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    return {
      unnamed: [...document.querySelectorAll("button, select, canvas, a")].filter((node) => !named(node) && !node.closest("label")).map((node) => node.outerHTML),
      canvases_without_role: document.querySelectorAll("main canvas:not([role=img])").length,
      heads_without_scope: document.querySelectorAll("th:not([scope])").length,
      language: document.documentElement.lang,
      focused: document.activeElement.id,
      spoken: document.getElementById("spoken").textContent,
    };
  )js");
  EXPECT_EQ(seen.answer["unnamed"], nlohmann::json::array());
  EXPECT_EQ(seen.answer["canvases_without_role"], 0);
  EXPECT_EQ(seen.answer["heads_without_scope"], 0);
  EXPECT_EQ(seen.answer["language"], "en");
  EXPECT_EQ(seen.answer["focused"], "map-frame");
  // The simplex of four: every cosine is −1/3.
  EXPECT_EQ(seen.answer["spoken"], "cos(M0, M1) = -0.3333");
}

TEST_F(Report, The_Browser_Test_Sees_A_Script_That_Fails) {
  VISIT_OR_SKIP(browser);
  const tests::BrowserVisit seen =
      tests::visit(*browser, path("page.html"), kInspect + "console.error('planted'); return 1;");
  ASSERT_EQ(seen.console.size(), 1U);
  EXPECT_NE(seen.console.front().find("planted"), std::string::npos);
}

TEST_F(Report, Draws_Its_Figures_For_Papers) {
  for (const std::string format : {"png", "svg"}) {
    ASSERT_EQ(tests::gnc({"report", path("permutation"), path("seed"), "--out", path("drawn.html"),
                          "--format", format})
                  .exit_status,
              0);
    for (const char* name : {"results", "curves", "terminal-phase", "layers-mlp", "frame", "class-means",
                             "margins", "confusions"}) {
      const std::string bytes = read_file(path("drawn-figures/" + std::string(name) + "." + format));
      EXPECT_GT(bytes.size(), 2000U) << name;
      // The whole file: PNG ends with its IEND chunk, SVG with its root's end.
      if (format == "png")
        EXPECT_EQ(bytes.substr(bytes.size() - 8, 4), "IEND") << name;
      else
        EXPECT_TRUE(bytes.starts_with("<?xml") && bytes.ends_with("</svg>\n")) << name;
    }
  }
  tests::expect_failure({"report", path("seed"), "--format", "pdf"}, 2,
                        {"'pdf' is not a choice", "png or svg"});
}

TEST_F(Report, Of_A_Sweep_That_Is_Still_Training_Says_So) {
  // A third sweep, of which one run is finished and one has begun.
  const tests::TempDir folder;
  std::filesystem::copy(path("permutation"), folder / "half", std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder / "half/run-01/result.json");
  for (const char* run : {"half/run-02", "half/run-03"}) std::filesystem::remove_all(folder / run);
  const nlohmann::json summary =
      last_line_as_json(tests::gnc({"report", (folder / "half").string(), "--json"}));
  EXPECT_EQ(summary["out"], (folder / "half/report.html").string());
  EXPECT_EQ(summary["groups"][0]["planned"], 4);
  EXPECT_EQ(summary["groups"][0]["finished"], 1);
  const CsvTable runs = read_csv(folder / "half/report-csv/runs.csv");
  ASSERT_EQ(runs.size(), 2);
  EXPECT_EQ(runs.text(0, "finished"), "yes");
  EXPECT_EQ(runs.text(1, "finished"), "no");
  EXPECT_EQ(runs.text(1, "epochs"), "3");
}

TEST_F(Report, Watches_Until_The_Last_Run_Is_Finished) {
  const tests::TempDir folder;
  std::filesystem::copy(path("permutation"), folder / "sweep", std::filesystem::copy_options::recursive);
  std::filesystem::rename(folder / "sweep/run-03", folder / "later");
  tests::Program watcher(GNC_PROGRAM, {"report", (folder / "sweep").string(), "--watch", "--every", "1"});
  const std::filesystem::path page = folder / "sweep/report.html";
  while (!std::filesystem::exists(page) && watcher.is_running())
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(watcher.is_running());
  EXPECT_NE(read_file(page).find("\"reload_seconds\":1"), std::string::npos);
  std::filesystem::rename(folder / "later", folder / "sweep/run-03");
  const tests::ProgramResult result = watcher.wait();
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_NE(result.out.find("4 of 4 runs are finished"), std::string::npos);
  EXPECT_NE(read_file(page).find("\"reload_seconds\":0"), std::string::npos);
}

TEST_F(Report, Names_What_Is_No_Run) {
  const tests::TempDir folder;
  tests::expect_failure({"report", (folder / "nowhere").string()}, 1, {"nowhere", "no such folder"});
  tests::expect_failure({"report", folder.path().string()}, 1, {"holds neither a run nor a sweep"});
  tests::expect_failure({"report", path("seed"), "--out", path("page.pdf")}, 2,
                        {"--out", "page.pdf", ".html"});
  std::filesystem::copy(path("seed"), folder / "bad", std::filesystem::copy_options::recursive);
  std::ofstream(folder / "bad/run-01/result.json") << "{";
  tests::expect_failure({"report", (folder / "bad").string()}, 1,
                        {"run-01/result.json", "expected a JSON object"});
}

}  // namespace
}  // namespace gnc
