// The grid: a row per run, a column per stage, drawn as the stage viewer beside it draws.

const all = element.querySelector(".oh-grid-all");
const part = (selector) => all.querySelector(selector);
const scratch = makeCanvas(1, 1);
let payload = null, image = null, columns = [], painted = null, waiting = 0, generation = 0;

const seen = () => window.oneHeadShown; // what is set beside the viewer
const stageAt = (row, number) => row.stages.find((stage) => stage.number === number);
const drawInto = (canvas, stage) => drawStages(canvas, image, payload.width, [[stage, 1]], seen(), scratch, Math.max(1.2, canvas.width / 280), null, [0, canvas.width]);

// Stage by stage a number and what was learned in it, by whichever runs.
function headsOf(rows) {
  const numbers = [...new Set(rows.flatMap((row) => row.stages.map((stage) => stage.number)))].sort((a, b) => a - b);
  return numbers.map((number) => {
    const tasks = new Set(rows.map((row) => stageAt(row, number)).filter(Boolean).map((stage) => taskName(stage.task, payload.words)));
    return { number, name: `${fill(payload.words["viewer.stage"], { number })}: ${[...tasks].join(" / ")}` };
  });
}

async function receive() {
  const next = structuredClone(props.value), mine = ++generation;
  if (!next?.rows) {
    all.hidden = true;
    if (payload) window.oneHeadAddress({ grid: "" }); // the last run was taken out of it
    payload = null;
    return;
  }
  const loaded = await loadImage(next.image);
  await Promise.all(next.rows.map(unpack));
  if (mine !== generation) return; // a newer answer has overtaken this one
  payload = next;
  image = loaded;
  const { words, rows } = payload;
  columns = headsOf(rows);
  all.dataset.viewed = payload.viewed;
  all.hidden = false;
  painted = null;
  part("h3").textContent = payload.title;
  part("button").textContent = words["grid.save"];
  part(".oh-quiet").textContent = payload.note;
  part("thead").replaceChildren(tag("tr", {}, tag("td"), ...columns.map(({ name }) => tag("th", { scope: "col" }, name))));
  part("tbody").replaceChildren(...rows.map((row) => tag("tr", {},
    tag("th", { scope: "row" }, row.method, tag("small", {}, row.run)),
    ...columns.map((column) => tag("td", {}, stageAt(row, column.number) ? figure(row, column) : tag("p", { class: "oh-quiet" }, words["grid.none"]))))));
  paint();
  window.oneHeadAddress({ grid: rows.map((row) => row.run).join(",") });
  window.dispatchEvent(new Event("onehead-grid"));
}

function figure(row, { number, name }) {
  const canvas = makeCanvas(420, Math.max(1, Math.round(420 * payload.height / payload.width)));
  canvas.setAttribute("role", "img");
  const buttons = ["left", "right"].map((side) => {
    const said = payload.words[`grid.${side}`];
    return tag("button", { type: "button", "data-side": side, "aria-label": `${said}: ${row.title}, ${name}` }, said);
  });
  return tag("figure", { "data-run": row.run, "data-number": number }, canvas, tag("figcaption", {}, tag("div"), tag("span", {}, ...buttons)));
}

// All that follows score, classes and opacity.
function paint() {
  if (!payload || all.hidden) return;
  const { rows, words } = payload, stages = rows.flatMap((row) => row.stages);
  const hidden = [...seen().hidden].join();
  for (const row of rows) {
    if (painted !== hidden) paintMaps(row, payload, seen().hidden);
    for (const stage of row.stages) {
      const cell = part(`figure[data-run="${CSS.escape(row.run)}"][data-number="${stage.number}"]`), canvas = cell.querySelector("canvas");
      const lines = answerLines(stage, seen(), words);
      drawInto(canvas, stage);
      canvas.setAttribute("aria-label", lines.join(", "));
      cell.querySelector("div").replaceChildren(...lines.map((line) => tag("p", {}, line)));
    }
  }
  painted = hidden;
  part(".oh-legend").replaceChildren(...drawnClasses(stages, seen()).map((c) => tag("li", { style: `--c:${c.color}` }, c.shown)));
}

function save() {
  const { rows, words } = payload;
  window.oneHeadSheet({
    heading: payload.title,
    note: payload.note,
    columns: columns.map(({ name }) => name),
    rows: rows.map((row) => ({ head: [row.method, row.run], cells: columns.map(({ number }) => {
      const stage = stageAt(row, number);
      return stage ? { draw: (canvas) => drawInto(canvas, stage), lines: answerLines(stage, seen(), words) } : { lines: [words["grid.none"]] };
    }) })),
    shape: payload.width / payload.height,
    legend: drawnClasses(rows.flatMap((row) => row.stages), seen()),
    name: savedName(payload.picture, rows, "grid.png"),
  });
}

// A cell's buttons put it to one side; the one above saves all cells.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const cell = button.closest("figure");
  if (!cell) return save();
  const { run, number } = cell.dataset, side = button.dataset.side, wanted = window.oneHeadWanted;
  if (side === "left") wanted.left = `${run}:${number}`; else wanted.run = run;
  trigger("select", { value: { side, run, number: Number(number) } });
});
window.addEventListener("onehead-view", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(paint);
});
watch("value", receive);
receive();
