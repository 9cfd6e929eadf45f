// The street's power over the last day, stacked by where it came from.

const KEPT_S = 24 * 3600;
const LEAST_S = 6 * 3600;
const BUCKET_S = 60;
const HEIGHT_PX = 260;

export class Chart {
  #host;
  #points = [];
  #plot = null;
  #zone = "UTC";
  #drawn = 0;
  #changed = 0;

  constructor(host) {
    this.#host = host;
    if (!window.uPlot) {
      host.textContent = "The chart's library is missing; build the package to have it.";
      return;
    }
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#again());
  }

  /** Takes the past from the server, as it may be longer than this page has been open, or another street's. */
  async load() {
    const answer = await fetch("/api/street/history").catch(() => null);
    if (!answer?.ok) return; // the stream's own error shows it
    const { points } = await answer.json();
    this.#points = points.map((point) => ({ ...point, at: Date.parse(point.time) / 1000 }));
    this.#changed += 1;
    this.show(this.#zone);
  }

  /** Adds a moment; moments of the same minute replace each other. */
  add(point) {
    const at = Date.parse(point.time) / 1000;
    const last = this.#points.at(-1);
    if (last && at < last.at) return;
    if (last && Math.floor(at / BUCKET_S) === Math.floor(last.at / BUCKET_S)) this.#points.pop();
    this.#points.push({ ...point, at });
    while (this.#points[0].at < at - KEPT_S) this.#points.shift();
    this.#changed += 1;
  }

  show(zone) {
    if (!window.uPlot || !this.#points.length) return;
    if (this.#drawn === this.#changed && zone === this.#zone) return;
    this.#drawn = this.#changed;
    if (!this.#plot || zone !== this.#zone) {
      this.#zone = zone;
      this.#again();
    } else this.#plot.setData(this.#columns());
  }

  #again() {
    if (!this.#points.length) return;
    this.#plot?.destroy();
    this.#plot = new window.uPlot(this.#options(), this.#columns(), this.#host);
  }

  /** Columns of the stack, the highest first, so that each lower one is drawn over it. */
  #columns() {
    const points = this.#points;
    return [
      points.map((point) => point.at),
      points.map((point) => point.consumed_w),
      points.map((point) => point.own_w + point.neighbours_w),
      points.map((point) => point.own_w),
    ];
  }

  #size() {
    return { width: Math.max(200, this.#host.clientWidth), height: HEIGHT_PX };
  }

  #options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const area = (label, name, key) => ({
      label,
      stroke: colour(name),
      width: 1.5,
      points: { show: false },
      // The stack's heights are sums; what is told is the layer's own.
      value: (plot, _, __, index) => watts(this.#points[index ?? this.#points.length - 1]?.[key]),
    });
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const layers = [area("Grid", "grid", "imported_w"), area("Neighbours", "neighbour", "neighbours_w"), area("Own", "own", "own_w")];
    layers[2].fill = colour("own-fill"); // the lowest layer; the others are bands above it
    const fills = [null, "grid-fill", "neighbour-fill", "own-fill"];
    return {
      ...this.#size(),
      tzDate: (at) => window.uPlot.tzDate(new Date(at * 1000), this.#zone),
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { live: true, markers: { width: 0, fill: (_, index) => fills[index] && colour(fills[index]) } },
      scales: { x: { range: () => this.#window() }, y: { range: (_, __, most) => [0, Math.max(100, (most ?? 0) * 1.08)] } },
      axes: [
        { ...axis, space: 64, size: 32, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1]] },
        { ...axis, size: 62, values: (_, ticks) => ticks.map(watts) },
      ],
      series: [{ label: "Time", value: (plot, at) => this.#hour(at) }, ...layers],
      bands: [
        { series: [1, 2], fill: colour("grid-fill") },
        { series: [2, 3], fill: colour("neighbour-fill") },
      ],
    };
  }

  #hour(at) {
    const shown = at ?? this.#points.at(-1)?.at;
    if (!shown) return "–";
    const format = { timeZone: this.#zone, weekday: "short", hour: "2-digit", minute: "2-digit" };
    return new Intl.DateTimeFormat("en-GB", format).format(new Date(shown * 1000));
  }

  #window() {
    const [first, last] = [this.#points[0].at, this.#points.at(-1).at];
    return [Math.max(first, last - KEPT_S), Math.max(last, first + LEAST_S)];
  }
}

function watts(w) {
  if (w === undefined || w === null) return "–";
  return w < 1000 ? `${Math.round(w)} W` : `${(w / 1000).toFixed(1)} kW`;
}
