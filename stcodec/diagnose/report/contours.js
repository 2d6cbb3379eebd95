// Lines around the smallest region that holds a share of a map's mass.

const MASS_SHARES = [0.25, 0.5, 0.75];

/** The value from which on cells hold so much of the mass together. */
function massLevel(cells, share) {
  const sorted = Array.from(cells).sort((a, b) => b - a);
  const total = sorted.reduce((sum, one) => sum + one, 0);
  let mass = 0;
  for (const value of sorted) {
    mass += value;
    if (mass >= share * total) return value;
  }
  return 0;
}

/** Marching squares between the centres of the cells: line pieces [x1, y1, x2, y2] in cells. */
function contour(cells, rows, cols, level) {
  const at = (row, col) => cells[row * cols + col];
  const between = (a, b) => (a === b ? 0.5 : (level - a) / (b - a));
  const pieces = [];
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let col = 0; col + 1 < cols; col += 1) {
      const [a, b, c, d] = [at(row, col), at(row, col + 1), at(row + 1, col + 1), at(row + 1, col)];
      const cuts = [];
      if (a >= level !== b >= level) cuts.push([col + between(a, b), row]);
      if (b >= level !== c >= level) cuts.push([col + 1, row + between(b, c)]);
      if (d >= level !== c >= level) cuts.push([col + between(d, c), row + 1]);
      if (a >= level !== d >= level) cuts.push([col, row + between(a, d)]);
      for (let cut = 0; cut + 1 < cuts.length; cut += 2) pieces.push([...cuts[cut], ...cuts[cut + 1]]);
    }
  }
  return pieces;
}

function drawContours(context, layer, cells) {
  const { width, height } = context.canvas;
  MASS_SHARES.forEach((share, index) => {
    const level = massLevel(cells, share);
    const path = new Path2D();
    for (const [x1, y1, x2, y2] of contour(cells, layer.rows, layer.cols, level)) {
      path.moveTo(((x1 + 0.5) / layer.cols) * width, ((y1 + 0.5) / layer.rows) * height);
      path.lineTo(((x2 + 0.5) / layer.cols) * width, ((y2 + 0.5) / layer.rows) * height);
    }
    const ramp = layer.signed ? RAMPS.signed : RAMPS.amount;
    context.strokeStyle = "rgb(0 0 0 / 0.75)";
    context.lineWidth = width / 160;
    context.stroke(path);
    context.strokeStyle = `rgb(${ramp[layer.signed ? level : 250 - 70 * index].join(" ")})`;
    context.lineWidth = width / 320;
    context.stroke(path);
  });
}
