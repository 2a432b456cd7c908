"use strict";
// Building blocks of the page: sections, tables, choices, figures with their buttons.

/** An element with attributes, text and children. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const contents = document.getElementById("contents");
const main = document.getElementById("main");

function section(id, title, ...paragraphs) {
  contents.append(element("li", {}, element("a", { href: "#" + id }, title)));
  const node = element("section", { id, "aria-labelledby": id + "-title" }, element("h2", { id: id + "-title" }, title));
  for (const text of paragraphs) node.append(element("p", { class: "note" }, text));
  main.append(node);
  return node;
}

/** Saves text or a picture as a file. */
function download(name, href) {
  const link = element("a", { href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Saves a table; the button names its file, and its column where one is shown. */
function csvButton(name, column) {
  const button = element("button", {
    type: "button",
    onclick() {
      const url = URL.createObjectURL(new Blob([report.tables[name]], { type: "text/csv" }));
      download(name + ".csv", url);
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    },
  });
  button.show = (shown) => {
    button.replaceChildren("CSV ", element("code", {}, name + ".csv"));
    if (shown) button.append(", column ", element("code", {}, shown));
  };
  button.show(column);
  return button;
}

const pngButton = (name, canvas) =>
  element("button", { type: "button", onclick() { download(name + ".png", canvas.toDataURL("image/png")); } }, "PNG");

/** A choice among options [value, text]; calls back at once and at every change. */
function choice(key, label, options, changed) {
  const select = element("select", {});
  for (const [value, text] of options) select.append(element("option", { value }, text));
  const kept = memory.get(key);
  if (options.some(([value]) => value === kept)) select.value = kept;
  select.addEventListener("change", () => { memory.set(key, select.value); changed(select.value); });
  queueMicrotask(() => changed(select.value));
  return element("label", {}, label, select);
}

function say(text) { document.getElementById("spoken").textContent = text; }

/** A table with its rows sorted by the column whose head is pressed. */
function tableOf(name, caption) {
  const table = tables[name];
  const body = element("tbody");
  const classOf = (column) => (words.has(column) ? "word" : undefined);
  const nodes = table.rows.map((row) => {
    const node = element("tr", row[table.at.group]?.startsWith("paper:") ? { class: "paper" } : {});
    table.columns.forEach((column, k) => {
      const text = cellText(table, column, row);
      node.append(element("td", { class: classOf(column), "data-value": row[k], title: words.has(column) && text.length > 30 ? text : undefined }, text));
    });
    return { node, row };
  });
  body.append(...nodes.map(({ node }) => node));
  let sorted = -1, direction = 1;
  // Columns of one quantity have its unit; rows of others say theirs themselves.
  const headOf = (column) => (table.at.metric === undefined && table.at.quantity === undefined ? withUnit(column) : titleOf(column));
  const heads = table.columns.map((column, k) => element("th", { scope: "col", class: classOf(column), title: `column ${column} of ${name}.csv` },
    element("button", {
      type: "button",
      onclick() {
        direction = sorted === k ? -direction : 1;
        sorted = k;
        const isWord = words.has(column);
        nodes.sort((a, b) => direction * (isWord ? a.row[k].localeCompare(b.row[k], "en", { numeric: true }) : (Number(a.row[k]) || 0) - (Number(b.row[k]) || 0)));
        body.append(...nodes.map(({ node }) => node));
        heads.forEach((head, i) => head.setAttribute("aria-sort", i === k ? (direction > 0 ? "ascending" : "descending") : "none"));
        say(`sorted by ${titleOf(column)}, ${direction > 0 ? "ascending" : "descending"}`);
      },
    }, headOf(column))));
  return scrollable(caption, element("table", { "data-table": name }, element("caption", { class: "spoken" }, caption),
    element("thead", {}, element("tr", {}, ...heads)), body));
}

/** A table in a region that scrolls, and the word that it does where some of it is out of sight. */
function scrollable(caption, table) {
  const hint = element("p", { class: "hint", hidden: true });
  const region = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
  const update = () => {
    const right = region.scrollWidth - region.clientWidth - region.scrollLeft > 1, left = region.scrollLeft > 1;
    const below = region.scrollHeight - region.clientHeight - region.scrollTop > 1;
    region.classList.toggle("more-right", right);
    region.classList.toggle("more-left", left);
    const sides = [...(left ? ["← left"] : []), ...(right ? ["right →"] : []), ...(below ? ["below ↓"] : [])];
    const isCut = region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1;
    hint.hidden = !isCut;
    hint.textContent = sides.length > 0 ? `More of this table: ${sides.join(", ")}. Scroll, or press Tab until it is framed and use the arrow keys.` : "";
  };
  region.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(region);
  return element("div", {}, hint, region);
}

/** What each group was trained with, side by side; what differs comes first. */
function settingsTable() {
  const table = tables.settings;
  const groups = groupsIn(table);
  const settings = new Map();
  for (const row of table.rows) {
    const name = row[table.at.setting];
    if (!settings.has(name)) settings.set(name, new Map());
    settings.get(name).set(row[table.at.group], row[table.at.value]);
  }
  const rows = [...settings].map(([name, values]) => {
    const texts = groups.map((group) => values.get(group) ?? "–");
    return { name, texts, differs: new Set(texts).size > 1 };
  });
  rows.sort((a, b) => Number(b.differs) - Number(a.differs));
  const caption = "Settings of each group; those that differ come first";
  return scrollable(caption, element("table", { id: "settings-table" }, element("caption", { class: "spoken" }, caption),
    element("thead", {}, element("tr", {}, ...["setting", ...groups].map((text) => element("th", { scope: "col", class: "word" }, text)))),
    element("tbody", {}, ...rows.map(({ name, texts, differs }) => element("tr", differs ? { class: "differs" } : {},
      element("th", { scope: "row", class: "word" }, element("code", {}, name)),
      ...texts.map((text) => element("td", { class: "word", title: text.length > 30 ? text : undefined }, text)))))));
}

/** What the notes of a table's rows say, each once with the groups that it is said of: their column may be out of sight. */
function notesOf(table) {
  const groups = new Map();
  for (const row of table.at.note === undefined ? [] : table.rows) {
    const note = row[table.at.note];
    if (note === "") continue;
    if (!groups.has(note)) groups.set(note, new Set());
    groups.get(note).add(row[table.at.group]);
  }
  return [...groups].map(([note, names]) => element("p", { class: "note" }, `n/a in rows of ${[...names].join(", ")}: ${note}.`));
}

/** A section's table with its button, or what to do to get one. */
function addTable(parent, name, caption, whenEmpty) {
  if (tables[name].rows.length === 0) { parent.append(element("p", {}, whenEmpty)); return; }
  parent.append(tableOf(name, caption), ...notesOf(tables[name]), element("div", { class: "controls" }, csvButton(name)));
}
