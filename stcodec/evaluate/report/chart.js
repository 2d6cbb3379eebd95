// A plain line chart in SVG: scales, axes, and a cursor for mouse, touch and keyboard.

const MARGIN = { top: 34, right: 14, bottom: 46, left: 54 };

function niceStep(span, wanted) {
  const raw = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999);
}

function linearTicks(low, high, wanted) {
  const step = niceStep(high - low, wanted);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) ticks.push(index * step);
  let decimals = 0;
  while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return { ticks, decimals };
}

function logTicks(low, high, wanted) {
  for (const factors of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
      ticks.push(
        ...factors.map((factor) => factor * 10 ** power).filter((tick) => tick >= low * 0.999 && tick <= high * 1.001),
      );
    }
    if (ticks.length >= Math.min(4, wanted)) return { ticks, decimals: null };
  }
  return { ticks: [low, high], decimals: null };
}

/** Lowest and highest of the values with a little air; a single value gets air of its own size. */
function extent(values, log) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [log ? 1 : 0, log ? 10 : 1];
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.04, high * (high / low) ** 0.04];
  const air = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  return [low - air, high + air];
}

function scale(range, log, from, to) {
  const place = log ? Math.log : (value) => value;
  const [low, high] = range.map(place);
  return (value) => from + ((place(value) - low) / (high - low)) * (to - from);
}

/** Axes and an empty plot. `x` and `y`: {range, label, log}. Returns {node, plot, x, y, width, height}. */
function chart({ width, height, x, y, label }) {
  const inner = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const sx = scale(x.range, x.log, inner.left, inner.right);
  const sy = scale(y.range, false, inner.bottom, inner.top);
  const xTicks = (x.log ? logTicks : linearTicks)(...x.range, Math.floor((inner.right - inner.left) / 80));
  const yTicks = linearTicks(...y.range, Math.floor((inner.bottom - inner.top) / 48));
  const plot = svg("g", { class: "plot" });
  const text = (tick, decimals) => (decimals === null ? String(Number(tick.toPrecision(3))) : number(tick, decimals));
  let edge = -Infinity;
  const room = xTicks.ticks.filter((tick) => {
    if (sx(tick) - edge < 44) return false;
    edge = sx(tick);
    return true;
  });
  const node = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      role: "application",
      tabindex: 0,
      "aria-roledescription": "interactive chart",
      "aria-label": `${label}. Arrow keys walk along the values.`,
    },
    svg(
      "g",
      { class: "axes", "aria-hidden": "true" },
      yTicks.ticks.map((tick) => [
        svg("line", { class: "grid", x1: inner.left, x2: inner.right, y1: sy(tick), y2: sy(tick) }),
        svg(
          "text",
          { class: "tick", x: inner.left - 8, y: sy(tick), dy: "0.34em", "text-anchor": "end" },
          text(tick, yTicks.decimals),
        ),
      ]),
      room.map((tick) => [
        svg("line", { class: "base", x1: sx(tick), x2: sx(tick), y1: inner.bottom, y2: inner.bottom + 5 }),
        svg(
          "text",
          { class: "tick", x: sx(tick), y: inner.bottom + 18, "text-anchor": "middle" },
          text(tick, xTicks.decimals),
        ),
      ]),
      svg("line", { class: "base", x1: inner.left, x2: inner.right, y1: inner.bottom, y2: inner.bottom }),
      svg("text", { class: "axis", x: 0, y: 14 }, y.label),
      svg("text", { class: "axis", x: inner.right, y: height - 6, "text-anchor": "end" }, x.label),
    ),
    plot,
  );
  return { node, plot, x: sx, y: sy, width, height, inner };
}

/**
 * Let the reader walk over `rows` of spots {x, y, ...} with mouse, touch or arrow keys. `say(spot)` gives the tooltip's lines;
 * `mark(spot)` draws where the cursor is. With `columns` only the distance along x counts.
 */
function attachCursor(drawn, holder, rows, { columns, say, mark }) {
  const tooltip = h("div", { class: "tooltip", role: "status", hidden: true });
  const layer = svg("g", { class: "cursor" });
  let row = 0;
  let column = 0;
  drawn.node.append(layer);
  holder.append(tooltip);
  const hide = () => {
    tooltip.hidden = true;
    replace(layer);
  };
  const show = () => {
    const spot = rows[row] && rows[row][column];
    if (!spot) return;
    replace(layer, mark(spot));
    replace(tooltip, say(spot));
    tooltip.hidden = false;
    const left = (spot.x / drawn.width) * holder.clientWidth;
    const flip = spot.x > drawn.width / 2;
    tooltip.style.left = flip ? "auto" : `${left + 14}px`;
    tooltip.style.right = flip ? `${holder.clientWidth - left + 14}px` : "auto";
    tooltip.style.top = `${Math.max(0, (Math.min(spot.y, drawn.height * 0.55) / drawn.height) * drawn.node.clientHeight - 16)}px`;
  };
  const near = (event) => {
    const box = drawn.node.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * drawn.width;
    const y = ((event.clientY - box.top) / box.height) * drawn.height;
    let best = Infinity;
    rows.forEach((spots, r) =>
      spots.forEach((spot, c) => {
        const distance = Math.abs(spot.x - x) + (columns ? 0 : Math.abs(spot.y - y));
        if (distance < best) [best, row, column] = [distance, r, c];
      }),
    );
    show();
  };
  const steps = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    PageUp: [0, -10],
    PageDown: [0, 10],
    Home: [0, -Infinity],
    End: [0, Infinity],
  };
  drawn.node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in steps) || !rows.length) return;
    event.preventDefault();
    const [down, right] = steps[event.key];
    row = Math.min(rows.length - 1, Math.max(0, row + down));
    column = Math.min(rows[row].length - 1, Math.max(0, column + right));
    show();
  });
  drawn.node.addEventListener("pointermove", near);
  drawn.node.addEventListener("pointerdown", near);
  drawn.node.addEventListener("pointerleave", hide);
  drawn.node.addEventListener("focus", () => {
    if (drawn.node.matches(":focus-visible")) show();
  });
  drawn.node.addEventListener("blur", hide);
}

/** In less than this no chart can be drawn; a page that is laid out for paper starts with a width of almost nothing. */
const NARROWEST_PX = 120;

/** Draw now and whenever the holder's width changes; `draw(width)` fills it. Returns a function that draws again. */
function redrawn(holder, draw) {
  let width = 0;
  const again = () => {
    if (width > 0) draw(width);
  };
  new ResizeObserver(() => {
    const now = Math.round(holder.clientWidth);
    if (now !== width && now >= NARROWEST_PX) {
      width = now;
      again();
    }
  }).observe(holder);
  return again;
}
