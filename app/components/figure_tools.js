// The figure's own button for saving is asked, with title, run and date put into the copy that it
// makes at once; the page's colours reach figures by a style sheet that no file would have.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-format]");
  if (!button) return;
  const box = button.closest(".oh-tools"), { plot, title, note, file, csv } = box.dataset;
  const format = button.dataset.format;
  if (format === "csv") {
    const blob = new Blob([csv], { type: "text/csv" });
    return window.oneHeadSave(URL.createObjectURL(blob), file + ".csv");
  }
  const graph = document.querySelector(`#${plot} .js-plotly-plot`);
  const save = graph._fullLayout._modeBar.buttons.flat().find((b) => /^toImage/.test(b.name));
  const dark = document.body.classList.contains("dark");
  const shown = graph.layout, room = graph.getBoundingClientRect(), ink = dark ? "#E5E7EB" : "#1F2937";
  const head = `<b>${title}</b><br><span style="font-size:12px">${note}</span>`;
  const margin = { ...shown.margin, t: (shown.margin?.t || 40) + 56 };
  graph.layout = {
    ...shown, margin, height: room.height + 56, font: { ...shown.font, color: ink },
    paper_bgcolor: dark ? "#0B0F19" : "#FFFFFF",
    title: { text: head, x: 0.01, xanchor: "left", y: 0.98, yanchor: "top", yref: "container", automargin: false, font: { size: 16, color: ink } },
    annotations: (shown.annotations || []).map((a) => ({ ...a, font: { color: ink, ...a.font } })),
  };
  graph._context.toImageButtonOptions = { format, filename: file, width: room.width, height: room.height + 56, scale: format === "svg" ? 1 : 2 };
  try { save.click(graph); } finally { graph.layout = shown; }
});
