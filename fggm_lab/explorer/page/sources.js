// Where an explorer's figures come from: a kernel, a server on this machine, or the page itself.

/** Numbers of a reply: base64 text where it came as JSON, a DataView where a kernel sent bytes. */
function numbersOf(part, dtype) {
  const bytes = typeof part === "string"
    ? Uint8Array.from(atob(part), (character) => character.charCodeAt(0))
    : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  const type = { float32: Float32Array, float64: Float64Array }[dtype];
  return new type(bytes.slice().buffer); // a copy begins where numbers of this size may begin
}

function recordsOf({ message, arrays, ...header }) {
  if (message) throw new Error(message);
  return { ...header, scores: arrays.map((part) => numbersOf(part, header.dtype)) };
}

/** A source from one function: ask(request) → promise of the reply, arrays included. */
export function sourceOf(ask) {
  return {
    description: () => ask({ kind: "description" }),
    answer: (tab, view, values) => ask({ kind: "answer", tab, view, values }),
    scores: async (method) => recordsOf(await ask({ kind: "scores", method })),
    grows: true,
  };
}

/**
 * Requests to the kernel of a notebook, by messages of the widget's model.
 *
 * anywidget hands no message to a widget that was not ready within two seconds, for as long as the
 * page lives. Where the notebook's manager of widgets can be reached, messages therefore go to the
 * class below anywidget's.
 */
export async function kernelRequests(model) {
  const waiting = new Map();
  let last = 0;
  model.on("msg:custom", ({ id, reply }, buffers = []) => {
    waiting.get(id)?.(buffers.length ? { ...reply, arrays: buffers } : reply);
    waiting.delete(id);
  });
  const own = await model.widget_manager?.get_model?.(model.get("_address"));
  const { _handle_comm_msg: handle } = Object.getPrototypeOf(Object.getPrototypeOf(own ?? {})) ?? {};
  if (handle && own.comm) own.comm.on_msg(handle.bind(own));
  return (request) => new Promise((resolve) => {
    const id = (last += 1);
    waiting.set(id, resolve);
    model.send({ id, request });
  });
}

/** Requests to the server that the page came from. */
export async function serverRequest(request) {
  const body = JSON.stringify(request);
  const response = await fetch("ask", { method: "POST", body }).catch(() => null);
  if (!response?.ok) throw new Error("the server does not answer; start it again and reload.");
  return response.json();
}

/** What a page of its own holds: the description, answers by request, scores by method. */
export function embeddedSource({ description, answers, scores, absent }) {
  return {
    description: async () => description,
    answer: async (tab, view, values) => {
      const { asks } = description.tabs.find(({ key }) => key === tab)
        .views.find(({ name }) => name === view);
      const key = (without) => JSON.stringify(
        [tab, view, asks.filter((name) => !without.includes(name)).map((name) => values[name])],
      );
      return answers[key([])] ?? answers[key(["keep", "scope"])] ?? { message: absent };
    },
    scores: async (method) => recordsOf(scores[method]),
  };
}
