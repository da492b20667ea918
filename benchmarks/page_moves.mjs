// Draws figures as the explorer's page does, one for each line of stdin; a line of stdout says when.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modulePath, recordsPath, scoresPath] = process.argv.slice(2);
const { draw, rank } = await import(pathToFileURL(modulePath).href);
const { templates, ...records } = JSON.parse(readFileSync(recordsPath, "utf8"));
const all = new Float32Array(new Uint8Array(readFileSync(scoresPath)).buffer);
const units = all.length / records.tasks.length;
records.scores = records.tasks.map((_, task) => all.slice(task * units, (task + 1) * units));
const ranked = rank(records);
console.log("ranked");
for await (const line of createInterface({ input: process.stdin })) {
  const { figure, ...cut } = JSON.parse(line);
  draw(templates[figure], ranked, cut);
  console.log("drawn");
}
