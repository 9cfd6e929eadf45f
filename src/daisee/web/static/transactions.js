// The newest energy transactions. The page remembers what it has seen, so that trades are not washed away by reports.

import { byId, element } from "./dom.js";

const KEPT = 400;
const SHOWN = 30;

const WORDS = {
  admitted: "joined the street",
  reported: "reported its meter",
  offered: "offered energy",
  bought: "bought",
  drawn: "used what it bought",
  overdrawn: "used more than the books held",
  unpaid: "used more than it bought",
};
const ROUTINE = new Set(["reported", "drawn"]);

export class Transactions {
  #seen = new Map();
  #exchange = "";
  #block = 0;
  #drawn = "";
  #latest = null;
  #tradesOnly = byId("trades-only");

  constructor() {
    this.#tradesOnly.addEventListener("change", () => this.#latest && this.show(...this.#latest));
  }

  show(view, clock) {
    this.#latest = [view, clock];
    if (view.chain.exchange !== this.#exchange || view.chain.block < this.#block) this.#seen.clear(); // another chain
    [this.#exchange, this.#block] = [view.chain.exchange, view.chain.block];
    const fresh = [...view.transactions].reverse().filter((each) => !this.#seen.has(key(each)));
    for (const each of fresh) this.#seen.set(key(each), each);
    while (this.#seen.size > KEPT) this.#seen.delete(this.#seen.keys().next().value);
    const wanted = [...this.#seen.values()].filter((each) => !(this.#tradesOnly.checked && ROUTINE.has(each.kind)));
    const rows = wanted.slice(-SHOWN).reverse();
    const drawn = `${clock.timeZone} ${rows.map(key).join()}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    byId("transactions").replaceChildren(...rows.map((each) => row(each, clock, fresh.includes(each))));
    byId("no-transactions").hidden = rows.length > 0;
    this.#announce(fresh.filter((each) => each.kind === "bought").at(-1));
  }

  #announce(bought) {
    if (!bought || this.#seen.size <= SHOWN) return; // what was there when the page opened is no news
    byId("news").textContent = `${bought.to} bought ${kilowattHours(bought)} kWh from ${bought.from}`;
  }
}

function key(each) {
  return [each.hash, each.kind, each.from, each.to, each.energy_wh].join(" ");
}

function row(each, clock, fresh) {
  const cell = (text, attributes = {}) => element("td", attributes, text);
  const what = element("span", { class: "kind", "data-kind": each.kind }, each.kind);
  return element(
    "tr",
    fresh ? { class: "fresh" } : {},
    element("td", { title: WORDS[each.kind] ?? each.kind }, what),
    cell(kilowattHours(each), { class: "number" }),
    cell(each.from || "–"),
    cell(each.to || "–"),
    cell(each.coins ?? "–", { class: "number" }),
    cell(String(each.block), { class: "number" }),
    element("td", {}, element("time", { datetime: each.time }, clock.minute(new Date(each.time)))),
    element("td", { title: each.hash }, element("code", {}, `${each.hash.slice(0, 10)}…`)),
  );
}

function kilowattHours(each) {
  if (each.energy_wh === null) return each.kind === "offered" ? "all spare" : "–";
  return (each.energy_wh / 1000).toFixed(3);
}
