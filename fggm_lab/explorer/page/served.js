// The explorer in a page of the lab's own server: it asks now and then whether runs have grown.

import { mount } from "./explorer.js";
import { serverRequest, sourceOf } from "./sources.js";

const EVERY = 2000; // milliseconds

export async function serve(el, Plotly) {
  const explorer = await mount(el, sourceOf(serverRequest), { Plotly });
  let { stamp } = await serverRequest({ kind: "stamp" });
  const look = async () => {
    try {
      const now = (await serverRequest({ kind: "stamp" })).stamp;
      if (now !== stamp) await explorer.refresh();
      stamp = now;
    } catch {
      // The server has ended, or is busy; a choice of the reader's says so.
    }
    setTimeout(look, EVERY);
  };
  setTimeout(look, EVERY);
}
