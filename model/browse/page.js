"use strict";

// The page shows a path: moves from the initial state on. The first pane leads:
// each other pane makes the same moves as far as they can happen there. All
// that is shown of a state stands in the data (pane.go).
const STUCK = 1 << 8, LOST = 1 << 9;
const $ = (id) => document.getElementById(id);

let data, panes;     // the data, and the panes on the page
let path = [], at = 0; // the actions of the first pane, and how many of them are made
let timer = 0;       // of play

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function element(name, text, attributes = {}) {
  const e = document.createElement(name);
  e.textContent = text;
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

// A Graph is the states of a pane and the edges between them.
class Graph {
  constructor(pane) {
    this.pane = pane;
    this.width = 2 * pane.procs + 2;
  }
  row(state) { return this.pane.states.slice(state * this.width, (state + 1) * this.width); }
  shared(state) { return this.pane.shared[this.row(state)[0]]; }
  process(state, p) { return this.pane.locals[this.row(state)[1 + p]]; }
  reason(state, p) { return this.pane.reasons[this.row(state)[1 + this.pane.procs + p]]; }
  marks(state) { return this.pane.states[(state + 1) * this.width - 1]; }
  size() { return this.pane.first.length - 1; }
  edges(state) {
    const list = [];
    for (let i = this.pane.first[state]; i < this.pane.first[state + 1]; i++)
      list.push({ action: this.pane.edges[2 * i], to: this.pane.edges[2 * i + 1] });
    return list;
  }
  next(state, action) {
    const edge = this.edges(state).find((e) => e.action === action);
    return edge ? edge.to : -1;
  }
  // alike returns the edge that has the same process do the same.
  alike(state, action) {
    return this.edges(state).find((e) => {
      const a = this.pane.actions[e.action];
      return a.proc === action.proc && a.event === action.event && (!a.event || a.label === action.label);
    });
  }
  // shortest returns the actions of a shortest path to a state that is wanted;
  // undefined: there is none.
  shortest(from, wanted) {
    const before = new Int32Array(this.size()).fill(-1), by = new Int32Array(this.size());
    const queue = [from];
    before[from] = from;
    for (let i = 0; i < queue.length; i++) {
      const state = queue[i];
      if (wanted(state)) {
        const actions = [];
        for (let s = state; s !== from; s = before[s]) actions.unshift(by[s]);
        return actions;
      }
      for (const e of this.edges(state)) {
        if (before[e.to] >= 0) continue;
        before[e.to] = state;
        by[e.to] = e.action;
        queue.push(e.to);
      }
    }
    return undefined;
  }
}

const number = (v) => String(v).replace("-", "−");
const step = (name) => data.steps.find((s) => s.name === name).doc;
const title = (a) => a.label + (a.parties ? `(${a.parties})` : "");
const who = (a) => (a.proc < 0 ? "environment" : `p${a.proc}`);

// A Pane is one pane on the page.
class Pane {
  constructor(pane, index) {
    this.graph = new Graph(pane);
    this.data = pane;
    this.leads = index === 0;
    this.states = [0]; // of the path, by move
    this.apart = [];   // by move: why it did not happen here
    const section = $("pane").content.cloneNode(true).firstElementChild;
    $("panes").append(section);
    this.find = (selector) => section.querySelector(selector);
    this.find("h2").textContent = pane.name;
    this.find("h2").id = `pane-${index}`;
    section.setAttribute("aria-labelledby", `pane-${index}`);
    this.find(".doc").textContent = pane.doc;
    this.find(".again code").textContent = pane.command;
    this.prefix = `v${index}`;
    this.find(".picture").append(draw(pane.picture, `${this.prefix}-step`));
    for (const fold of pane.folds) this.find(".fold").append(element("option", fold.name));
    this.find(".fold").onchange = () => this.showFold();
    this.showFold();
  }

  // follow makes the moves of the path.
  follow() {
    this.states = [0];
    this.apart = [];
    let state = 0;
    path.forEach((id, i) => {
      const action = panes[0].data.actions[id];
      const edge = this.graph.alike(state, action);
      if (edge) state = edge.to;
      else this.apart[i] = `${who(action)} ${title(action)} cannot happen here` +
        (action.proc >= 0 && this.graph.reason(state, action.proc) ? `: p${action.proc} ${this.graph.reason(state, action.proc)}` : "");
      this.states.push(state);
    });
  }

  state() { return this.states[at]; }

  show() {
    const state = this.state(), shared = this.graph.shared(state);
    const apart = this.apart.slice(0, at).findLast((why) => why);
    this.find(".apart").hidden = !apart;
    this.find(".apart").textContent = apart ? `${apart}.` : "";
    this.showBadges(this.graph.marks(state));
    this.showWords(shared, at > 0 ? this.graph.shared(this.states[at - 1]) : shared);
    this.showProcesses(state);
    this.showPicture(state);
    this.showNode();
  }

  showBadges(marks) {
    this.find(".badges").replaceChildren(...data.properties.map((p, i) => {
      let bad = Boolean(marks & (1 << i)), text = bad ? "violated here" : "holds here";
      if (p.name === "NoHang") {
        bad = Boolean(marks & (STUCK | LOST));
        text = marks & STUCK ? "no process can move" : marks & LOST ? "no call returns any more" : "a call can return";
      }
      const badge = element("li", `${bad ? "✗" : "✓"} ${p.name}: ${text}`, { title: p.doc });
      badge.classList.toggle("bad", bad);
      return badge;
    }));
  }

  showWords(now, before) {
    const lock = (s) => (s.lock < 0 ? "free" : `p${s.lock}`) +
      (s.relinked && s.old_lock >= 0 ? `; the old file: p${s.old_lock}` : "");
    const entries = ["enter", "exit", "flag"].map((w) => [w, number(now.words[w]), now.words[w] !== before.words[w]]);
    entries.push(["lock", lock(now), lock(now) !== lock(before)]);
    this.find(".words").replaceChildren(...entries.map(([name, value, changed]) => {
      const box = element("div", "");
      box.append(element("dt", name), element("dd", value));
      box.classList.toggle("changed", changed);
      return box;
    }));
  }

  showProcesses(state) {
    const edges = this.graph.edges(state);
    const places = () => [...this.find(".processes tbody").rows, this.find(".environment")];
    const had = places().findIndex((e) => e.contains(document.activeElement));
    const button = (e) => {
      const a = this.data.actions[e.action];
      const b = element("button", title(a), { title: a.doc.replaceAll("`", ""), "aria-label": `${who(a)} ${title(a)}` });
      b.dataset.move = a.move;
      if (this.leads) b.onclick = () => make(e.action);
      else b.disabled = true;
      return b;
    };
    const rows = [];
    for (let p = 0; p < this.data.procs; p++) {
      const me = this.graph.process(state, p), row = element("tr", ""), can = element("td", "");
      let place = me.step + (me.parties ? ` (n = ${me.parties})` : "");
      if (me.read !== undefined) place += `, has read ${number(me.read)}`;
      row.append(element("th", `p${p}`, { scope: "row" }), element("td", place, { title: step(me.step) }), element("td", me.rounds), can);
      can.append(...edges.filter((e) => this.data.actions[e.action].proc === p).map(button));
      can.append(this.graph.reason(state, p));
      rows.push(row);
    }
    this.find(".processes tbody").replaceChildren(...rows);
    this.find(".environment").replaceChildren(...edges.filter((e) => this.data.actions[e.action].proc < 0).map(button));
    if (had >= 0) (places()[had].querySelector("button:enabled") ?? this.find(".processes button:enabled, .environment button:enabled"))?.focus();
  }

  // showPicture marks the steps that processes are at.
  showPicture(state) {
    const svg = this.find(".picture svg");
    svg.querySelectorAll(".token").forEach((t) => t.remove());
    svg.querySelectorAll(".here").forEach((n) => n.classList.remove("here"));
    const many = {};
    for (let p = 0; p < this.data.procs; p++) {
      const me = this.graph.process(state, p);
      if (me.dead) continue;
      const node = $(`${this.prefix}-step-${this.data.picture.nodes.findIndex((n) => n.label === me.step)}`);
      const box = node.querySelector("rect").getBBox();
      node.classList.add("here");
      const place = (many[me.step] = (many[me.step] ?? -1) + 1);
      const token = svgElement("g", { class: "token", transform: `translate(${box.x + box.width + 4 + 14 * place},${box.y + box.height / 2})` });
      token.append(svgElement("circle", { r: 8 }), svgElement("text", { dy: 3 }, `p${p}`));
      svg.append(token);
    }
  }

  fold() { return this.data.folds[this.find(".fold").selectedIndex]; }

  // showFold shows the graph folded in the chosen way. A click on a node asks for
  // the shortest way there.
  showFold() {
    const fold = this.fold();
    this.find(".fold").setAttribute("aria-label", `Fold the states of ${this.data.name} by`);
    this.find(".fold-doc").textContent = `${fold.doc} ${fold.drawing.nodes.length} of ${this.graph.size()} states are left.` +
      (this.leads ? " Choose one for the shortest way there." : "");
    this.find(".folded").replaceChildren(draw(fold.drawing, `${this.prefix}-${fold.name}`));
    this.find(".folded svg").setAttribute("role", "group");
    this.find(".folded").querySelectorAll(".node").forEach((node) => {
      if (!this.leads) return;
      const i = Number(node.id.split("-").pop()), name = fold.drawing.nodes[i].label.replaceAll("\n", ", ");
      node.setAttribute("role", "button");
      node.setAttribute("tabindex", "0");
      node.setAttribute("aria-label", `to ${name}`);
      node.onclick = () => travel((s) => fold.of[s] === i, name);
      node.onkeydown = (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        node.onclick();
      };
    });
    this.showNode();
  }

  // showNode marks the node of the present state and of those before it.
  showNode() {
    const fold = this.fold(), passed = new Set(this.states.slice(0, at + 1).map((s) => fold.of[s]));
    this.find(".folded").querySelectorAll(".node").forEach((node) => {
      const i = Number(node.id.split("-").pop());
      node.classList.toggle("seen", passed.has(i));
      node.classList.toggle("here", fold.of[this.state()] === i);
    });
  }
}

// make makes an action after the moves that are made. Moves that were taken
// back are forgotten, unless the first of them is this one.
function make(action) {
  if (path[at] !== action) path = [...path.slice(0, at), action];
  walk(at + 1);
}

// travel makes the moves of the shortest way to a wanted state: from here, or
// else from the initial state.
function travel(wanted, name) {
  const graph = panes[0].graph;
  let way = graph.shortest(panes[0].state(), wanted), from = at;
  if (!way) [way, from] = [graph.shortest(0, wanted), 0];
  if (!way) return say(`There is no way to ${name}.`);
  path = [...path.slice(0, from), ...way];
  walk(path.length, `${way.length} ${way.length === 1 ? "move" : "moves"} from ${from === at ? "here" : "the initial state"} to ${name}.`);
}

// walk shows the state after so many moves.
function walk(moves, note = "") {
  at = Math.max(0, Math.min(moves, path.length));
  panes.forEach((p) => p.follow());
  panes.forEach((p) => p.show());
  showMoves();
  $("first").disabled = $("back").disabled = at === 0;
  $("forward").disabled = $("last").disabled = at === path.length;
  if (at === path.length) play(false);
  say(note || (at === 0 ? "The initial state." : `After move ${at} of ${path.length}.` + loop()));
  history.replaceState(null, "", "#" + path.map((a) => panes[0].data.actions[a].move).join(",") + (at < path.length ? `;${at}` : ""));
}

// loop says how the counterexample goes on.
function loop() {
  const { example, loop } = panes[0].data;
  const shown = loop && at === example.length && example.every((a, i) => path[i] === a);
  return shown ? ` From here it goes on with move ${loop}, without end.` : "";
}

const say = (text) => { $("status").textContent = text; };

function showMoves() {
  const leader = panes[0];
  const rows = path.map((id, i) => {
    const a = leader.data.actions[id], row = element("tr", ""), w = leader.graph.shared(leader.states[i + 1]).words;
    const go = element("button", `${i + 1}`, { "aria-label": `to move ${i + 1}: ${who(a)} ${title(a)}` });
    const cell = element("td", "");
    cell.append(go);
    row.append(cell);
    for (let p = 0; p < leader.data.procs; p++) row.append(element("td", a.proc === p || (a.proc < 0 && p === 0) ? title(a) : ""));
    row.append(element("td", `${number(w.enter)} ${number(w.exit)} ${number(w.flag)}`));
    row.onclick = () => walk(i + 1);
    row.setAttribute("aria-current", String(i + 1 === at));
    return row;
  });
  const had = [...$("moves").rows].findIndex((row) => row.contains(document.activeElement));
  $("moves").replaceChildren(...rows);
  rows[had]?.querySelector("button").focus({ preventScroll: true });
  const current = rows[at - 1];
  if (current) {
    const box = $("history").querySelector(".scroll");
    box.scrollTop = current.offsetTop - box.clientHeight / 2;
  }
  $("real").hidden = !leader.data.real || at === 0; // no moves, nothing to make
  $("command").textContent = `${leader.data.real} '${path.slice(0, at).map((a) => leader.data.actions[a].move).join(" ")}'`;
}

// play makes a move every so often.
function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => walk(at + 1), 700) : 0;
  $("play").setAttribute("aria-pressed", String(on));
}

function toggle() {
  if (timer) return play(false);
  if (at === path.length) walk(0);
  play(path.length > 0);
}

// load shows the moves that the address holds, or else the counterexample.
function load() {
  const [moves, where] = decodeURIComponent(location.hash.slice(1)).split(";");
  if (!location.hash.slice(1)) {
    path = [...panes[0].data.example];
    const property = panes[0].data.property;
    return walk(path.length, property ? `A shortest counterexample: ${property} fails after ${path.length} moves.` + loop() : "");
  }
  path = [];
  let state = 0;
  for (const word of moves.split(",").filter(Boolean)) {
    const edge = panes[0].graph.edges(state).find((e) => panes[0].data.actions[e.action].move === word);
    if (!edge) return walk(path.length, `The address has the move ${word} after move ${path.length}, which cannot happen there.`);
    path.push(edge.action);
    state = edge.to;
  }
  walk(where === undefined ? path.length : Number(where) || 0);
}

// goals lists what the toolbar offers a shortest way to: what a state is like
// that this graph has.
function goals() {
  const graph = panes[0].graph, marked = (bits) => (s) => Boolean(graph.marks(s) & bits);
  const outside = (s) => {
    for (let p = 0; p < panes[0].data.procs; p++) if (graph.process(s, p).step !== "Call") return false;
    return s !== panes[0].state();
  };
  const list = data.properties.map((p, i) => p.name === "NoHang"
    ? { name: "a state in which no process can move", wanted: marked(STUCK) }
    : { name: `a violation of ${p.name}`, wanted: marked(1 << i) });
  list.push({ name: "a state from which no call returns", wanted: marked(LOST) });
  const states = [...Array(graph.size()).keys()];
  return [...list.filter((goal) => states.some(goal.wanted)), { name: "all processes outside again", wanted: outside }];
}

function keys(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
  const p = panes[0], edge = /^[0-9]$/.test(event.key) &&
    p.graph.edges(p.state()).find((e) => p.data.actions[e.action].proc === Number(event.key) && !p.data.actions[e.action].event);
  const moves = { ArrowLeft: () => walk(at - 1), ArrowRight: () => walk(at + 1), Home: () => walk(0), End: () => walk(path.length) };
  if (edge) make(edge.action);
  else if (moves[event.key] && !event.target.closest(".scroll")) moves[event.key]();
  else if (event.key === " " && event.target.tagName !== "BUTTON" && event.target.tagName !== "SUMMARY") toggle();
  else return;
  event.preventDefault();
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`The ${what} is copied.`);
  } catch {
    say(`The browser does not let the page copy. This is the ${what}: ${text}`);
  }
}

async function start() {
  data = await unpack($("data").textContent);
  panes = [];
  data.panes.forEach((p, i) => panes.push(new Pane(p, i)));
  const head = element("tr", ""), all = goals();
  head.append(element("th", "#", { scope: "col" }));
  for (let p = 0; p < data.panes[0].procs; p++) head.append(element("th", `p${p}`, { scope: "col" }));
  head.append(element("th", "enter exit flag", { scope: "col" }));
  $("columns").append(head);
  $("digits").textContent = [...Array(data.panes[0].procs).keys()].join(", ");
  $("goal").append(...all.map((g) => element("option", g.name)));
  $("go").onclick = () => travel(all[$("goal").selectedIndex].wanted, all[$("goal").selectedIndex].name);
  $("first").onclick = () => walk(0);
  $("back").onclick = () => walk(at - 1);
  $("forward").onclick = () => walk(at + 1);
  $("last").onclick = () => walk(path.length);
  $("play").onclick = toggle;
  $("share").onclick = () => copy(location.href, "link");
  $("copy").onclick = () => copy($("command").textContent, "command");
  document.onkeydown = keys;
  window.onhashchange = load;
  load();
  document.body.dataset.ready = "true";
}

start();
