// Draws figures as the explorer's page does: cases as JSON from stdin, figures as JSON to stdout.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { draw, rank } = await import(pathToFileURL(process.argv[2]).href);
const { records, templates, cases } = JSON.parse(readFileSync(0, "utf8"));
const ranked = {};
for (const [name, { wide, scores, ...rest }] of Object.entries(records)) {
  const Floats = wide ? Float64Array : Float32Array;
  ranked[name] = rank({ ...rest, scores: scores.map((values) => Floats.from(values)) });
}
const figures = cases.map(({ model, template, cut }) =>
  draw(templates[template], ranked[model], cut),
);
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(figures, plain));
