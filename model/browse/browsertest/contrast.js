(() => {
  // The contrast of each visible text with what is behind it (WCAG 2.2, 1.4.3).
  const parse = (color) => color.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  const opaque = (color) => color !== "none" && (parse(color)[3] ?? 1) === 1;
  const luminance = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  // Behind a text of a picture is its own outline, or the last shape before it
  // that its middle lies on.
  const shapeBehind = (element) => {
    const style = getComputedStyle(element);
    if (style.paintOrder.startsWith("stroke") && opaque(style.stroke)) return style.stroke;
    const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    const under = [...element.ownerSVGElement.querySelectorAll("path, circle, polygon, rect")].findLast((shape) => {
      const b = shape.getBoundingClientRect();
      return shape.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING && opaque(getComputedStyle(shape).fill) &&
        b.left <= x && x <= b.right && b.top <= y && y <= b.bottom;
    });
    return under && getComputedStyle(under).fill;
  };
  const behind = (element) => {
    const shape = element instanceof SVGElement && shapeBehind(element);
    if (shape) return parse(shape);
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (opaque(color) && !(e instanceof SVGElement)) return parse(color);
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest("option, script, title, noscript")) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const got = ratio(color, behind(element));
    if (got < (large ? 3 : 4.5)) faint.push(`${node.textContent.trim().slice(0, 40)}: ${got.toFixed(2)}`);
  }
  return [...new Set(faint)];
})()
