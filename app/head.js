(() => {
  // Gradio speaks the browser's language and has no public way to change it from outside, so its
  // locale module is asked, found by the name it was loaded under; says whether it could be.
  window.oneHeadSpeak = async (language) => {
    document.documentElement.lang = language;
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = loaded.find((name) => /\/assets\/core-[^/]*\.js$/.test(name));
    try {
      (await import(core)).changeLocale(language);
      return true;
    } catch {
      return false;
    }
  };
  // The address follows the page: what is empty leaves it. A change of one of ``steps`` is a step
  // that Back undoes, everything else takes the place of what stood there.
  window.oneHeadAddress = (state, steps = []) => {
    const there = new URL(window.location.href), known = there.searchParams;
    const stepped = steps.some((key) => known.has(key) && (state[key] || "") !== known.get(key));
    known.delete("right"); // an old name of run and stage
    for (const [key, value] of Object.entries(state)) value ? known.set(key, value) : known.delete(key);
    if (there.href !== window.location.href) history[stepped ? "pushState" : "replaceState"](history.state, "", there);
  };
  window.oneHeadTab = () => {
    const chosen = document.querySelector("#tabs [role=tab][aria-selected=true]");
    const tab = chosen?.getAttribute("aria-controls")?.replace("tab-", "");
    if (tab) window.oneHeadAddress({ tab }, ["tab"]);
  };
  // Back goes to a tab, a run or a stage in place; another image or side is loaded anew.
  window.addEventListener("popstate", () => {
    const asked = new URLSearchParams(window.location.search), seen = window.oneHeadView || {};
    document.querySelector(`#tabs [role=tab][aria-controls="tab-${CSS.escape(asked.get("tab") || "compare")}"]`)?.click();
    const differs = (key) => (asked.get(key) || "") !== String(seen[key] || "");
    if (["left", "example", "annotated"].some(differs)) return window.location.reload();
    const run = document.querySelector(`#run input[value="${CSS.escape(asked.get("run") || "")}"]`);
    if (differs("run") && run) run.click();
    else if (differs("stage")) window.dispatchEvent(new CustomEvent("onehead-stage", { detail: Number(asked.get("stage")) }));
  });
  // Rows of drawings under column heads and behind row heads, with lines of words and the colours'
  // names, as one PNG for a slide of 1920 x 1080 that is saved at once; the drawings are as large as
  // fits, words beside or below them. What is wider than its room goes on in the next line; many
  // rows make it longer. ``shape`` is a drawing's width over its height; ``draw`` fills a canvas.
  window.oneHeadSheet = ({ heading, note = "", columns = [], rows, shape, legend = [], name }) => {
    const wide = 1920, high = 1080, gap = 20, line = 27, sheet = document.createElement("canvas"), context = sheet.getContext("2d");
    const font = (weight, px) => { context.font = `${weight} ${px}px system-ui, "Noto Sans TC", sans-serif`; };
    const wrapped = (weight, px, text, width) => {
      font(weight, px);
      return text.split(/(?<=[\s_-])(?!%)|(?=[(\u3000-\u9fff])/).reduce((lines, word) => {
        const longer = lines.at(-1) + word;
        if (lines.at(-1) && context.measureText(longer.trimEnd()).width > width) return [...lines, word];
        return [...lines.slice(0, -1), longer];
      }, [""]).filter(Boolean);
    };
    const count = Math.max(...rows.map((row) => row.cells.length)), head = rows.some((row) => row.head) ? 250 : 0;
    const said = rows.some((row) => row.cells.some((cell) => cell.lines.length));
    // What stands around the drawings, where the sheet is this wide and a column that.
    const around = (width, column) => {
      font(400, 22);
      let end = gap, below = legend.length ? 34 : 0;
      const marks = legend.map(({ color, shown }) => {
        const length = context.measureText(shown).width + 54;
        if (end + length > width && end > gap) { end = gap; below += 34; }
        end += length;
        return { color, shown, x: end - length, y: below };
      });
      const titles = columns.map((text) => wrapped(600, 28, text, column));
      const top = { heading: wrapped(600, 36, heading, width - 2 * gap), note: wrapped(400, 22, note, width - 2 * gap) };
      const start = gap + 46 * top.heading.length + 30 * top.note.length + 36 * Math.max(0, ...titles.map((lines) => lines.length)) + 8;
      return { ...top, titles, marks, start, rest: below + 44 };
    };
    const most = Math.floor((wide - 2 * gap - head - gap * (count - 1)) / count), first = around(wide, most);
    const room = Math.max(220, (high - first.start - first.rest) / rows.length - gap);
    const fits = (tall, beside) => {
      const width = tall * shape, text = beside ? most - width - 12 : most;
      if (width > most || (said && text < 190)) return null;
      const cells = rows.map((row) => row.cells.map((cell) => cell.lines.flatMap((words) => wrapped(400, 22, words, text))));
      const heights = cells.map((row) => Math.max(...row.map((lines) => beside ? Math.max(tall, line * lines.length) : tall + line * lines.length)));
      return { width: Math.round(width), tall: Math.round(tall), beside, cells, heights, fit: Math.max(...heights) <= room + 1 };
    };
    let chosen = null;
    for (let tall = room; tall >= 120 && !chosen; tall -= 4) chosen = [true, false].map((beside) => fits(tall, beside)).find((one) => one?.fit);
    const tall = Math.min(220, most / shape);
    chosen ??= fits(tall, true) ?? fits(tall, false);
    const column = said ? most : chosen.width;
    sheet.width = Math.max(960, 2 * gap + head + count * (column + gap) - gap);
    const { titles, marks, start, rest, ...top } = around(sheet.width, column);
    sheet.height = start + chosen.heights.reduce((a, b) => a + b + gap, 0) + rest;
    context.fillStyle = "#fff"; context.fillRect(0, 0, sheet.width, sheet.height);
    context.fillStyle = "#111"; context.textBaseline = "middle";
    const write = (weight, px, lines, x, y, step) => { font(weight, px); lines.forEach((text, k) => context.fillText(text, x, y + step * k)); };
    write(600, 36, top.heading, gap, gap + 20, 46);
    write(400, 22, top.note, gap, gap + 46 * top.heading.length + 12, 30);
    const across = (k) => gap + head + k * (column + gap);
    titles.forEach((lines, k) => write(600, 28, lines, across(k), start - 8 - 36 * lines.length + 16, 36));
    let y = start;
    rows.forEach((row, i) => {
      if (row.head) {
        const method = wrapped(600, 28, row.head[0], head - gap);
        write(600, 28, method, gap, y + 18, 34);
        write(400, 20, wrapped(400, 20, row.head[1], head - gap), gap, y + 18 + 34 * method.length, 26);
      }
      row.cells.forEach((cell, k) => {
        if (cell.draw) {
          const drawing = document.createElement("canvas");
          [drawing.width, drawing.height] = [chosen.width, chosen.tall];
          cell.draw(drawing);
          context.drawImage(drawing, across(k), y);
        }
        const [right, down] = !cell.draw ? [0, 0] : chosen.beside ? [chosen.width + 12, 0] : [0, chosen.tall];
        write(400, 22, chosen.cells[i][k], across(k) + right, y + down + 14, line);
      });
      y += chosen.heights[i] + gap;
    });
    for (const mark of marks) {
      context.fillStyle = mark.color; context.fillRect(mark.x, y + mark.y - 30, 20, 20);
      context.fillStyle = "#111"; write(400, 22, [mark.shown], mark.x + 28, y + mark.y - 19, line);
    }
    font(400, 18); context.fillStyle = "#555";
    context.fillText(`OneHead · ${new Date().toISOString().slice(0, 10)}`, gap, sheet.height - 20);
    sheet.toBlob((blob) => window.oneHeadSave(URL.createObjectURL(blob), name));
  };
  window.oneHeadSave = (href, name) => {
    const link = document.createElement("a");
    link.href = href; link.download = name;
    document.body.append(link); link.click(); link.remove();
  };
  // Gradio names every radio by itself, so browsers take it for a choice of its own. Arrow keys go
  // through tabs and choices all the same, and of a choice the chosen one alone is a stop of Tab.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") for (const group of document.querySelectorAll("fieldset")) {
      const all = [...group.querySelectorAll("input[type=radio]")], stop = all.find((radio) => radio.checked) || all[0];
      for (const radio of all) radio.tabIndex = radio === stop ? 0 : -1;
    }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const group = event.target.closest?.("#tabs [role=tablist], fieldset");
    const one = event.target.closest?.("[role=tab], input[type=radio]");
    if (!step || !group || !one) return;
    const all = [...group.querySelectorAll("[role=tab], input[type=radio]")].filter((e) => e.getClientRects().length && !e.disabled);
    const next = all[(all.indexOf(one) + step + all.length) % all.length];
    event.preventDefault();
    next.focus();
    next.click();
  });
  // Titles are headings for screen readers, too.
  new MutationObserver(() => document.querySelectorAll(".prose.oh-title:not([role])").forEach((title) => {
    title.setAttribute("role", "heading");
    title.setAttribute("aria-level", "2");
  })).observe(document.documentElement, { childList: true, subtree: true });
  // Where the row of runs is wider than the page, the chosen one is in sight.
  const inRow = () => {
    const one = document.querySelector("#run label.selected"), row = one?.parentElement; // Gradio has other .wrap
    if (one) row.scrollLeft += one.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - one.clientWidth) / 2;
  };
  window.addEventListener("onehead-run", inRow);
  // Where the address names a run, none looks chosen before that one is.
  const opened = () => document.documentElement.classList.remove("oh-opening");
  document.documentElement.classList.toggle("oh-opening", new URLSearchParams(window.location.search).has("run"));
  for (const kind of ["onehead-run", "input"]) window.addEventListener(kind, opened, { once: true });
  // The address may name a tab: it is opened as soon as it stands, before a hand chooses another.
  const tab = new URLSearchParams(window.location.search).get("tab");
  const opening = tab && tab !== "compare" && setInterval(() => {
    const button = document.querySelector(`#tabs [role=tab][aria-controls="tab-${CSS.escape(tab)}"]`);
    if (button || performance.now() > 60000) clearInterval(opening);
    button?.click();
  }, 50);
  // The address may name a language.
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (asked === "en" || asked === "zh-TW") window.oneHeadSpeak(asked);
})();
