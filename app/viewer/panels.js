// The panels beside the image, built from the current view. Text goes in through textContent.

function tag(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") node.style.cssText = value;
    else if (value !== undefined && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function percent(share) {
  const value = share * 100;
  return `${value >= 9.95 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
}

function showBars(parent, stage, classes, words, limit = 5) {
  if (!stage.probabilities) {
    parent.replaceChildren(tag("p", { class: "ov-none" }, notYet(words, "cls")));
    return;
  }
  const best = stage.probabilities.map((p, i) => [p, classes[i]]).sort((a, b) => b[0] - a[0]).slice(0, limit);
  // Bars are kept and resized, so that a flip between stages is seen as a movement.
  while (parent.children.length > best.length || parent.querySelector(".ov-none")) parent.lastChild.remove();
  best.forEach(([p, c], i) => {
    let bar = parent.children[i];
    if (!bar) parent.append((bar = tag("div", { class: "ov-bar" }, tag("span"), tag("span"), tag("i"))));
    bar.children[0].textContent = c.shown;
    bar.children[1].textContent = percent(p);
    bar.style.setProperty("--p", p.toFixed(4));
    bar.style.setProperty("--c", c.color);
  });
}

function notYet(words, task) {
  const name = words["task." + task];
  return words["viewer.not_yet_full"].replace("{task}", name.charAt(0).toUpperCase() + name.slice(1));
}

function boxCount(words, count) {
  return count === 1 ? words["viewer.box_count_one"] : words["viewer.box_count"].replace("{count}", count);
}

function maskWords(stage, classes, words, limit = 3) {
  const parts = stage.shares.slice(0, limit).map(([index, share]) => `${classes[index].shown} ${percent(share)}`);
  return parts.length ? parts.join(", ") : words["viewer.background"];
}

function boxWords(boxes, classes, words, all, threshold) {
  if (!boxes.length) {
    // Boxes that the threshold or a class hides are worth a word: else a shy network looks blind.
    if (!all.length) return boxCount(words, 0);
    const known = all[0].score >= threshold ? words["viewer.switched_off"] : words["viewer.best"];
    return `${boxCount(words, 0)} (${known} ${classes[all[0].label].shown} ${all[0].score.toFixed(2)})`;
  }
  const best = boxes.slice(0, 2).map((b) => `${classes[b.label].shown} ${b.score.toFixed(2)}`).join(", ");
  return `${boxCount(words, boxes.length)}: ${best}${boxes.length > 2 ? " …" : ""}`;
}

function facts(stage, view, classes, words) {
  const list = tag("dl", { class: "ov-facts" });
  for (const task of ["seg", "det", "cls"]) {
    if (!view.tasks.includes(task)) continue;
    const trained = stage.trained.includes(task);
    if (!trained && !stage.number) continue;
    let text = words["viewer.not_yet"];
    if (trained && task === "seg") text = maskWords(stage, classes.seg, words);
    if (trained && task === "det") text = boxWords(view.visibleBoxes(stage), classes.det, words, stage.boxes, view.threshold);
    if (trained && task === "cls") {
      const best = stage.probabilities.indexOf(Math.max(...stage.probabilities));
      text = `${classes.cls[best].shown} ${percent(stage.probabilities[best])}`;
    }
    list.append(tag("dt", {}, words["task." + task]), tag("dd", trained ? {} : { class: "ov-not" }, text));
  }
  return list;
}

// Classes that a stage shows, those of the mask first.
function presentClasses(stage, classes, threshold) {
  const found = new Map();
  for (const [index] of stage.shares || []) note(classes.seg[index]);
  for (const box of stage.boxes || []) if (box.score >= threshold) note(classes.det[box.label]);
  return [...found.values()];
  function note(c) {
    if (!found.has(c.name)) found.set(c.name, c);
  }
}
