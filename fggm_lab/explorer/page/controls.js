// Controls of the page's own: native form elements, so that keyboards and screen readers work.

const FOCUSABLE = ["button", "input", "select", "summary"];

/** An element with attributes (or properties, or listeners as `onclick`) and children. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value);
  }
  // JupyterLab takes arrow keys for moving between cells, except from what has this attribute.
  if (FOCUSABLE.includes(tag)) node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children);
  return node;
}

let names = 0;
/** A name that no other element of the page has. */
const uniqueName = () => `fggm-${(names += 1)}`;

/**
 * A control of the explorer's description.
 *
 * control: {name, label, kind, options}; onChange(value) hears of a reader's changes.
 * Returns {node, set(value), offer(options)}: offer changes the options of a list and returns the
 * value, which is the first option where the old one is gone.
 */
export function makeControl(control, onChange) {
  return { list: makeList, buttons: makeButtons, ticks: makeTicks, share: makeShare }[control.kind](
    control, onChange,
  );
}

function makeList({ label, options }, onChange) {
  const select = element("select", { onchange: () => onChange(values[select.selectedIndex]) });
  let values = [];
  const offer = (choices) => {
    const value = values[select.selectedIndex];
    values = choices.map((option) => option.value);
    select.replaceChildren(...choices.map(({ text }) => element("option", {}, text)));
    select.selectedIndex = Math.max(0, values.indexOf(value));
    return values[select.selectedIndex];
  };
  offer(options);
  return {
    node: element("label", { class: "fggm-control" }, `${label} `, select),
    set: (value) => { select.selectedIndex = values.indexOf(value); },
    offer,
  };
}

function makeButtons({ label, options }, onChange) {
  const group = uniqueName();
  const inputs = options.map(({ value }) =>
    element("input", { type: "radio", name: group, onchange: () => onChange(value) }),
  );
  const labels = options.map(({ text }, i) => element("label", {}, inputs[i], text));
  return {
    node: element("div", { class: "fggm-control fggm-buttons", role: "radiogroup",
                           "aria-label": label || "view" }, label ? `${label} ` : "", ...labels),
    set: (value) => options.forEach((option, i) => { inputs[i].checked = option.value === value; }),
  };
}

function makeTicks({ label, options }, onChange) {
  const changed = () => onChange(
    options.filter((_, i) => inputs[i].checked).map((option) => option.value),
  );
  const inputs = options.map(() => element("input", { type: "checkbox", onchange: changed }));
  const labels = options.map(({ text }, i) => element("label", {}, inputs[i], text));
  return {
    node: element("div", { class: "fggm-control fggm-ticks", role: "group", "aria-label": label },
                  ...labels),
    set: (values) => options.forEach(({ value }, i) => {
      inputs[i].checked = values.includes(value);
    }),
  };
}

/** A slider from 1 % to 100 %. */
function makeShare({ label }, onChange) {
  const readout = element("output");
  const show = () => {
    readout.textContent = `${slider.value} %`;
    slider.setAttribute("aria-valuetext", readout.textContent);
  };
  const slider = element("input", {
    type: "range", min: "1", max: "100", step: "1",
    oninput: () => { show(); onChange(slider.value / 100); },
  });
  return {
    node: element("label", { class: "fggm-control" }, `${label} `, slider, " ", readout),
    set: (value) => { slider.value = 100 * value; show(); },
  };
}
