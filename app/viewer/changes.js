// What one answer says otherwise than another, of the same image: the words beside the divider.
// Matching follows app/results/changes.py, which says the same to programs; a test holds both equal.

function overlap(a, b) {
  const wide = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), high = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (wide <= 0 || high <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return wide * high / (area(a) + area(b) - wide * high);
}

// One to one, best overlap first; the same class first, then any other.
function compareBoxes(before, after, matchIou, steadyIou) {
  const pairs = [];
  before.forEach((a, i) => after.forEach((b, j) => {
    const iou = overlap(a.xyxy, b.xyxy);
    if (iou >= matchIou) pairs.push({ i, j, iou, same: a.c.name === b.c.name });
  }));
  pairs.sort((p, q) => q.same - p.same || q.iou - p.iou);
  const freeBefore = new Set(before.keys()), freeAfter = new Set(after.keys());
  const found = { lost: [], renamed: [], shifted: [], found: [], kept: [] };
  for (const { i, j, iou, same } of pairs) {
    if (!freeBefore.has(i) || !freeAfter.has(j)) continue;
    freeBefore.delete(i);
    freeAfter.delete(j);
    found[!same ? "renamed" : iou >= steadyIou ? "kept" : "shifted"].push({ before: before[i], after: after[j], iou });
  }
  for (const i of freeBefore) found.lost.push({ before: before[i] });
  for (const j of freeAfter) found.found.push({ after: after[j] });
  return found;
}

// Pixels that changed class, the largest group first, as shares of the image; counted once a pair.
const counted = new WeakMap();
function compareMasks(a, b) {
  if (!counted.has(a)) counted.set(a, new Map());
  if (!counted.get(a).has(b)) counted.get(a).set(b, movedPixels(a, b));
  return counted.get(a).get(b);
}

function movedPixels(a, b) {
  const counts = new Uint32Array(65536), moved = new Map();
  for (let i = 0; i < a.ids.length; i++) counts[a.ids[i] * 256 + b.ids[i]]++;
  counts.forEach((count, pair) => {
    const before = a.classes[pair >> 8], after = b.classes[pair & 255];
    if (!count || !before || !after || before.name === after.name) return;
    const key = before.name + ">" + after.name, known = moved.get(key);
    moved.set(key, { before, after, share: (known ? known.share : 0) + count / a.ids.length });
  });
  return [...moved.values()].sort((x, y) => y.share - x.share);
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
const best = (part) => part.probabilities.indexOf(Math.max(...part.probabilities));

const movedShare = (moved) => moved.reduce((sum, m) => sum + m.share, 0);

function pixelWords(moved, words) {
  if (!moved.length) return words["changes.pixels_same"];
  return fill(words["changes.pixels"], { share: percent(movedShare(moved)) });
}

const topClass = (part) => (part.known === false ? null : part.classes[best(part)].name);
const sameTop = (a, b) => topClass(a) === topClass(b);

function topWords(a, b, words) {
  const share = (part) => percent(part.probabilities[best(part)]);
  if (sameTop(a, b) && b.known !== false) return fill(words["changes.top_same"], { name: b.classes[best(b)].shown, before: share(a), after: share(b) });
  return [a, b].map((part) => partWords(part, null, words)).join(" → ");
}

function chip(c, text) {
  return tag("span", { class: "ov-mark" }, tag("i", { style: `--c:${c.background ? "transparent" : c.color}` }), text);
}

// One section per task that either side was trained. Switched-off classes are not drawn, but count here.
function changesTable(before, after, counting, rules, tasks, words) {
  return tasks.map((task) => {
    const section = tag("section", {}, tag("h4", {}, words["task." + task] ?? task));
    const a = before.parts[task], b = after.parts[task];
    if (!a || !b) {
      if (!a && !b) return null;
      section.append(tag("p", { class: "ov-quiet" }, fill(words["changes.new_task"], { task: words["task." + task] ?? task })));
    } else if (a.kind === "boxes") {
      const found = compareBoxes(counting(a), counting(b), rules.match_iou, rules.steady_iou);
      const rows = Object.entries(found).filter(([, list]) => list.length).map(([kind, list]) => tag("tr", {},
        tag("th", { scope: "row" }, `${list.length} ${words["changes." + kind]}`),
        tag("td", {}, ...list.slice(0, 4).map((change) => boxChip(kind, change, words)),
          list.length > 4 ? fill(words["changes.and_more"], { count: list.length - 4 }) : "")));
      section.append(rows.length ? tag("table", {}, ...rows) : tag("p", {}, words["changes.no_boxes"]));
    } else if (a.kind === "label_map") {
      const moved = compareMasks(a, b);
      section.append(tag("p", {}, pixelWords(moved, words)));
      const row = (share, ...what) => tag("tr", {}, tag("td", {}, ...what), tag("td", { class: "ov-number" }, percent(share)));
      const rows = moved.slice(0, 4).map((m) => row(m.share, chip(m.before, m.before.shown), " → ", chip(m.after, m.after.shown)));
      if (moved.length > 4) rows.push(row(movedShare(moved.slice(4)), words["changes.others"]));
      if (rows.length) section.append(tag("table", {}, ...rows));
    } else if (a.kind === "bars") section.append(tag("p", {}, topWords(a, b, words)));
    else section.append(tag("p", {}, `${rangeWords(a)} → ${rangeWords(b)}`));
    return section;
  }).filter(Boolean);
}

function boxChip(kind, { before, after, iou }, words) {
  const box = before || after;
  if (kind === "renamed") return chip(after.c, fill(words["changes.box_renamed"], { before: before.c.shown, after: after.c.shown }));
  if (kind === "shifted") return chip(box.c, fill(words["changes.box_shifted"], { name: box.c.shown, iou: iou.toFixed(2) }));
  const score = (kind === "lost" ? before : after).score;
  return chip(box.c, fill(words["changes.box_row"], { name: box.c.shown, score: score.toFixed(2) }));
}

// The same in one line, for the space under a small image.
function changesLine(before, after, counting, rules, tasks, words) {
  const said = [];
  for (const task of tasks) {
    const a = before.parts[task], b = after.parts[task];
    if (!a || !b) continue;
    if (a.kind === "boxes") {
      const found = compareBoxes(counting(a), counting(b), rules.match_iou, rules.steady_iou);
      const counts = ["lost", "renamed", "shifted", "found"].filter((k) => found[k].length).map((k) => `${found[k].length} ${words["changes." + k]}`);
      if (counts.length) said.push(`${words["changes.boxes"]}: ${counts.join(", ")}`);
    } else if (a.kind === "label_map") said.push(pixelWords(compareMasks(a, b), words));
    else if (a.kind === "bars" && !sameTop(a, b)) said.push(topWords(a, b, words));
  }
  return said.join("; ") || words["changes.none"];
}
