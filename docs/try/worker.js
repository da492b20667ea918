/* The shipped model, trained in a web worker: Llama's forward pass in jax-js, its gradients, AdamW,
   Fisher scores and masks as fggm_lab defines them. `jax` comes from vendor/jax.js. */
"use strict";

const { numpy: np, nn, jit, valueAndGrad } = jax;
const EMBEDDINGS = "model.embed_tokens.weight";

// ---- The model ------------------------------------------------------------------------------

/** RMSNorm of the last axis. Every array is consumed, as jax-js asks; `.ref` keeps one. */
function rmsNorm(x, weight, eps) {
  const meanSquare = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(meanSquare.add(eps)))).mul(weight);
}

const linear = (x, weight) => np.matmul(x, np.matrixTranspose(weight));

const ATTENTION = ["input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
const REST = [
  "self_attn.o_proj", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
];

/** The weights of a layer by the names of its modules. */
function weightsOf(p, layer, modules) {
  return Object.fromEntries(modules.map((name) => [name, p[`model.layers.${layer}.${name}.weight`]]));
}

/**
 * A layer's attention, before its output projection.
 *
 * @param h (rows × length, hidden)
 * @param x tables of the rotary embedding and the causal mask
 */
function attention(w, h, x, config, rows, length) {
  const { heads, groups, width, eps } = config;
  const perHead = (y, n) => np.transpose(y.reshape([rows, length, n, width]), [0, 2, 1, 3]);
  const turned = (y, n) => {
    const half = np.matmul(y.ref.reshape([rows * n * length, width]), x.turn.ref);
    return y.mul(x.cos.ref).add(half.reshape([rows, n, length, width]).mul(x.sin.ref));
  };
  const a = rmsNorm(h, w["input_layernorm"], eps);
  const q = turned(perHead(linear(a.ref, w["self_attn.q_proj"]), heads), heads);
  const k = turned(perHead(linear(a.ref, w["self_attn.k_proj"]), groups), groups);
  const v = perHead(linear(a, w["self_attn.v_proj"]), groups);
  // The heads of a group share their keys: they stand below each other as further queries.
  const below = (heads / groups) * length;
  const queries = q.reshape([rows, groups, below, width]);
  const scores = np.matmul(queries, np.matrixTranspose(k)).mul(1 / Math.sqrt(width));
  const share = nn.softmax(scores.reshape([rows, heads, length, length]).add(x.causal), -1);
  const mixed = np.matmul(share.reshape([rows, groups, below, length]), v);
  for (const name of ["turn", "cos", "sin"]) x[name].dispose();
  const joined = np.transpose(mixed.reshape([rows, heads, length, width]), [0, 2, 1, 3]);
  return joined.reshape([rows * length, heads * width]);
}

/** The rest of a layer: the output projection and the MLP, each added to what came in. */
function restOfLayer(w, h, joined, config) {
  h = h.add(linear(joined, w["self_attn.o_proj"]));
  const b = rmsNorm(h.ref, w["post_attention_layernorm"], config.eps);
  const gate = nn.silu(linear(b.ref, w["mlp.gate_proj"]));
  return h.add(linear(gate.mul(linear(b, w["mlp.up_proj"])), w["mlp.down_proj"]));
}

/**
 * The logits at chosen positions.
 *
 * @param p name of a parameter → array; the embeddings are those of the output
 * @param h (rows × length, hidden): the tokens' embeddings, looked up beforehand
 * @param x the tables, and (answers, rows × length) one-hot: the positions whose next token is
 *   predicted
 * @param part what a function of one layer is wrapped in
 * @returns (answers, vocabulary)
 */
function logits(p, h, x, config, rows, length, part = (run) => run) {
  const { chosen, ...shared } = x;
  for (let layer = 0; layer < config.layers; layer++) {
    const copies = Object.fromEntries(Object.entries(shared).map(([n, array]) => [n, array.ref]));
    const first = part((w, h, x) => attention(w, h, x, config, rows, length), "attention");
    const joined = first(weightsOf(p, layer, ATTENTION), h.ref, copies);
    const second = part((w, h, joined) => restOfLayer(w, h, joined, config), "rest");
    h = second(weightsOf(p, layer, REST), h, joined);
  }
  for (const array of Object.values(shared)) array.dispose();
  // Normed before they are chosen: the other way round, jax-js would compute the norm's gradient
  // anew inside the product that spreads it over all positions.
  return linear(np.matmul(chosen, rmsNorm(h, p["model.norm.weight"], config.eps)), p[EMBEDDINGS]);
}

/** The tables that depend on the length alone, as plain arrays. */
function tables(length, { width, theta }) {
  const cos = new Float32Array(length * width), sin = new Float32Array(length * width);
  const causal = new Float32Array(length * length), turn = new Float32Array(width * width);
  const half = width / 2;
  for (let t = 0; t < length; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * Math.fround(theta ** ((-2 * i) / width));
      cos[t * width + i] = cos[t * width + i + half] = Math.cos(angle);
      sin[t * width + i] = sin[t * width + i + half] = Math.sin(angle);
    }
    for (let later = t + 1; later < length; later++) causal[t * length + later] = -1e9;
  }
  for (let i = 0; i < half; i++) {
    turn[(i + half) * width + i] = -1;
    turn[i * width + i + half] = 1;
  }
  const square = (values, shape) => () => np.array(values.slice()).reshape(shape);
  return {
    cos: square(cos, [length, width]),
    sin: square(sin, [length, width]),
    causal: square(causal, [length, length]),
    turn: square(turn, [width, width]),
  };
}

/**
 * A batch as arrays.
 *
 * @param examples each {prompt, answer}, lists of token ids
 * @param answers how many answer tokens there is room for
 */
function inputsOf(examples, length, answers, config) {
  const ids = new Array(examples.length * length).fill(0);
  const chosen = new Float32Array(answers * examples.length * length);
  const wanted = [];
  examples.forEach(({ prompt, answer }, row) => {
    [...prompt, ...answer].forEach((id, t) => (ids[row * length + t] = id));
    answer.forEach((id, t) => {
      chosen[wanted.length * examples.length * length + row * length + prompt.length + t - 1] = 1;
      wanted.push({ row, id });
    });
  });
  if (wanted.length > answers) throw new Error(`${wanted.length} answer tokens, room for ${answers}`);
  const arrays = { chosen: np.array(chosen).reshape([answers, examples.length * length]) };
  for (const [name, make] of Object.entries(tables(length, config))) arrays[name] = make();
  return { ids, arrays, wanted };
}

/** The model's computations, compiled once for every shape. */
class Model {
  constructor(config, weights) {
    this.config = config;
    this.shapes = Object.fromEntries(config.parameters.map(({ name, shape }) => [name, shape]));
    this.weights = {};
    let start = 0;
    for (const { name, shape } of config.parameters) {
      const size = shape.reduce((a, b) => a * b, 1);
      this.weights[name] = weights.slice(start, (start += size));
    }
    this.compiled = {};
  }

  arrays() {
    const entries = Object.entries(this.weights);
    return Object.fromEntries(
      entries.map(([name, w]) => [name, np.array(w.slice()).reshape(this.shapes[name])]),
    );
  }

  /** The embeddings of tokens, one below the other. */
  embedded(ids) {
    const table = this.weights[EMBEDDINGS], width = this.shapes[EMBEDDINGS][1];
    const values = new Float32Array(ids.length * width);
    ids.forEach((id, i) => values.set(table.subarray(id * width, (id + 1) * width), i * width));
    return np.array(values).reshape([ids.length, width]);
  }

  /** Sum of the answer tokens' negative log-likelihoods, times `scale`, and its gradients. */
  gradients(examples, length, answers, scale) {
    const rows = examples.length, { config } = this;
    const { ids, arrays, wanted } = inputsOf(examples, length, answers, config);
    const target = new Float32Array(answers * config.vocabulary);
    const factor = scale ?? 1 / wanted.length;
    wanted.forEach(({ id }, i) => (target[i * config.vocabulary + id] = -factor));
    const loss = (p, h, x, t) =>
      np.sum(nn.logSoftmax(logits(p, h, x, config, rows, length), -1).mul(t));
    const run = (this.compiled[`gradients ${rows} ${length} ${answers}`] ??= jit(
      valueAndGrad(loss, { argnums: [0, 1] }),
    ));
    const y = np.array(target).reshape([answers, config.vocabulary]);
    const [value, [ofWeights, ofEmbedded]] = run(this.arrays(), this.embedded(ids), arrays, y);
    const gradients = {};
    for (const [name, array] of Object.entries(ofWeights)) gradients[name] = array.dataSync();
    const perToken = ofEmbedded.dataSync(), table = gradients[EMBEDDINGS];
    const width = this.shapes[EMBEDDINGS][1];
    ids.forEach((id, i) => {
      for (let j = 0; j < width; j++) table[id * width + j] += perToken[i * width + j];
    });
    return { loss: value.dataSync()[0], gradients };
  }

  /** How many examples are answered word for word, each token the likeliest after those before. */
  answered(examples, length, answers) {
    const rows = examples.length, { config } = this;
    const { ids, arrays, wanted } = inputsOf(examples, length, answers, config);
    // Compiled a part of a layer at a time: whole, jax-js would read the heads' transposed outputs
    // inside the next product, some thirty times as slowly.
    const part = (run, name) => (this.compiled[`${name} ${rows} ${length}`] ??= jit(run));
    const values = logits(this.arrays(), this.embedded(ids), arrays, config, rows, length, part);
    const likeliest = np.argmax(values, -1).dataSync();
    const right = new Array(rows).fill(true);
    wanted.forEach(({ row, id }, i) => (right[row] &&= likeliest[i] === id));
    return right.filter(Boolean).length / rows;
  }
}

// ---- Scores and masks -----------------------------------------------------------------------

/** Every unit's Fisher score: a row's squared gradients, summed, averaged over the examples. */
function fisherScores(model, examples, length, answers, progress = () => {}) {
  const scores = {};
  for (const [name, shape] of Object.entries(model.shapes)) scores[name] = new Float64Array(shape[0]);
  examples.forEach((example, number) => {
    const { gradients } = model.gradients([example], length, answers, 1);
    for (const [name, gradient] of Object.entries(gradients)) {
      const row = gradient.length / scores[name].length;
      for (let i = 0; i < gradient.length; i++) {
        scores[name][Math.floor(i / row)] += gradient[i] ** 2 / examples.length;
      }
    }
    progress(number + 1);
  });
  return scores;
}

/** round(keep · units), halves to the even neighbour, as Python rounds. */
function keptCount(keep, units) {
  const exact = keep * units, low = Math.floor(exact);
  if (exact - low !== 0.5) return Math.round(exact);
  return low % 2 ? low + 1 : low;
}

/** Mask.top: of every parameter the units with the highest scores; of equal ones the first. */
function topMask(scores, keep) {
  const mask = {};
  for (const [name, values] of Object.entries(scores)) {
    const order = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
    mask[name] = new Uint8Array(values.length);
    for (const unit of order.slice(0, keptCount(keep, values.length))) mask[name][unit] = 1;
  }
  return mask;
}

/** The control: as many units of every parameter, drawn by a generator with a seed (mulberry32). */
function randomMask(shapes, keep, seed) {
  let state = seed >>> 0;
  const draw = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const drawn = Object.entries(shapes).map(([name, [units]]) => [name, Float64Array.from({ length: units }, draw)]);
  return topMask(Object.fromEntries(drawn), keep);
}

// ---- Training -------------------------------------------------------------------------------

/** torch.optim.AdamW without weight decay, after clipping to a norm; frozen rows stay exactly. */
class AdamW {
  constructor(model) {
    this.model = model;
    this.steps = 0;
    const zeros = () =>
      Object.fromEntries(Object.entries(model.weights).map(([n, w]) => [n, new Float32Array(w.length)]));
    this.first = zeros();
    this.second = zeros();
  }

  step(gradients, lr, clip, mask) {
    let squares = 0;
    for (const [name, gradient] of Object.entries(gradients)) {
      if (mask) {
        const row = gradient.length / mask[name].length;
        mask[name].forEach((moves, unit) => moves || gradient.fill(0, unit * row, (unit + 1) * row));
      }
      for (const g of gradient) squares += g * g;
    }
    const scale = Math.min(1, clip / (Math.sqrt(squares) + 1e-6));
    this.steps++;
    const rate = lr / (1 - 0.9 ** this.steps), root = Math.sqrt(1 - 0.999 ** this.steps);
    for (const [name, gradient] of Object.entries(gradients)) {
      const weight = this.model.weights[name], m = this.first[name], v = this.second[name];
      for (let i = 0; i < gradient.length; i++) {
        const g = gradient[i] * scale;
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        weight[i] -= (rate * m[i]) / (Math.sqrt(v[i]) / root + 1e-8);
      }
    }
  }
}

let paused = false, wake = () => {};

/** Lets messages in after every step, and waits while the page is paused. */
async function breath() {
  await new Promise((resolve) => setTimeout(resolve));
  while (paused) await new Promise((resolve) => (wake = resolve));
}

/** The mask of one method for a task; null: every unit moves. */
function maskFor(method, model, task, keep, index) {
  const { length, answers, fisherExamples, seed } = model.config;
  if (method === "sft") return { mask: null };
  if (method === "random") return { mask: randomMask(model.shapes, keep, seed + index) };
  const report = (done) => postMessage({ kind: "scoring", done, of: fisherExamples });
  const sample = task.train.slice(0, fisherExamples);
  const scores = fisherScores(model, sample, length, answers.example, report);
  return { mask: topMask(scores, keep), scores };
}

/** Train one method through the tasks, telling the page of every step. */
async function train({ config, weights, tasks, general, method, keep, steps = Infinity, measure = true }) {
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const model = new Model(config, weights);
  const { length, answers, lr, clip } = config;
  let total = 0;
  const measured = () => ({
    general: model.answered(general, config.generalLength, answers.general),
    tasks: tasks.map((task) => model.answered(task.test, length, answers.test)),
  });
  if (measure) postMessage({ kind: "measured", step: 0, ...measured() });
  for (const [index, task] of tasks.entries()) {
    await breath();
    const { mask, scores } = maskFor(method, model, task, keep, index);
    postMessage({ kind: "mask", index, mask, scores });
    const optimizer = new AdamW(model);
    for (const [number, batch] of task.batches.entries()) {
      if (total >= steps) break;
      await breath();
      const examples = batch.map((i) => task.train[i]);
      const { loss, gradients } = model.gradients(examples, length, answers.batch);
      optimizer.step(gradients, lr * (1 - number / task.batches.length), clip, mask);
      postMessage({ kind: "step", step: ++total, loss });
      const due = (number + 1) % config.measureEvery === 0 || number + 1 === task.batches.length;
      if (measure && due) postMessage({ kind: "measured", step: total, ...measured() });
    }
  }
  postMessage({ kind: "done" });
}

onmessage = ({ data }) => {
  if (data.kind === "train") {
    train(data).catch((error) => postMessage({ kind: "failed", message: String(error) }));
  } else if (data.kind === "pause") {
    paused = true;
  } else if (data.kind === "go on") {
    paused = false;
    wake();
  }
};
