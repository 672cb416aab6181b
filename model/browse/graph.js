"use strict";

// draw lays a drawing (draw.go) out and returns its SVG element. The id of a
// node is the prefix and its index.
function draw(drawing, prefix) {
  const svg = svgElement("svg", {}), graph = new dagre.graphlib.Graph();
  document.body.append(svg); // texts have a size only in the document
  graph.setGraph({ nodesep: 14, ranksep: 16, edgesep: 8, marginx: 4, marginy: 4 });
  drawing.nodes.forEach((node, i) => {
    const element = svgNode(node, `${prefix}-${i}`);
    svg.append(element);
    const box = element.querySelector("text").getBBox();
    graph.setNode(i, { element, width: box.width + 14, height: box.height + 6 });
  });
  for (const e of drawing.edges) graph.setEdge(e.from, e.to, { text: e.label ?? "", width: 6 * (e.label ?? "").length, height: e.label ? 12 : 0, labelpos: "r", labeloffset: 3 });
  dagre.layout(graph);
  const nodes = graph.nodes().map((i) => graph.node(i)), edges = graph.edges().map((e) => graph.edge(e));
  nodes.forEach(place);
  svg.prepend(marker(), ...edges.map(svgEdge));
  const { width, height } = graph.graph(); // of the nodes; edges may pass at their sides
  const sides = edges.flatMap((e) => e.points.map((p) => p.x)), left = Math.min(0, ...sides.map((x) => x - 4)), right = Math.max(width, ...sides.map((x) => x + 4));
  svg.setAttribute("viewBox", `${left} 0 ${right - left} ${height}`);
  svg.setAttribute("width", right - left);
  svg.setAttribute("height", height);
  svg.remove();
  return svg;
}

function svgElement(name, attributes, text = "") {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.textContent = text;
  return e;
}

function svgNode(node, id) {
  const element = svgElement("g", { id, class: `node ${node.class ?? ""}` }), text = svgElement("text", {});
  node.label.split("\n").forEach((line, i) => text.append(svgElement("tspan", { x: 0, dy: i ? "1.2em" : 0 }, line)));
  if (node.doc) element.append(svgElement("title", {}, node.doc));
  element.append(svgElement("rect", { rx: 6 }), text);
  return element;
}

// place moves the parts of a node to where the layout wants them.
function place({ element, x, y, width, height }) {
  const rect = element.querySelector("rect"), text = element.querySelector("text"), box = text.getBBox();
  for (const [key, value] of Object.entries({ x: x - width / 2, y: y - height / 2, width, height })) rect.setAttribute(key, value);
  text.setAttribute("transform", `translate(${x},${y - box.y - box.height / 2})`);
}

function marker() {
  const arrow = svgElement("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
  arrow.append(svgElement("path", { d: "M0,0 L8,4 L0,8 z" }));
  return arrow;
}

// svgEdge draws an edge through its points, rounded between them.
function svgEdge({ points, text, x, y }) {
  const at = (p) => `${p.x.toFixed(1)},${p.y.toFixed(1)}`, middle = (p, q) => at({ x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 });
  let d = `M${at(points[0])}`;
  for (let i = 1; i < points.length - 1; i++) d += ` Q${at(points[i])} ${i === points.length - 2 ? at(points[i + 1]) : middle(points[i], points[i + 1])}`;
  if (points.length === 2) d += ` L${at(points[1])}`;
  const edge = svgElement("g", { class: "edge" });
  edge.append(svgElement("path", { d, "marker-end": "url(#arrow)" }));
  if (text) edge.append(svgElement("text", { x, y: y + 3 }, text));
  return edge;
}
