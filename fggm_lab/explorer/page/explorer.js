// The explorer: tabs of views, controls above them, one figure. What it shows comes from a source:
// a notebook's kernel, a server on this machine, or the page itself.

import { element, makeControl } from "./controls.js";
import { draw, rank } from "./cut.js";
import { makeFigure } from "./figure.js";

/**
 * Put an explorer into an element.
 *
 * source: {description(), answer(tab, view, values), scores(method)}, all promises, and `grows`,
 * whether runs can be read again.
 * settings: {Plotly, state?, onState?(state)}; a state is {tab, view: {tab: view}, values, offered
 * (the runs there were)}, and is what a page shows after it was loaded anew.
 */
export async function mount(el, source, { Plotly, state, onState = () => {} }) {
  const explorer = new Explorer(el, source, Plotly, onState);
  await explorer.start(state);
  return explorer;
}

class Explorer {
  constructor(el, source, Plotly, onState) {
    Object.assign(this, { el, source, onState });
    this.figure = makeFigure(Plotly);
    this.forget();
  }

  /** Forget what the source has answered. */
  forget() {
    this.answers = new Map();
    this.ranked = new Map();
  }

  async start(state) {
    const description = await this.source.description();
    if (description.message) {
      this.el.replaceChildren(element("p", { role: "status" }, description.message));
      return;
    }
    this.description = description;
    const { tabs, values } = description;
    this.state = {
      offered: values.runs,
      tab: tabs[0].key,
      view: Object.fromEntries(tabs.map((tab) => [tab.key, tab.views[0].name])),
      values: { ...values },
    };
    this.restore(state);
    this.build();
    this.controls.parameter.set(this.state.values.parameter);
    this.offerParameters();
    await this.update();
  }

  /** Take over of an earlier state what the description still allows. */
  restore(state) {
    if (!state?.tab) return;
    const { tabs, controls } = this.description;
    for (const { key, views } of tabs) {
      if (views.some((view) => view.name === state.view[key])) {
        this.state.view[key] = state.view[key];
      }
    }
    if (tabs.some((tab) => tab.key === state.tab)) this.state.tab = state.tab;
    const { values } = this.state;
    for (const { name, options } of controls) {
      const allowed = options.map((option) => option.value);
      if (allowed.includes(state.values[name])) values[name] = state.values[name];
    }
    values.keep = state.values.keep;
    // A run that was not there before is ticked.
    values.runs = values.runs.filter(
      (run) => state.values.runs.includes(run) || !state.offered.includes(run),
    );
  }

  build() {
    const { tabs, controls } = this.description;
    this.controls = Object.fromEntries(
      controls.map((control) => [
        control.name, makeControl(control, (value) => this.change(control.name, value)),
      ]),
    );
    const nodes = (shared) => controls.filter((control) => control.shared === shared)
      .map((control) => this.controls[control.name].node);
    this.tabButtons = tabs.map(({ key, title }) => element("button", {
      type: "button", role: "tab", onclick: () => this.open(key), onkeydown: (e) => this.step(e),
    }, title));
    this.viewButtons = Object.fromEntries(tabs.map(({ key, views }) => [key, makeControl({
      kind: "buttons", label: "", options: views.map(({ name }) => ({ text: name, value: name })),
    }, (view) => this.look(view))]));
    this.note = element("p", { class: "fggm-note" });
    this.panel = element("div", { role: "tabpanel" },
      ...tabs.map(({ key }) => this.viewButtons[key].node),
      element("div", { class: "fggm-row" }, ...nodes(false)), this.note, this.figure.node,
    );
    const parts = [
      element("div", { class: "fggm-row" }, ...nodes(true)),
      element("div", { role: "tablist", class: "fggm-tabs" }, ...this.tabButtons),
      this.panel,
    ];
    if (this.source.grows) {
      parts.push(element("button", { type: "button", class: "fggm-refresh",
                                     onclick: () => this.refresh() }, "Read runs again"));
    }
    this.el.replaceChildren(element("div", { class: "fggm-explorer" }, ...parts));
  }

  get tab() { return this.description.tabs.find((tab) => tab.key === this.state.tab); }
  get view() { return this.tab.views.find((view) => view.name === this.state.view[this.tab.key]); }

  open(key) {
    this.state.tab = key;
    this.update();
  }

  /** Arrow keys walk along the tabs. */
  step(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const { tabs } = this.description;
    const index = (tabs.indexOf(this.tab) + move + tabs.length) % tabs.length;
    this.open(tabs[index].key);
    this.tabButtons[index].focus();
  }

  look(view) {
    this.state.view[this.tab.key] = view;
    this.update();
  }

  change(name, value) {
    this.state.values[name] = value;
    if (name === "layer") this.offerParameters();
    if (this.view.controls.includes(name)) this.update();
    else this.onState(this.state);
  }

  /** The list of parameters holds those of the layer chosen. */
  offerParameters() {
    const { options } = this.description.controls.find(({ name }) => name === "parameter");
    const { layer } = this.state.values;
    this.state.values.parameter = this.controls.parameter.offer(
      options.filter((option) => layer === null || !("layer" in option) || option.layer === layer),
    );
  }

  /** Read the runs again; what was chosen stays chosen where it is still there. */
  async refresh() {
    this.forget();
    await this.start(this.state && structuredClone(this.state));
  }

  /** Bring the page up to date with the state: controls now, the figure when it is there. */
  async update() {
    const { tabs, controls } = this.description;
    tabs.forEach(({ key }, i) => {
      const selected = key === this.state.tab;
      this.tabButtons[i].setAttribute("aria-selected", String(selected));
      this.tabButtons[i].tabIndex = selected ? 0 : -1;
      const views = this.viewButtons[key];
      views.set(this.state.view[key]);
      views.node.hidden = !selected || tabs[i].views.length === 1;
    });
    this.panel.className = `fggm-tab-${this.state.tab}`;
    this.panel.setAttribute("aria-label", this.tab.title);
    for (const { name, shared, options } of controls) {
      const { node, set } = this.controls[name];
      set(this.state.values[name]);
      const used = this.view.controls.includes(name);
      node.hidden = !shared && (!used || options.length < 2);
      node.classList.toggle("fggm-unused", shared && !used);
    }
    this.note.textContent = sentenceOf(
      controls.filter(({ name, shared }) => shared && this.view.controls.includes(name)),
    );
    this.onState(this.state);
    await this.draw();
  }

  /** Draw what the state asks for; while an answer is awaited, only the latest state counts. */
  async draw() {
    this.dirty = true;
    if (this.drawing) return;
    this.drawing = true;
    try {
      while (this.dirty) {
        this.dirty = false;
        const [tab, view, values] = [this.tab.key, this.view, { ...this.state.values }];
        await this.drawOnce(tab, view, values);
      }
    } catch (error) {
      this.figure.say("", `The figure could not be drawn: ${error.message ?? error}`);
      throw error;
    } finally {
      this.drawing = false;
      this.figure.busy(false);
    }
  }

  async drawOnce(tab, view, values) {
    const answer = this.known(tab, view, values) ?? await this.ask(tab, view, values);
    const name = `${tab}/${view.name}`;
    if (answer.message) return this.figure.say(name, answer.message);
    return this.figure.show(name, filtered(await this.drawn(answer, values), view, values));
  }

  async drawn(answer, values) {
    if (!answer.template) return { ...answer.figure, ...answer };
    const figure = draw(answer.template, await this.ranks(values.method), values);
    for (const text of ["caption", "description"]) figure[text] = answer.note + figure[text];
    return figure;
  }

  key(tab, view, values, without) {
    const names = view.asks.filter((name) => !without.includes(name));
    return JSON.stringify([tab, view.name, names.map((name) => values[name])]);
  }

  known(tab, view, values) {
    return this.answers.get(this.key(tab, view, values, []))
      ?? this.answers.get(this.key(tab, view, values, ["keep", "scope"]));
  }

  async ask(tab, view, values) {
    this.figure.busy(true);
    const used = Object.fromEntries(view.asks.map((name) => [name, values[name]]));
    const answer = await this.source.answer(tab, view.name, { method: values.method, ...used });
    // A template is good for every keep share, and its key may not be one of a figure.
    this.answers.set(this.key(tab, view, values, answer.template ? ["keep", "scope"] : []), answer);
    return answer;
  }

  async ranks(method) {
    if (!this.ranked.has(method)) this.ranked.set(method, rank(await this.source.scores(method)));
    return this.ranked.get(method);
  }
}

const layerName = (layer) => (layer < 0 ? "outside layers" : `layer ${layer}`);

/** A figure with those lines alone that the controls ask for which a view leaves to the page. */
function filtered(figure, { controls, asks }, values) {
  const names = controls.filter((name) => !asks.includes(name) && values[name] !== null
    && values[name] !== "");
  if (!names.length) return figure;
  const shown = ({ meta }) => names.every((name) => !meta || !(name in meta)
    || meta[name] === values[name] || meta[name] === layerName(values[name]));
  const data = figure.data.map((trace) => (shown(trace) ? trace : { ...trace, visible: false }));
  return { ...figure, data };
}

/** "Method, task and keep share change this figure." */
function sentenceOf(controls) {
  const labels = controls.map(({ label }) => label);
  if (!labels.length) return "";
  const [last, ...before] = labels.reverse();
  const text = before.length ? `${before.reverse().join(", ")} and ${last}` : last;
  const verb = before.length ? "change" : "changes";
  return `${text[0].toUpperCase()}${text.slice(1)} ${verb} this figure.`;
}
