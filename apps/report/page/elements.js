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

function csvButton(name, text = "CSV") {
  return element("button", {
    type: "button",
    onclick() {
      const url = URL.createObjectURL(new Blob([report.tables[name]], { type: "text/csv" }));
      download(name + ".csv", url);
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    },
  }, text);
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
  const heads = table.columns.map((column, k) => element("th", { scope: "col", class: classOf(column) },
    element("button", {
      type: "button",
      onclick() {
        direction = sorted === k ? -direction : 1;
        sorted = k;
        const isWord = words.has(column);
        nodes.sort((a, b) => direction * (isWord ? a.row[k].localeCompare(b.row[k], "en", { numeric: true }) : (Number(a.row[k]) || 0) - (Number(b.row[k]) || 0)));
        body.append(...nodes.map(({ node }) => node));
        heads.forEach((head, i) => head.setAttribute("aria-sort", i === k ? (direction > 0 ? "ascending" : "descending") : "none"));
        say(`sorted by ${column}, ${direction > 0 ? "ascending" : "descending"}`);
      },
    }, column.replaceAll("_", " "))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", { "data-table": name }, element("caption", { class: "spoken" }, caption),
      element("thead", {}, element("tr", {}, ...heads)), body));
}

/** A section's table with its button, or what to do to get one. */
function addTable(parent, name, caption, whenEmpty) {
  if (tables[name].rows.length === 0) { parent.append(element("p", {}, whenEmpty)); return; }
  parent.append(tableOf(name, caption), element("div", { class: "controls" }, csvButton(name)));
}
