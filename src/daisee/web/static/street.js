// The page of a street: takes each view that the server sends and has it drawn, once a frame at most.

import { Chart } from "./chart.js";
import { Cards } from "./cards.js";
import { byId, put, say } from "./dom.js";
import { Drawing } from "./drawing.js";
import { age, count, energy, percent, power, wallClock } from "./format.js";
import { Transactions } from "./transactions.js";

const AGAIN_MS = 2000;

const drawing = new Drawing(byId("drawing"));
const cards = new Cards(byId("homes"));
const chart = new Chart(byId("chart"));
const transactions = new Transactions();

let newest = null;
let waiting = false;
let clock = wallClock("UTC");
let connection = "waiting";

function show(view) {
  newest = view;
  if (view.power) chart.add(view.power);
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw(newest);
  });
}

function draw(view) {
  clock = wallClock(view.zone);
  head(view);
  drawing.show(view);
  cards.show(view, clock);
  today(view.today);
  chart.show(clock.timeZone);
  transactions.show(view, clock);
  chain(view.chain);
  say(byId("summary"), summary(view));
}

function head(view) {
  const now = new Date(view.now);
  document.title = `${view.title} · DAISEE`;
  say(byId("title"), view.title);
  say(byId("date"), clock.day(now));
  say(byId("clock"), clock.minute(now));
  say(byId("speed"), view.speed ? `${count(Math.round(view.speed))} × life` : "as it comes");
  say(byId("block"), count(view.chain.block));
  const sealed = view.chain.block_time && new Date(view.chain.block_time);
  say(byId("block-age"), sealed ? age((now - sealed) / 1000) : "");
  const ended = byId("ended");
  say(ended, view.running ? "" : "The data has ended, and the street stands still. Stop it with Ctrl-C in its terminal.");
  ended.hidden = view.running;
  badge();
}

function badge() {
  const ended = newest !== null && !newest.running && connection === "live";
  const state = ended ? "ended" : connection;
  const words = { waiting: "Connecting", live: "Live", ended: "Ended", lost: "Connection lost, trying again" };
  put(byId("live"), "data-state", state);
  say(byId("live"), words[state]);
}

function today(sums) {
  say(byId("self-sufficiency"), percent(sums.self_sufficiency));
  say(byId("today-consumed"), energy(sums.consumed_wh));
  const parts = { own: sums.own_wh, drawn: sums.drawn_wh, imported: sums.imported_wh };
  const whole = parts.own + parts.drawn + parts.imported;
  const bar = byId("today-bar");
  Object.entries(parts).forEach(([name, wh], index) => {
    say(byId(`today-${name}`), energy(wh));
    bar.children[index].style.flexGrow = whole ? wh / whole : 0;
  });
  const share = (wh) => percent(whole ? wh / whole : 0);
  put(
    bar,
    "aria-label",
    whole
      ? `${share(parts.own)} own energy, ${share(parts.drawn)} from neighbours, ${share(parts.imported)} from the grid`
      : "Nothing consumed yet",
  );
}

function chain(facts) {
  say(byId("rpc-url"), facts.rpc_url);
  say(byId("chain-id"), String(facts.chain_id));
  say(byId("chain-transactions"), count(facts.transactions));
  say(byId("exchange"), facts.exchange);
  say(byId("coin"), facts.coin);
}

function summary(view) {
  if (!view.homes.length) return "No home has joined the street yet.";
  if (!view.power) return "No home has been measured yet.";
  const sum = (flows) => flows.reduce((total, flow) => total + flow.power_w, 0);
  const traded = view.flows.filter((flow) => flow.from !== "grid" && flow.to !== "grid");
  const [imported, exported] = ["from", "to"].map((end) => sum(view.flows.filter((flow) => flow[end] === "grid")));
  const homes = `${view.homes.length} ${view.homes.length === 1 ? "home uses" : "homes use"} ${power(view.power.consumed_w)}`;
  return `${homes}: ${power(view.power.own_w)} their own, ${power(sum(traded))} from neighbours, ${power(imported)} from the grid. ${power(exported)} ${exported ? "flow" : "flows"} out to the grid.`;
}

async function connect() {
  const stream = new EventSource("/api/street/live");
  stream.addEventListener("open", () => {
    // After a gap, the chart's past is the server's to tell.
    chart.load();
    connection = "live";
    badge();
  });
  stream.addEventListener("street", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    connection = "lost";
    badge();
    // The browser asks again by itself, unless what answered was no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
  });
}

const begun = JSON.parse(byId("street-data").textContent);
if (begun) show(begun);
else say(byId("summary"), "The street has not begun yet.");
connect();
