"use strict";

// Each section of the class timeline has its data, a Timeline of timeline.go, in
// a script of its own. Observable Plot draws what is in view; d3.zoom says what
// that is. A section that is hidden is drawn when it becomes visible.
(() => {
  const docs = JSON.parse(document.getElementById("timeline-docs").textContent); // by label of a step or event
  const word = ["enter", "exit", "flag"];
  // The kinds from back to front: the colour, that of a label on it, how much of
  // the height of a lane is left free above, and the name in the legend.
  const kinds = {
    call: { fill: "none", stroke: "line", label: "text", top: 0, name: "in a call" },
    lock: { fill: "held", label: "text", top: 0, name: "holds the lock" },
    dead: { fill: "dead", label: "text", top: 0.35, name: "dead" },
    wait: { fill: "wait", stroke: "line", label: "text", top: 0.35, name: "waits" },
    step: { fill: "here", label: "on-here", top: 0.12, name: "takes a step" },
    event: { fill: "event", label: "page", top: 0.12, name: "something happens to it" },
    fault: { fill: "bad", label: "page", top: 0.12, name: "the run does something to it" },
  };
  const happens = (item) => ["step", "event", "fault"].includes(item.kind);
  const color = (name) => (name === "none" ? name : `var(--${name})`);
  const number = (v) => String(v).replace("-", "−");
  const CHAR = 6.3, MARGIN = 8, ROW = 20; // pixels: of a letter, beside the lanes, of a row of words

  // duration writes nanoseconds in the unit that fits the size.
  function duration(ns, size = Math.abs(ns)) {
    const [unit, by] = size >= 1e9 ? ["s", 1e9] : size >= 1e6 ? ["ms", 1e6] : size >= 1e3 ? ["µs", 1e3] : ["ns", 1];
    return `${number(+(ns / by).toFixed(3))} ${unit}`;
  }

  function element(name, text, attributes = {}) {
    const e = document.createElement(name);
    e.textContent = text;
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    return e;
  }

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  class Chart {
    constructor(section, data) {
      this.data = data;
      this.data.words ??= [];
      for (const lane of this.data.lanes) lane.items ??= [];
      this.ordered = this.data.axis === "order";
      this.find = (selector) => section.querySelector(selector);
      this.view = this.find(".timeline-view");
      this.half = this.ordered ? 0.5 : 0; // a step takes up its place
      this.layOut();
      this.selected = this.items.find((i) => i.wrong && happens(i)) ?? this.items.find((i) => i.wrong);
      this.addTools();
      this.addLegend();
      this.zoom = d3.zoom().filter((e) => (e.type === "wheel" ? e.ctrlKey : !e.button)).on("zoom", () => this.draw());
      d3.select(this.view).call(this.zoom).on("click", (e) => this.pick(e));
      this.view.onkeydown = (e) => this.key(e);
      new ResizeObserver(() => requestAnimationFrame(() => this.resize())).observe(this.view);
      for (const event of ["beforeprint", "afterprint"]) addEventListener(event, () => this.resize());
      matchMedia("print").addEventListener("change", () => this.resize());
      this.resize();
      if (this.selected) this.say(this.describe(this.selected));
      section.dataset.ready = "true";
    }

    // layOut places the rows and gathers all that is drawn in them.
    layOut() {
      const { lanes, words, loop } = this.data;
      const ends = lanes.flatMap((l) => l.items.flatMap((i) => [i.from, i.to])).concat(words.map((w) => w.at));
      this.span = [d3.min(ends) - this.half, d3.max(ends) + this.half];
      if (!(this.span[1] > this.span[0])) this.span = [(this.span[0] || 0) - 1, (this.span[0] || 0) + 1];
      const longest = d3.max(lanes.flatMap((l) => l.items.map((i) => (i.label ?? "").length))) ?? 0;
      const strip = lanes.some((l) => l.items.some((i) => i.kind === "call")) ? 16 : 0; // for the labels of calls
      const height = strip + (this.ordered ? Math.max(48, (longest * CHAR + 14) / 0.76) : 44);
      this.rows = [];
      this.items = [];
      let y = 24;
      const add = (name, h) => {
        const row = { name, y1: y + 2, y2: y + h - 2 };
        this.rows.push(row);
        y += h;
        return row;
      };
      if (loop > 0) {
        const row = add("loop", ROW), end = d3.max(lanes.flatMap((l) => l.items.map((i) => i.to)));
        this.items.push({ kind: "loop", from: loop, to: end, label: "again and again, without end", wrong: true, fill: "page", ink: "text", stroke: "line", y1: row.y1, y2: row.y2, lane: "loop" });
      }
      const holds = [];
      for (const lane of lanes) {
        const row = add(lane.name, height);
        for (const item of lane.items) {
          const kind = kinds[item.kind], call = item.kind === "call", y1 = row.y1 + (call ? 0 : strip), free = kind.top * (row.y2 - y1);
          this.items.push({ ...item, lane: lane.name, fill: kind.fill, ink: kind.label, stroke: kind.stroke ?? "none", y1: y1 + free, y2: row.y2 - (happens(item) ? free : 0), textY: call && row.y1 + 8 });
          if (item.kind === "lock") holds.push({ ...item, label: lane.name });
        }
      }
      this.holds = holds;
      this.addLock(add);
      this.addWords(add);
      const order = ["loop", ...Object.keys(kinds)];
      this.items.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.from - b.from);
      this.acts = this.items.filter((i) => happens(i) || ["wait", "call", "dead", "loop"].includes(i.kind)).sort((a, b) => a.from - b.from || a.y1 - b.y1);
      this.height = y + 6;
      this.left = 16 + 7 * d3.max(this.rows, (r) => r.name.length);
    }

    // addLock adds a row that says who holds the lock, and another one for each
    // who holds it at the same time.
    addLock(add) {
      const free = []; // by row: from when on
      const rows = [];
      for (const h of this.holds.sort((a, b) => a.from - b.from)) {
        let i = free.findIndex((at) => at < h.from || (!this.ordered && at === h.from));
        if (i < 0) i = free.length;
        free[i] = h.to;
        rows[i] ??= add(i === 0 ? "lock" : "also", ROW);
        this.items.push({ ...h, kind: "lock", lane: "lock", fill: "held", ink: "text", stroke: "line", y1: rows[i].y1, y2: rows[i].y2 });
      }
    }

    // addWords adds a row for each word, which says from when to when it has
    // which value.
    addWords(add) {
      const { words } = this.data;
      if (!words.length) return;
      for (const name of word) {
        const row = add(name, ROW), same = [];
        for (const { at, words: w } of words) {
          if (same.length && same.at(-1).value === w[name]) continue;
          if (same.length) same.at(-1).to = at - 2 * this.half;
          same.push({ value: w[name], from: at, to: this.span[1] - this.half });
        }
        for (const s of same) this.items.push({ kind: "word", lane: name, from: s.from, to: s.to, label: number(s.value), fill: "seen", ink: "text", stroke: "line", y1: row.y1, y2: row.y2 });
      }
    }

    addTools() {
      const title = this.data.title, tools = this.find(".timeline-tools");
      const button = (text, hint, does) => {
        const b = element("button", text, { type: "button", title: hint, "aria-label": `${hint}, in ${title}` });
        b.onclick = does;
        tools.append(b);
      };
      button("+", "Zoom in", () => this.scale(2));
      button("−", "Zoom out", () => this.scale(0.5));
      button("←", "Earlier", () => this.shift(0.5));
      button("→", "Later", () => this.shift(-0.5));
      button("All", "Show everything", () => this.all());
      button("Previous", "Previous item", () => this.go(-1));
      button("Next", "Next item", () => this.go(1));
      if (this.items.some((i) => i.wrong && this.acts.includes(i))) button("What is wrong", "Go to what is wrong", () => this.wrong());
    }

    addLegend() {
      const present = new Set(this.items.map((i) => i.kind)), legend = this.find(".timeline-legend");
      const entry = (fill, text, border = "") => {
        const li = element("li", ""), swatch = element("span", "", { "aria-hidden": "true" });
        swatch.style.background = color(fill);
        swatch.style.border = border;
        li.append(swatch, text);
        legend.append(li);
      };
      for (const [name, kind] of Object.entries(kinds)) if (present.has(name)) entry(kind.fill, kind.name);
      if (this.items.some((i) => i.wrong)) entry("none", "what is wrong", "3px solid var(--bad)");
    }

    resize() {
      const width = this.view.clientWidth;
      if (!width || width === this.width) return;
      const first = !this.width, middle = this.width && d3.mean(this.x.domain());
      this.width = width;
      this.whole = d3.scaleLinear(this.span, [this.left, width - MARGIN]);
      const most = this.ordered ? Math.max(1, (this.span[1] - this.span[0]) / 4) : Math.max(1, (this.span[1] - this.span[0]) / 100);
      const box = [[this.left, 0], [width - MARGIN, this.height]];
      this.zoom.extent(box).translateExtent(box).scaleExtent([1, most]);
      if (!first) return this.center(middle);
      const places = this.span[1] - this.span[0], room = Math.floor((width - this.left - MARGIN) / 17);
      if (this.ordered && places > room) { // so far that labels can be read
        this.zoom.scaleTo(d3.select(this.view), places / room);
        this.center(this.selected ? this.selected.to : this.span[0]);
      } else this.draw();
    }

    transform() { return d3.zoomTransform(this.view); }
    scale(by) { this.zoom.scaleBy(d3.select(this.view), by); }
    shift(part) { this.zoom.translateBy(d3.select(this.view), (part * (this.width - this.left - MARGIN)) / this.transform().k, 0); }
    all() { this.zoom.transform(d3.select(this.view), d3.zoomIdentity); }
    center(place) {
      this.zoom.translateTo(d3.select(this.view), this.whole(place), 0, [(this.left + this.width - MARGIN) / 2, 0]);
      this.draw();
    }

    // draw draws what is in view.
    draw() {
      this.x = this.transform().rescaleX(this.whole);
      const [from, to] = this.x.domain(), shown = this.visible(from, to);
      const bar = { x1: (i) => i.from - this.half, x2: (i) => this.end(i), y1: "y1", y2: "y2", clip: true };
      const middle = (i) => (Math.max(from, i.from - this.half) + Math.min(to, this.end(i))) / 2;
      const text = (items, options) => Plot.text(items, { x: middle, y: (i) => i.textY || (i.y1 + i.y2) / 2, text: "label", fill: (i) => color(i.ink), clip: true, ...options });
      const thin = shown.filter((i) => this.pixels(i) < 3), labelled = shown.filter((i) => i.label);
      const flat = labelled.filter((i) => this.pixels(i) >= i.label.length * CHAR + 4);
      const upright = labelled.filter((i) => !flat.includes(i) && this.pixels(i) >= 13 && i.y2 - i.y1 >= i.label.length * CHAR + 2);
      const beside = labelled.filter((i) => thin.includes(i) && (i.kind === "event" || i.kind === "fault"));
      const wrong = shown.filter((i) => i.wrong), chosen = shown.filter((i) => i === this.selected);
      const size = Math.max(Math.abs(from), Math.abs(to)), ticks = this.whole.copy().domain([from, to]).ticks(Math.max(2, Math.floor(this.width / 90)));
      const plot = Plot.plot({
        width: this.width, height: this.height, marginLeft: this.left, marginRight: MARGIN, marginTop: 24, marginBottom: 0,
        x: { domain: [from, to], axis: "top", label: null, ticks: this.ordered ? ticks.filter(Number.isInteger) : ticks, tickFormat: (v) => (this.ordered ? v || "start" : duration(v, size)) },
        y: { type: "identity", axis: null }, color: { type: "identity" }, style: { background: "none", overflow: "hidden" },
        marks: [
          Plot.rect(this.rows, { x1: from, x2: to, y1: "y1", y2: "y2", fill: color("soft") }),
          Plot.text(this.rows, { frameAnchor: "left", dx: -this.left + 8, y: (r) => (r.y1 + r.y2) / 2, text: "name", textAnchor: "start", fontWeight: 600, fill: color("text") }),
          Plot.rect(shown, { ...bar, insetLeft: 0.5, insetRight: 0.5, fill: (i) => color(i.fill), stroke: (i) => color(i.stroke), title: (i) => this.describe(i) }),
          Plot.ruleX(thin, { x: "from", y1: "y1", y2: "y2", stroke: (i) => color(i.fill === "none" ? i.stroke : i.fill), strokeWidth: 2, clip: true, title: (i) => this.describe(i) }),
          text(flat), text(upright, { rotate: -90 }),
          text(beside, { textAnchor: "start", dx: 4, fill: color("text"), stroke: color("soft"), strokeWidth: 5 }),
          Plot.ruleX(wrong.filter(happens), { x: (i) => this.end(i), stroke: color("bad"), strokeDasharray: "4 3", clip: true }),
          Plot.rect(wrong, { ...bar, fill: "none", stroke: color("bad"), strokeWidth: 3 }),
          Plot.rect(chosen, { ...bar, inset: -3, fill: "none", stroke: color("text"), strokeWidth: 2 }),
        ],
      });
      plot.setAttribute("aria-hidden", "true"); // what it shows, the status says
      this.view.style.minHeight = `${this.height + 2}px`; // for a print, whose sheets are counted before it is drawn anew
      this.view.replaceChildren(plot);
    }

    end(item) { return item.to + this.half; }
    pixels(item) {
      const [from, to] = this.x.domain();
      return this.x(Math.min(to, this.end(item))) - this.x(Math.max(from, item.from - this.half));
    }

    // visible returns the items in view. Of those of one kind and lane that fall
    // on one pixel it returns one, and each that is wrong.
    visible(from, to) {
      const last = new Map();
      return this.items.filter((i) => {
        if (this.end(i) < from || i.from - this.half > to) return false;
        if (i.wrong || i === this.selected || this.pixels(i) >= 1) return true;
        const key = `${i.kind} ${i.lane}`, pixel = Math.round(this.x(i.from));
        return last.get(key) !== pixel && Boolean(last.set(key, pixel));
      });
    }

    // describe says what an item is, and for what happens the words after it and
    // who holds the lock then.
    describe(item) {
      let text = `${this.when(item)}: ${this.what(item)}.`;
      if (item.note) text += ` ${item.note[0].toUpperCase()}${item.note.slice(1)}.`;
      if (item.wrong) text += " This is what is wrong.";
      if (!happens(item)) return text;
      const { words } = this.data, after = words[d3.bisectRight(words.map((w) => w.at), item.to) - 1]?.words;
      if (after) text += ` Then ${word.map((w) => `${w} is ${number(after[w])}`).join(", ")}.`;
      const holders = this.holds.filter((i) => i.from <= item.to && (i.to > item.to || i.open)).map((i) => i.label);
      if (this.holds.length) text += ` ${holders.length ? `${holders.join(" and ")} ${holders.length > 1 ? "hold" : "holds"}` : "No process holds"} the lock.`;
      return text;
    }

    when({ from, to, open }) {
      if (this.ordered) return open ? `From step ${from} on` : from === to ? (from ? `Step ${from}` : "At the start") : `Steps ${from} to ${to}`;
      return open ? `From ${duration(from)} on` : from === to ? duration(from) : `${duration(from)} to ${duration(to)}, for ${duration(to - from)}`;
    }

    what({ kind, lane, label, doc }) {
      switch (kind) {
        case "lock": return `${label ?? lane} holds the lock`;
        case "wait": return `${lane} ${label ? `at ${label} ` : ""}${doc ?? "waits"}`;
        case "dead": return `${lane} is dead`;
        case "word": return `${lane} is ${label}`;
        case "loop": return `${label}`;
        default:
          doc ??= docs[label?.replace(/\(.*/, "")];
          return `${lane} ${label ?? kinds[kind].name}${doc ? `: ${doc}` : ""}`;
      }
    }

    say(text) { this.find(".timeline-status").textContent = text; }

    // select shows an item, and moves it into view.
    select(item) {
      if (!item) return;
      this.selected = item;
      const [from, to] = this.x.domain(), middle = (Math.max(this.span[0], item.from) + Math.min(this.span[1], item.to)) / 2;
      if (item.from < from || item.to > to) this.center(middle);
      else this.draw();
      this.say(this.describe(item));
    }

    go(by) {
      const at = this.acts.indexOf(this.selected);
      this.select(this.acts[at < 0 ? 0 : Math.max(0, Math.min(this.acts.length - 1, at + by))]);
    }

    // lane selects the item of another lane that is nearest.
    lane(by) {
      const names = this.data.lanes.map((l) => l.name), from = this.selected ?? this.acts[0];
      for (let i = names.indexOf(from?.lane) + by; i >= 0 && i < names.length; i += by) {
        const there = this.acts.filter((a) => a.lane === names[i]);
        if (there.length) return this.select(there[d3.minIndex(there, (a) => Math.abs(a.from - from.from))]);
      }
    }

    wrong() {
      const wrong = this.acts.filter((i) => i.wrong);
      this.select(wrong[(wrong.indexOf(this.selected) + 1) % wrong.length]);
    }

    // pick selects the item under the pointer, the foremost one.
    pick(event) {
      const [px, py] = d3.pointer(event, this.view), x = this.x.invert(px);
      const slack = Math.abs(this.x.invert(2) - this.x.invert(0));
      this.select(this.items.findLast((i) => i.y1 <= py && py <= i.y2 && i.from - this.half - slack <= x && x <= this.end(i) + slack));
    }

    key(event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const keys = {
        ArrowLeft: () => (event.shiftKey ? this.shift(0.25) : this.go(-1)), ArrowRight: () => (event.shiftKey ? this.shift(-0.25) : this.go(1)),
        ArrowUp: () => this.lane(-1), ArrowDown: () => this.lane(1), Home: () => this.select(this.acts[0]), End: () => this.select(this.acts.at(-1)),
        "+": () => this.scale(2), "=": () => this.scale(2), "-": () => this.scale(0.5), 0: () => this.all(),
      };
      if (!keys[event.key]) return;
      keys[event.key]();
      event.preventDefault();
      event.stopPropagation();
    }
  }

  const start = () => document.querySelectorAll(".timeline").forEach(async (section) => new Chart(section, await unpack(section.querySelector("script").textContent)));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
