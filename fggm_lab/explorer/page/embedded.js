// The explorer in a page that holds all its figures itself.

import { mount } from "./explorer.js";
import { embeddedSource } from "./sources.js";

/** content: an element whose text is JSON, compressed by gzip, in base64. */
export async function open(el, content, Plotly) {
  const bytes = Uint8Array.from(atob(content.textContent), (character) => character.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  await mount(el, embeddedSource(await new Response(unpacked).json()), { Plotly });
}
