"use strict";
// The page from top to bottom.

const theme = document.getElementById("theme");
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  theme.setAttribute("aria-pressed", String(dark));
  memory.set("theme", dark ? "dark" : "light");
}
setTheme(memory.get("theme") ? memory.get("theme") === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
theme.addEventListener("click", () => { setTheme(!isDark()); drawn.forEach((draw) => draw()); });

const begun = report.groups.reduce((sum, group) => sum + group.begun, 0);
const finished = report.groups.reduce((sum, group) => sum + group.finished, 0);
const planned = report.groups.reduce((sum, group) => sum + group.planned, 0);
document.getElementById("state").textContent =
  `${finished} of ${planned} runs are finished` + (begun > finished ? `, ${begun - finished} are training or were interrupted` : "") + ". " +
  report.groups.map((group) => `${group.name}: ${group.vary === "single" ? "one run" : "vary " + group.vary}`).join("; ") + `. Made by gnc ${report.version}.`;

{
  const part = section("runs", "Runs (table 1)", "Accuracies in per cent, cross-entropies in nats. Unfinished runs show their last epoch.");
  addTable(part, "runs", "Every run with its results", "No run has begun.");
}
if (tables.settings.rows.length > 0) {
  const part = section("settings", "Settings", "As gnc train and gnc sweep wrote them into config.toml; flags have the same names.");
  part.append(settingsTable(), element("div", { class: "controls" }, csvButton("settings")));
}
{
  const part = section("statistics", "Statistics (table 2)",
    "Standard deviations as population (1/n) and sample (1/(n−1)) values: the paper does not say which one it prints. Brackets (lower, upper) are 95 % BCa bootstrap intervals; of ten values they cover less often than they say. n/a: the note tells why there is none.");
  addTable(part, "statistics", "Mean, deviation and range by group", "No run is finished.");
  if (finished > 0) spreadFigure(part);
}
{
  const part = section("comparisons", "Against the seed control",
    "Does what varied spread the results more than the seed alone does? deviation ratio: sample deviation over the control's, with the interval that is exact for normal values; p value: Brown and Forsythe's test of equal variances, and its permutation version.",
    "Do the means differ? The runs of a group share one seed, so its mean counts as one more draw among the control's: t = difference / (s √(1 + 1/n)) with n − 1 degrees of freedom, s and n the control's sample deviation and number of runs, and the 95 % prediction interval of the difference. Welch's test would take each run for a draw of its own, and the luck of that one seed for an effect of what varied. Nothing is said of other permutations or rotations than these. Cliff's δ describes, without a p.");
  for (const text of report.left_out) part.append(element("p", { class: "note" }, text));
  for (const warning of report.warnings) part.append(element("p", { class: "warning" }, "Warning: " + warning));
  addTable(part, "comparisons", "Each sweep against each seed control", "Nothing to compare.");
  if (report.missing.length > 0) part.append(element("ul", { class: "missing" }, ...report.missing.map((text) => element("li", {}, text))));
}
{
  const part = section("curves", "Curves", "Metrics are taken in evaluation mode on the whole set. Controls are grey and dashed.");
  if (tables.curves.rows.length > 0) curvesFigure(part, "curve-chart", "curves", "A line for each run.", ["test_accuracy", "test_ce", "train_ce", "train_accuracy", "nc1", "nc2", "nc3", "nc4"]);
  else part.append(element("p", {}, "No epoch is finished."));
}
if (tables.layers.rows.length > 0) {
  const part = section("layers", "Layer by layer",
    "How far each layer's output has collapsed, from the first layer to the features (projection); images are averaged over their pixels.");
  layersFigures(part);
}
{
  const part = section("terminal", "The terminal phase",
    "From the first epoch with a training accuracy of 100 % on (Remark 3.11): do margins and robustness still grow? FGSM and PGD: share of the attacked test pictures that stay right; DeepFool: distance to the nearest decision boundary, in pixel values of [0,1]. Changes are from the first to the last measurement within the phase, run by run, with 95 % intervals (Student's t). n/a: the note tells why there is none.");
  if (tables.terminal.rows.length > 0) terminalFigure(part);
  else part.append(element("p", {}, "No epoch is finished."));
  addTable(part, "terminal_changes", "What changed within the terminal phase, group by group", "No run has two epochs with a training accuracy of 100 % yet.");
  if (tables.terminal.rows.length > 0 && !hasNumbers(tables.curves, "deepfool_distance")) part.append(element("p", { class: "note" }, "Attacks were not made: gnc train and gnc sweep take --robustness N."));
  addTable(part, "terminal", "Where the terminal phase of each run begins", "No epoch is finished.");
}
{
  const part = section("theory", "What ranks the runs as their results do?",
    "Spearman's ρ with test accuracy and with test cross-entropy within a group, with 95 % interval and permutation p value. Many quantities are tested at once: of twenty that mean nothing, one has p < 0.05. Intervals are Fisher's z; of fewer than eight runs, and of a perfect order, there is none.");
  if (tables.final.rows.length > 0) againstAccuracyFigure(part);
  addTable(part, "ranks", "Rank correlations with test accuracy and test cross-entropy", "At least four finished runs of a group are needed.");
}
{
  const part = section("matrices", "Frames, class means, margins, confusions", report.matrices_note);
  if (tables.gram.rows.length > 0) matricesFigure(part);
  else part.append(element("p", {}, "No run has a frame yet."));
}
if (tables.features.rows.length > 0) {
  const part = section("features", "Features");
  featuresFigure(part);
}
{
  const part = section("final", "All numbers of the results");
  addTable(part, "final", "Every number of every finished run", "No run is finished.");
}

if (report.reload_seconds > 0) {
  const pause = document.getElementById("pause");
  pause.hidden = false;
  pause.addEventListener("click", () => pause.setAttribute("aria-pressed", String(pause.getAttribute("aria-pressed") === "false")));
  setInterval(() => { if (pause.getAttribute("aria-pressed") === "false") location.reload(); }, 1000 * report.reload_seconds);
}
document.documentElement.dataset.ready = "yes";
