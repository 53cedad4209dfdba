// Figures by keyboard: Tab reaches a figure, arrows go through its marks and cells and show what each
// says, Enter does what a click on it does.
(() => {
  const marks = (plot) => [...plot.querySelectorAll(".scatterlayer .trace .point, .barlayer .point path, .violinlayer path.violin")]
    .concat(plot.querySelector(".heatmaplayer") ? [...plot.querySelectorAll(".annotation-text-g")] : [])
    .filter((mark) => mark.getBoundingClientRect().width);
  const point = (plot, mark) => {
    const box = mark.getBoundingClientRect(), drag = plot.querySelector(".nsewdrag");
    const place = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true, view: window };
    for (const kind of ["mouseover", "mousemove"]) drag?.dispatchEvent(new MouseEvent(kind, place));
    drag?.dispatchEvent(new PointerEvent("pointerover", place)); // whoever listens to clicks wakes up
  };
  const told = (plot) => [...plot.querySelectorAll(".hoverlayer .hovertext")].map((text) => text.textContent).join(" · ");
  const name = (plot) => plot.closest(".block")?.id ? document.querySelector(`.oh-tools[data-plot="${CSS.escape(plot.closest(".block").id)}"]`)?.dataset.title : "";

  new MutationObserver(() => document.querySelectorAll(".js-plotly-plot:not([tabindex])").forEach((plot) => {
    plot.tabIndex = 0;
    plot.setAttribute("role", "application");
  })).observe(document.documentElement, { childList: true, subtree: true });

  document.addEventListener("focusin", ({ target }) => {
    if (target.matches?.(".js-plotly-plot") && name(target)) target.setAttribute("aria-label", name(target));
  });
  document.addEventListener("keydown", (event) => {
    const plot = event.target.closest?.(".js-plotly-plot");
    if (!plot) return;
    const all = marks(plot), step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const now = Number(plot.dataset.mark ?? -1);
    if (!all.length || (!step && event.key !== "Enter")) return;
    event.preventDefault();
    if (event.key === "Enter") return plot._hoverdata && plot.emit("plotly_click", { points: plot._hoverdata });
    plot.dataset.mark = now < 0 ? (step > 0 ? 0 : all.length - 1) : (now + step + all.length) % all.length;
    const mark = all[plot.dataset.mark];
    mark.scrollIntoView({ block: "nearest" });
    point(plot, mark);
    setTimeout(() => plot.setAttribute("aria-label", `${name(plot) || ""}: ${told(plot)}`), 150);
  });
})();
