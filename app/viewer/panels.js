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

// As app/results/percentages.py says it: what is not 0 or 100 % does not read so.
function percent(share) {
  const value = Math.round(share * 1e8) / 1e6; // sums of shares are all or none but for the last digits
  for (const [start, end, said] of [[0, 0.05, "< 0.1 %"], [99.95, 100, "> 99.9 %"], [100, 100.05, "> 100 %"]]) {
    if (start < value && value < end) return said;
  }
  const whole = value === 0 || value === 100 || (value >= 9.95 && value < 99.5) || value > 100.5;
  return `${value.toFixed(whole ? 0 : 1)} %`;
}

const taskName = (task, words) => words["task." + task] ?? task;
const rangeWords = (part) => `${part.low.toPrecision(3)} – ${part.high.toPrecision(3)}`;

function showBars(parent, part, task, words, limit = 5) {
  if (!part) {
    parent.replaceChildren(tag("p", { class: "ov-none" }, notYet(words, task)));
    return;
  }
  const order = part.probabilities.map((p, i) => [p, part.classes[i]]).sort((a, b) => b[0] - a[0]).slice(0, limit);
  if (part.known === false) order.unshift([null, { shown: words["viewer.none"] }]); // the answer comes first
  // Bars are kept and resized, so that a flip between stages is seen as a movement.
  while (parent.children.length > order.length || parent.querySelector(".ov-none")) parent.lastChild.remove();
  order.forEach(([p, c], i) => {
    let bar = parent.children[i];
    if (!bar) parent.append((bar = tag("div", { class: "ov-bar" }, tag("span"), tag("span"), tag("i"))));
    bar.children[0].textContent = c.shown;
    bar.children[1].textContent = p === null ? "" : percent(p);
    bar.children[2].hidden = p === null;
    bar.style.setProperty("--p", p ?? 0);
    bar.style.setProperty("--c", c.color);
  });
}

function notYet(words, task) {
  const name = taskName(task, words);
  return words["viewer.not_yet_full"].replace("{task}", name.charAt(0).toUpperCase() + name.slice(1));
}

function boxCount(words, count) {
  return count === 1 ? words["viewer.box_count_one"] : words["viewer.box_count"].replace("{count}", count);
}

function maskWords(part, words, limit = 3) {
  const said = part.shares.slice(0, limit).map(([index, share]) => `${part.classes[index].shown} ${percent(share)}`);
  return said.length ? said.join(", ") : words[part.specks ? "viewer.specks" : "viewer.background"];
}

function boxWords(boxes, all, words, threshold) {
  if (!boxes.length) {
    // Boxes that the threshold or a class hides are worth a word: else a shy network looks blind.
    if (!all.length) return boxCount(words, 0);
    const known = all[0].score >= threshold ? words["viewer.switched_off"] : words["viewer.best"];
    return `${boxCount(words, 0)} (${known} ${all[0].c.shown} ${all[0].score.toFixed(2)})`;
  }
  const first = boxes.slice(0, 2).map((b) => `${b.c.shown} ${b.score.toFixed(2)}`).join(", ");
  return `${boxCount(words, boxes.length)}: ${first}${boxes.length > 2 ? " …" : ""}`;
}

// What the bars' numbers can be read as, which depends on whether the network may say "none of these".
function barsHint(part, words) {
  if (!part) return "";
  const known = part.known ?? null, said = known === null ? "hint" : known ? "known" : "none";
  const numbers = { count: part.classes.length, certainty: part.certainty?.toFixed(2), least: part.least?.toFixed(2) };
  return fill(words[`viewer.bars_${said}`] + (numbers.least ? words["viewer.bars_cut"] : ""), numbers);
}

// A task's answer in a few words.
function partWords(part, visible, words, threshold) {
  if (part.kind === "label_map") return maskWords(part, words);
  if (part.kind === "boxes") return boxWords(visible(part), part.boxes, words, threshold);
  if (part.kind === "bars") {
    const top = { name: part.classes[best(part)].shown, share: percent(part.probabilities[best(part)]) };
    return part.known === false ? fill(words["viewer.none_closest"], top) : `${top.name} ${top.share}`;
  }
  return rangeWords(part);
}

function facts(stage, view, words) {
  const list = tag("dl", { class: "ov-facts" });
  for (const task of view.tasks) {
    const part = stage.parts[task];
    if (!part && !stage.number) continue;
    const text = part ? partWords(part, view.visible, words, view.threshold) : words["viewer.not_yet"];
    list.append(tag("dt", {}, taskName(task, words)), tag("dd", part ? {} : { class: "ov-not" }, text));
  }
  return list;
}

// Classes that stages show, those of masks first.
function presentClasses(stages, threshold) {
  const found = new Map();
  const note = (c) => found.has(c.name) || found.set(c.name, c);
  for (const kind of ["label_map", "boxes"]) for (const stage of stages) for (const part of Object.values(stage.parts)) {
    if (part.kind !== kind) continue;
    if (kind === "label_map") for (const [index] of part.shares) note(part.classes[index]);
    else for (const box of part.boxes) if (box.score >= threshold) note(box.c);
  }
  return [...found.values()];
}

// Classes that stages visibly show, in more than specks.
function drawnClasses(stages, view) {
  const found = new Map();
  const note = (c) => view.hidden.has(c.name) || found.has(c.name) || found.set(c.name, c);
  const parts = stages.flatMap((stage) => Object.values(stage.parts));
  if (view.shows.label_map && view.opacity) for (const part of parts.filter((p) => p.kind === "label_map"))
    for (const [index] of part.shares) note(part.classes[index]);
  if (view.shows.boxes) for (const part of parts.filter((p) => p.kind === "boxes")) view.visible(part).forEach((box) => note(box.c));
  return [...found.values()];
}

// A stage's answer, a line per task.
function answerLines(stage, view, words) {
  return Object.values(stage.parts).map((part) => {
    const said = partWords(part, view.visible, words, view.threshold);
    if (part.kind === "label_map") return fill(words["grid.pixels"], { said });
    if (part.kind === "bars") return fill(words["grid.whole"], { said });
    return part.kind === "boxes" ? said : `${taskName(part.task, words)} ${said}`;
  });
}

const savedName = (picture, sides, kind) => ["onehead", picture, ...new Set(sides.map((side) => side.run)), kind].join("-");
