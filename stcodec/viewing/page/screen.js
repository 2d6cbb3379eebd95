// One pixel of a picture on one pixel of the screen. CSS pixels are larger on fine screens and in a zoomed page, so that all
// is reckoned in the screen's own.

function needed() {
  return { width: isBeside ? 2 * test.width + GAP_PX : test.width, height: test.height };
}

function ratio() {
  return window.devicePixelRatio || 1;
}

function room(width, height) {
  // Rounded, since CSS sizes of scaled screens are fractions.
  return { width: Math.round(width * ratio()), height: Math.round(height * ratio()) };
}

function fits(space) {
  return space.width >= needed().width && space.height >= needed().height;
}

/** Scale of the pictures in this window: 1, or less where it is too small. */
function pictureScale() {
  const space = room(innerWidth, innerHeight);
  return Math.min(1, space.width / needed().width, space.height / needed().height);
}

function placeVideos(videos) {
  const scale = pictureScale();
  const space = room(innerWidth, innerHeight);
  const width = Math.round(test.width * scale);
  const height = Math.round(test.height * scale);
  const gap = Math.round(GAP_PX * scale);
  const left = Math.floor((space.width - (isBeside ? 2 * width + gap : width)) / 2);
  videos.forEach((video, place) => {
    const at = { left: left + (isBeside ? place * (width + gap) : 0), top: Math.floor((space.height - height) / 2), width, height };
    for (const [name, value] of Object.entries(at)) video.style[name] = `${value / ratio()}px`;
  });
}

/** Whether a video that is shown now has its own pixels on the screen's. */
function isOneToOne(video) {
  const box = video.getBoundingClientRect();
  const near = (shown, own) => Math.abs(shown * ratio() - own) < 0.5;
  return near(box.width, test.width) && near(box.height, test.height) && pictureScale() === 1;
}

function isFullScreen() {
  return document.fullscreenElement !== null || (innerWidth === screen.width && innerHeight === screen.height);
}

async function goFullScreen() {
  try {
    await document.documentElement.requestFullscreen({ navigationUI: "hide" });
  } catch {
    say("This browser does not go to full screen by itself: press F11.");
  }
}

function screenNote() {
  const space = room(screen.width, screen.height);
  const want = needed();
  if (!fits(space)) {
    return `This screen has ${space.width} × ${space.height} pixels and the test needs ${want.width} × ${want.height}: pictures would be made smaller. Use a larger screen.`;
  }
  return `This screen has ${space.width} × ${space.height} pixels (${number(ratio(), 2)} a CSS pixel): pictures of ${test.width} × ${test.height} are shown pixel for pixel.`;
}

function say(text) {
  byId("hint").textContent = text;
}

function remind() {
  if (state.stage === "welcome") byId("screen-note").textContent = screenNote();
  else if (!["done", "failed"].includes(state.stage)) say(isFullScreen() ? "" : "F: back to full screen");
}
