"use strict";
// The tables of the report, parsed from the very CSV text that lies beside the page.

const report = JSON.parse(document.getElementById("report").textContent);

/** Rows of fields of RFC 4180 text. */
function parseCsv(text) {
  const rows = [];
  let row = [], field = "", quoted = false;
  for (let i = 0; i < text.length; ++i) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') { field += '"'; ++i; }
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ",") { row.push(field); field = ""; }
    else if (c === "\n") { row.push(field); rows.push(row); row = []; field = ""; }
    else field += c;
  }
  return rows;
}

const tables = {};
for (const [name, text] of Object.entries(report.tables)) {
  const [columns, ...rows] = parseCsv(text);
  tables[name] = { name, columns, rows, at: Object.fromEntries(columns.map((column, k) => [column, k])) };
}

/** How a column is called, what it is measured in, and by what it is multiplied to be that. */
const nameOf = (column) => report.names[column] ?? { title: column.replaceAll("_", " "), unit: "", factor: 1 };
const titleOf = (column) => nameOf(column).title;
const withUnit = (column) => titleOf(column) + (nameOf(column).unit ? ` (${nameOf(column).unit})` : "");
const factorOf = (column) => nameOf(column).factor;

/** A number for people: in its unit, with as many digits as it needs. */
function shown(value, name) {
  if (value === "nan" || value === "") return "n/a";
  const x = Number(value);
  if (!Number.isFinite(x)) return value;
  if (nameOf(name).unit === "%") return (100 * x).toFixed(3);
  if (Math.abs(x) < 1e-14) return "0";
  if (Number.isInteger(x) && Math.abs(x) < 1e7) return String(x);
  return Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? x.toFixed(4) : x.toExponential(2);
}

const words = new Set(["group", "vary", "run", "transformation", "metric", "control", "outcome", "quantity", "finished", "true", "predicted", "layer", "note"]);
const quantityWords = new Set(["metric", "outcome", "quantity"]);
const plain = new Set(["epoch", "epochs", "rose", "runs", "control_runs", "seed", "i", "j", "label", "count", "width"]);

/** How a cell of a table reads. In the tables of statistics the row says what its numbers measure. */
function cellText(table, column, row) {
  const value = row[table.at[column]];
  if (quantityWords.has(column)) return withUnit(value);
  if (words.has(column) || plain.has(column)) return value;
  if (column === "begins") return value === "nan" ? "not reached" : value;
  const isLevel = /^(mean|population_deviation|sample_deviation|minimum|maximum|range)/.test(column) && column !== "mean_p_value";
  const isChange = table.name === "terminal_changes";
  const measured = isChange ? row[table.at.quantity] : table.at.metric !== undefined && isLevel ? row[table.at.metric] : column;
  return shown(value, measured);
}

const runKey = (row, table) => row[table.at.group] + " / " + row[table.at.run];

/** Rows of a table by run, in the order in which the runs come. */
function byRun(table) {
  const runs = new Map();
  for (const row of table.rows) {
    const key = runKey(row, table);
    if (!runs.has(key)) runs.set(key, []);
    runs.get(key).push(row);
  }
  return runs;
}

const groupOf = Object.fromEntries(report.groups.map((group, index) => [group.name, { ...group, index }]));

/** A property of this tab that survives an update of the page, where the browser lets files have one. */
const memory = {
  get(key) { try { return sessionStorage.getItem("gnc " + key); } catch { return null; } },
  set(key, value) { try { sessionStorage.setItem("gnc " + key, value); } catch { /* nothing is lost but the choice */ } },
};
