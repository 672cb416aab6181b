"use strict";

const grid = document.getElementById("matrix");
const detail = document.getElementById("detail");
const clauses = new Map([...document.querySelectorAll("details[id]")].map((d) => [d.id, d]));
// Lines of cells that can be chosen. The result and the edges of a port cannot.
const lines = [...grid.rows].map((row) => [...row.cells].filter((cell) => cell.tabIndex === -1 && cell.hasAttribute("tabindex")));
lines[0].unshift(lines[0][0]); // above the ports, too
let at = [1, 0];

function headOf(check) {
  return [...grid.querySelectorAll("th.check")].find((th) => th.dataset.check === check);
}

// choose shows what there is to say about a cell. Tab leads to it from then on.
function choose(cell) {
  if (cell.ariaSelected === "true") return; // and its clauses stay open
  grid.querySelectorAll("[tabindex='0']").forEach((old) => { old.tabIndex = -1; old.removeAttribute("aria-selected"); });
  cell.tabIndex = 0;
  cell.setAttribute("aria-selected", "true");
  lines.forEach((line, y) => { if (line.includes(cell)) at = [y, line.lastIndexOf(cell)]; });
  const { port, check, mark, found, summary, command } = cell.dataset;
  const head = check && headOf(check);
  detail.querySelector("h2").textContent = [port, check].filter(Boolean).join(", ") + (mark ? `: ${mark}` : "");
  detail.querySelector(".found").textContent = found ?? (port ? `${summary}. Check it again: ${command}` : "");
  detail.querySelector(".doc").textContent = head ? `The check asks: ${head.dataset.doc}.` : "";
  detail.querySelector(".clauses").replaceChildren(...(head ? head.dataset.clauses.trim().split(" ") : []).map((id) => {
    const copy = clauses.get(id).cloneNode(true);
    copy.removeAttribute("id");
    copy.open = false;
    return copy;
  }));
  detail.hidden = false;
}

// place is a cell in the address, which someone else can open.
function place(cell) { return "#" + [cell.dataset.port ?? "", cell.dataset.check ?? ""].map(encodeURIComponent).join("/"); }

function chosen(event) {
  const cell = event.target.closest("[tabindex]");
  if (!cell || !grid.contains(cell)) return;
  choose(cell);
  history.replaceState(null, "", place(cell));
}
grid.addEventListener("focusin", chosen);
grid.addEventListener("click", (event) => { event.target.closest("[tabindex]")?.focus(); });

grid.addEventListener("keydown", (event) => {
  const last = lines.length - 1, end = lines[at[0]].length - 1;
  const to = {
    ArrowLeft: [at[0], at[1] - 1], ArrowRight: [at[0], at[1] + 1], ArrowUp: [at[0] - 1, at[1]], ArrowDown: [at[0] + 1, at[1]],
    Home: event.ctrlKey ? [1, 0] : [at[0], 0], End: event.ctrlKey ? [last, end] : [at[0], end],
  }[event.key];
  if (!to || event.altKey || event.metaKey) return;
  event.preventDefault();
  lines[to[0]]?.[to[1]]?.focus();
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const status = document.getElementById("status"), text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "The command is copied.";
    } catch {
      status.textContent = `The browser does not let the page copy. This is the command: ${text}`;
    }
  });
}

// follow opens what the address names: a clause, or a cell.
function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (clauses.has(name)) {
    clauses.get(name).open = true;
    clauses.get(name).scrollIntoView();
    return;
  }
  const cell = lines.flat().find((c) => place(c) === location.hash);
  (cell ?? lines[1]?.[0] ?? lines[0][1]).setAttribute("tabindex", "0");
  if (cell) choose(cell);
}
addEventListener("hashchange", follow);
follow();
