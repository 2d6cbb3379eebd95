// Lines of charts.

/** An SVG path through [x, y] pairs; a missing value breaks it. */
function linePath(pairs) {
  let pen = "M";
  let path = "";
  for (const [x, y] of pairs) {
    if (!isNumber(y)) {
      pen = "M";
      continue;
    }
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  }
  return path;
}
