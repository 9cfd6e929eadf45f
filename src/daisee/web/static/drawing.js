// The street as a drawing: homes in rows below their wires, the grid as a pylon, and energy as dashes that move along.
//
// Each row has lanes above its roofs: the first for what comes from the grid, the second for what goes there, the rest for
// what neighbours sell each other. A flow goes up from its home, along its lane and down; it never crosses a house.

import { chargeLevel, feedOf, feedWords } from "./cards.js";
import { put, say, shape } from "./dom.js";
import { percent, power, shorten } from "./format.js";

const ROW_PX = 214;
const ROOF_PX = 78;
const LANE_PX = 9;
const GRID_IN = 0;
const GRID_OUT = 1;
const FIRST_TRADE = 2;
const TRADE_LANES = 4;
const CORNER_PX = 7;
const DASH_PX = 15; // one dash and one gap, as in the style sheet
const TIGHT_PX = 112; // a tile that leaves no room for the battery's figure

const lane = (index) => 10 + LANE_PX * index;

export class Drawing {
  #host;
  #svg = null;
  #shape = "";
  #houses = new Map();
  #flows = new Map();
  #view = null;
  #solar = new Set();

  constructor(host) {
    this.#host = host;
    new ResizeObserver(() => this.#view && this.show(this.#view)).observe(host);
  }

  show(view) {
    this.#view = view;
    const plan = layOut(view.homes, this.#host.clientWidth);
    const drawn = JSON.stringify([plan.width, plan.columns, view.homes.map((home) => home.home)]);
    if (drawn !== this.#shape) {
      this.#shape = drawn;
      this.#build(view.homes, plan);
    }
    for (const home of view.homes) {
      if (home.production_w) this.#solar.add(home.home);
      this.#houses.get(home.home).show(home, this.#solar.has(home.home));
    }
    this.#showGrid(view.flows);
    this.#showFlows(view.flows, plan);
    put(this.#host, "data-hours", hoursOf(view));
  }

  #build(homes, plan) {
    this.#houses.clear();
    this.#flows.clear();
    this.#svg = shape("svg", { viewBox: `0 0 ${plan.width} ${plan.height}`, width: plan.width, height: plan.height, role: "group", "aria-label": "The homes and what flows between them" });
    this.#svg.append(shape("defs", {}, ...["neighbour", "grid", "export"].map(arrow)), ...wires(plan));
    this.#svg.append((this.moving = shape("g", { class: "flows", "aria-hidden": "true" })));
    this.#svg.append((this.pylon = pylon(plan.pylon)));
    homes.forEach((home, index) => {
      const house = new House(home, index, plan.places.get(home.home), plan.tile);
      this.#houses.set(home.home, house);
      this.#svg.append(house.root);
    });
    this.#host.replaceChildren(this.#svg);
  }

  #showGrid(flows) {
    const sum = (end) => flows.reduce((total, flow) => total + (flow[end] === "grid" ? flow.power_w : 0), 0);
    say(this.pylon.querySelector(".grid-in"), power(sum("from")));
    say(this.pylon.querySelector(".grid-out"), power(sum("to")));
  }

  #showFlows(flows, plan) {
    const known = flows.filter((flow) => [flow.from, flow.to].every((end) => end === "grid" || plan.places.has(end)));
    const lanes = lanesOf(known, plan);
    const gone = new Set(this.#flows.keys());
    for (const flow of known) {
      const key = JSON.stringify([flow.from, flow.to]);
      gone.delete(key);
      const kind = flow.from === "grid" ? "grid" : flow.to === "grid" ? "export" : "neighbour";
      let path = this.#flows.get(key);
      if (!path) {
        path = shape("path", { class: "flow", "data-kind": kind, "marker-end": `url(#arrow-${kind})` });
        this.#flows.set(key, path);
        this.moving.append(path);
      }
      follow(path, rounded(routeOf(flow, plan, lanes.get(key))), kind);
      put(path, "stroke-width", Math.min(6, 1.8 + 4 * Math.sqrt(flow.power_w / 4000)).toFixed(1));
    }
    for (const key of gone) {
      this.#flows.get(key).remove();
      this.#flows.delete(key);
    }
  }
}

/** Lays a flow along a route. What flows out meets at the grid, so that its dashes are counted from that end. */
function follow(path, route, kind) {
  if (path.getAttribute("d") === route) return;
  path.setAttribute("d", route);
  if (kind === "export") path.style.setProperty("--start", `${-(path.getTotalLength() % DASH_PX).toFixed(1)}px`);
}

/** Where everything stands for a width: as many columns as are legible, rows as equal as they can be. */
function layOut(homes, hostWidth) {
  const width = Math.max(280, Math.floor(hostWidth));
  const narrow = width < 560;
  const left = narrow ? 66 : 92;
  const right = narrow ? 34 : 36;
  const least = narrow ? (homes.length > 8 ? 82 : 116) : 138;
  const most = Math.max(1, Math.floor((width - left - right) / least));
  const rows = Math.max(1, Math.ceil(homes.length / most));
  const columns = Math.max(1, Math.ceil(homes.length / rows));
  const tile = (width - left - right) / columns;
  const places = new Map(
    homes.map((home, index) => [
      home.home,
      { x: left + tile * ((index % columns) + 0.5), y: ROW_PX * Math.floor(index / columns), row: Math.floor(index / columns) },
    ]),
  );
  return { width, height: rows * ROW_PX, rows, columns, left, tile, places, pylon: { x: narrow ? 25 : 38 }, bus: left - 14, gutter: width - 8 };
}

function wires(plan) {
  const made = [];
  for (let row = 0; row < plan.rows; row += 1) {
    const y = ROW_PX * row;
    const right = Math.max(plan.bus, ...[...plan.places.values()].filter((place) => place.row === row).map((place) => place.x));
    const start = row === 0 ? plan.pylon.x + 14 : plan.bus;
    made.push(shape("path", { class: "wire", d: `M${start},${y + lane(GRID_IN)}H${right}` }));
    made.push(shape("path", { class: "ground", d: `M${plan.left - 6},${y + 160.5}H${plan.width - 6}` }));
  }
  if (plan.rows > 1) made.push(shape("path", { class: "wire", d: `M${plan.bus},${lane(GRID_IN)}V${ROW_PX * (plan.rows - 1) + lane(GRID_IN)}` }));
  for (const { x, y } of plan.places.values()) made.push(shape("path", { class: "wire", d: `M${x},${y + lane(GRID_IN)}V${y + ROOF_PX}` }));
  return made;
}

function arrow(kind) {
  const tip = shape("path", { d: "M0,0.5 L8,4 L0,7.5 Z", class: "arrow", "data-kind": kind });
  return shape("marker", { id: `arrow-${kind}`, markerUnits: "userSpaceOnUse", markerWidth: 9, markerHeight: 8, refX: 6, refY: 4, orient: "auto" }, tip);
}

function pylon({ x }) {
  const legs = `M${x - 13},118 L${x - 4},30 L${x},4 L${x + 4},30 L${x + 13},118 M${x - 16},14 H${x + 16} M${x - 13},30 H${x + 13} M${x - 5},46 L${x + 7},68 M${x + 5},46 L${x - 7},68 M${x - 7},68 L${x + 11},96 M${x + 7},68 L${x - 11},96 M${x - 11},96 L${x + 13},118 M${x + 11},96 L${x - 13},118`;
  const words = (name, y, text = "") => shape("text", { class: name, x, y, "text-anchor": "middle" }, text);
  return shape("g", { class: "pylon" }, shape("path", { d: legs }), words("grid-name", 134, "Grid"), words("grid-word", 149, "gives"), words("grid-in", 162), words("grid-word", 178, "takes"), words("grid-out", 191));
}

/** Gives each trade the lowest lane in which it meets no other, or shares one where there are too many. */
function lanesOf(flows, plan) {
  const taken = [];
  const lanes = new Map();
  for (const flow of flows) {
    const key = JSON.stringify([flow.from, flow.to]);
    if (flow.from === "grid" || flow.to === "grid") continue;
    const spans = spansOf(plan.places.get(flow.from), plan.places.get(flow.to), plan);
    const meets = (index) => taken.some((other) => other.index === index && spans.some((mine) => mine.row === other.row && mine.from < other.to && other.from < mine.to));
    let index = 0;
    while (index < TRADE_LANES && meets(index)) index += 1;
    index %= TRADE_LANES;
    lanes.set(key, index);
    taken.push(...spans.map((span) => ({ ...span, index })));
  }
  return lanes;
}

function spansOf(from, to, plan) {
  const span = (row, a, b) => ({ row, from: Math.min(a, b) - 12, to: Math.max(a, b) + 12 });
  if (from.row === to.row) return [span(from.row, from.x, to.x)];
  return [span(from.row, from.x, plan.gutter), span(to.row, to.x, plan.gutter)];
}

function routeOf(flow, plan, trade) {
  if (flow.from === "grid") {
    const home = plan.places.get(flow.to);
    const y = home.y + lane(GRID_IN);
    return [[plan.pylon.x + 14, lane(GRID_IN)], [home.row ? plan.bus : home.x, lane(GRID_IN)], [home.row ? plan.bus : home.x, y], [home.x, y], [home.x, home.y + ROOF_PX]];
  }
  const seller = plan.places.get(flow.from);
  if (flow.to === "grid") {
    const y = seller.y + lane(GRID_OUT);
    const bus = plan.bus + 8;
    return [[seller.x, seller.y + ROOF_PX], [seller.x, y], [seller.row ? bus : plan.pylon.x + 16, y], [seller.row ? bus : plan.pylon.x + 16, lane(GRID_OUT)], [plan.pylon.x + 16, lane(GRID_OUT)]];
  }
  const buyer = plan.places.get(flow.to);
  const up = [seller.x + 12, seller.y + ROOF_PX];
  const down = [buyer.x - 12, buyer.y + ROOF_PX];
  const [out, back] = [seller.y, buyer.y].map((y) => y + lane(FIRST_TRADE + trade));
  if (seller.row === buyer.row) return [up, [up[0], out], [down[0], back], down];
  const gutter = plan.gutter - 6 * trade;
  return [up, [up[0], out], [gutter, out], [gutter, back], [down[0], back], down];
}

/** A path through points with its corners rounded off. */
function rounded(points) {
  const path = points.filter(([x, y], index) => !index || x !== points[index - 1][0] || y !== points[index - 1][1]);
  const toward = ([x, y], [u, v]) => {
    const length = Math.hypot(u - x, v - y);
    const step = Math.min(CORNER_PX, length / 2) / length;
    return `${(x + (u - x) * step).toFixed(1)},${(y + (v - y) * step).toFixed(1)}`;
  };
  const turns = path.slice(1, -1).map((corner, index) => `L${toward(corner, path[index])}Q${corner},${toward(corner, path[index + 2])}`);
  return `M${path[0]}${turns.join("")}L${path.at(-1)}`;
}

class House {
  constructor(home, index, { x, y }, tile) {
    const text = (name, dx, dy, anchor = "middle") => shape("text", { class: name, x: dx, y: dy, "text-anchor": anchor });
    this.letters = Math.max(8, Math.floor((tile - 6) / 7.6));
    this.power = text("house-power", 0, 148);
    this.feed = text("house-feed", 0, 196);
    this.made = text("house-made", 34, 71, "start");
    this.sun = shape("circle", { class: "sun", cx: 25, cy: 67, r: 4.5 });
    this.panels = shape("path", { class: "panels", d: "M-22,84H22L26,101H-26ZM-24,92.5H24M-8,84L-9,101M8,84L9,101" });
    this.level = shape("rect", { class: "battery-fill", x: 44, width: 9 });
    this.charge = text("house-charge", 42, 115, "start");
    this.tight = tile < TIGHT_PX;
    this.battery = shape("g", { class: "battery", transform: this.tight ? "translate(-6,0)" : "translate(5,0)" }, shape("path", { d: "M46.5,122V119.5H50.5V122M42,122H55V160H42Z" }), this.level, ...(this.tight ? [] : [this.charge]));
    const name = text("house-name", 0, 180);
    name.append(shorten(home.home, this.letters));
    this.root = shape(
      "a",
      { href: `#home-${index}`, class: "house", transform: `translate(${x.toFixed(1)},${y})` },
      shape("rect", { class: "house-hit", x: -tile / 2 + 2, y: 60, width: tile - 4, height: 146, rx: 10 }),
      shape("path", { class: "body", d: "M-34,106H34V160H-34Z" }),
      shape("path", { class: "roof", d: "M-33,78H33L43,107H-43Z" }),
      this.panels,
      shape("path", { class: "windows", d: "M-25,114H-11V127H-25ZM-7,114H7V127H-7ZM11,114H25V127H11Z" }),
      this.sun,
      this.made,
      this.battery,
      this.power,
      name,
      this.feed,
    );
  }

  show(home, solar) {
    const makes = solar && home.production_w >= 1;
    put(this.root, "data-feed", feedOf(home));
    put(this.root, "data-note", home.note ? "yes" : null);
    put(this.root, "data-sun", solar ? (makes ? "up" : "down") : null);
    say(this.power, power(home.consumption_w));
    say(this.made, makes ? power(home.production_w) : "");
    const words = this.tight ? feedWords(home).replace(/^from the /, "the ") : feedWords(home);
    say(this.feed, shorten(home.note ?? words, this.letters + 2));
    const charge = home.state_of_charge;
    put(this.root, "data-battery", charge === null ? null : chargeLevel(charge));
    if (charge !== null) {
      put(this.level, "height", (35 * charge).toFixed(1));
      put(this.level, "y", (158.5 - 35 * charge).toFixed(1));
      say(this.charge, percent(charge));
    }
    const battery = charge === null ? "" : `, battery at ${percent(charge)}`;
    const made = makes ? `, makes ${power(home.production_w)}` : "";
    put(this.root, "aria-label", `${home.home} uses ${power(home.consumption_w)}, ${feedWords(home)}${made}${battery}${home.note ? `, ${home.note}` : ""}`);
  }
}

/** The hours of the day that the sky behind the street shows. */
function hoursOf(view) {
  let hour;
  try {
    hour = Number(new Intl.DateTimeFormat("en-GB", { timeZone: view.zone, hour: "2-digit", hourCycle: "h23" }).format(new Date(view.now)));
  } catch {
    hour = new Date(view.now).getUTCHours();
  }
  if (hour < 5 || hour >= 22) return "night";
  if (hour < 8) return "dawn";
  return hour < 18 ? "day" : "dusk";
}
