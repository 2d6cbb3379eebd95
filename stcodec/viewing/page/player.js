// Plays a pair, and notes how it was shown.

function load(file) {
  const video = h("video", { preload: "auto", playsinline: true });
  video.muted = true;
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${test.clips}/${file}.mp4: ${why}`));
    const timer = setTimeout(() => fail("did not load in time"), PATIENCE_MS);
    video.addEventListener("canplaythrough", () => { clearTimeout(timer); resolve(video); }, { once: true });
    video.addEventListener("error", () => { clearTimeout(timer); fail("is not there, or this browser does not play it"); }, { once: true });
    video.src = `${test.clips}/${file}.mp4`;
    byId("stage").append(video);
  });
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function played(video) {
  return new Promise((resolve, reject) => {
    video.addEventListener("ended", resolve, { once: true });
    video.addEventListener("error", () => reject(new Error("a video broke off")), { once: true });
    video.play().catch(reject);
  });
}

/** Play videos at once; they are seen from their start to their end. */
async function showTogether(videos, note) {
  enter("playing");
  for (const video of videos) video.classList.add("seen");
  const ends = Promise.all(videos.map(played));
  const check = () => {
    note.one_to_one &&= videos.every(isOneToOne);
    note.full_screen &&= isFullScreen();
  };
  check();
  const watch = setInterval(check, 250);
  try {
    await ends;
  } finally {
    clearInterval(watch);
    for (const video of videos) video.classList.remove("seen");
  }
}

/** Show the pair; what is noted of it: pixel for pixel, full screen, frames that the machine dropped. */
async function showPair([, first, second]) {
  const note = { one_to_one: true, full_screen: true, frames: 0, dropped_frames: 0 };
  const videos = await Promise.all([load(first), load(second)]);
  placeVideos(videos);
  try {
    if (isBeside) {
      await showTogether(videos, note);
    } else {
      for (const [place, video] of videos.entries()) {
        byId("title-number").textContent = String(place + 1);
        enter("title");
        await pause(TITLE_MS);
        await showTogether([video], note);
      }
    }
    for (const video of videos) {
      const quality = video.getVideoPlaybackQuality();
      note.frames += quality.totalVideoFrames;
      note.dropped_frames += quality.droppedVideoFrames;
    }
  } finally {
    for (const video of videos) {
      video.removeAttribute("src");
      video.load();
    }
    replace(byId("stage"));
  }
  return note;
}
