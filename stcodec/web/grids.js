// Grids as pictures, in colours that colour-blind eyes tell apart.

const RAMPS = block("ramps");
const UNKNOWN = 255;

/** The values of cells from base64: 0 = low, 254 = high, 255 = not known. */
function cellsFrom(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}

/** Opacity of a cell, 0 to 1: what is strong hides more of the frame. */
function opacity(layer, value) {
  const strength = layer.signed ? Math.abs(value - 127) / 127 : value / 254;
  return 0.8 * Math.sqrt(strength);
}

/** A small canvas with a cell a pixel; alpha: how opaque each cell is. */
function gridCanvas(layer, cells, alpha) {
  const canvas = h("canvas", { width: layer.cols, height: layer.rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(layer.cols, layer.rows);
  const ramp = layer.signed ? RAMPS.signed : RAMPS.amount;
  cells.forEach((value, index) => {
    if (value === UNKNOWN) return;
    const [red, green, blue] = ramp[value];
    image.data.set([red, green, blue, Math.round(255 * (alpha ? alpha(value) : 1))], 4 * index);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawGrid(context, layer, cells, alpha) {
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(gridCanvas(layer, cells, alpha), 0, 0, context.canvas.width, context.canvas.height);
}

function rampCanvas(signed) {
  const layer = { rows: 1, cols: 255, signed };
  return gridCanvas(layer, Uint8Array.from({ length: 255 }, (_, index) => index), null);
}
