// The few ways in which this page touches its document. Text is set as text: a home may be named like a piece of HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

/** The same, of SVG. */
export function shape(name, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

function dress(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) put(made, key, value);
  made.append(...children);
  return made;
}

/** Sets an attribute where it differs; null takes it away. */
export function put(target, key, value) {
  if (value === null || value === undefined) target.removeAttribute(key);
  else if (target.getAttribute(key) !== String(value)) target.setAttribute(key, value);
}

/** Sets text where it differs, so that nothing that stands still is announced or drawn again. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export const byId = (id) => document.getElementById(id);
