// The figure's own button for saving is asked, with title, run and date put into the copy that it
// makes at once; the page's colours reach figures by a style sheet that no file would have.
const drawn = async (plot) => {
  for (;;) {
    const graph = document.querySelector(`#${plot} .js-plotly-plot`);
    if (graph?._fullLayout?._modeBar) return graph;
    await new Promise(requestAnimationFrame);
  }
};
// As the style sheet's filter lightens what is drawn in the colours of tasks on a dark page.
const lightened = (graph) => {
  const by = Number(getComputedStyle(graph.querySelector(".scatterlayer") || graph).filter.match(/brightness\((.+)\)/)?.[1] || 1);
  const part = (text) => Math.min(255, Math.round(parseInt(text, 16) * by)).toString(16).padStart(2, "0");
  return (style) => style && JSON.parse(JSON.stringify(style).replace(/#[0-9a-f]{6}\b/gi, (color) => "#" + color.match(/[0-9a-f]{2}/gi).map(part).join(""))
    .replace(/rgba\((\d+),(\d+),(\d+),/g, (_, ...rgb) => `rgba(${rgb.slice(0, 3).map((c) => Math.min(255, Math.round(c * by)))},`));
};
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-format]");
  if (!button) return;
  const box = button.closest(".oh-tools"), { plot, title, note, file, csv } = box.dataset;
  const format = button.dataset.format;
  if (format === "csv") {
    const blob = new Blob([csv], { type: "text/csv" });
    return window.oneHeadSave(URL.createObjectURL(blob), file + ".csv");
  }
  const graph = await drawn(plot), light = lightened(graph);
  const save = graph._fullLayout._modeBar.buttons.flat().find((b) => /^toImage/.test(b.name));
  const dark = document.body.classList.contains("dark");
  const { data, layout: shown } = graph, room = graph.getBoundingClientRect(), ink = dark ? "#E5E7EB" : "#1F2937";
  const margin = { ...shown.margin, t: graph._fullLayout._size.t + 56 }, height = room.height + 56;
  graph.data = data.map((trace) => ({ ...trace, line: light(trace.line), marker: light(trace.marker), fillcolor: light(trace.fillcolor) }));
  graph.layout = {
    ...shown, margin, height, font: { ...shown.font, color: ink },
    paper_bgcolor: dark ? "#0B0F19" : "#FFFFFF",
    title: {
      text: `<b>${title}</b>`, subtitle: { text: note, font: { size: 12, color: ink } }, font: { size: 16, color: ink },
      x: 0.01, xanchor: "left", y: 1 - 26 / height, yanchor: "bottom", yref: "container", automargin: false,
    },
    annotations: (shown.annotations || []).map((a) => ({ ...a, font: { color: ink, ...light(a.font) } })),
  };
  graph._context.toImageButtonOptions = { format, filename: file, width: room.width, height, scale: format === "svg" ? 1 : 2 };
  try { save.click(graph); } finally { Object.assign(graph, { data, layout: shown }); }
});
