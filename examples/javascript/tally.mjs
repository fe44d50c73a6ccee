// Counts words: glow create program --label tally -- node tally.mjs
//
// tally.json beside this file was made from tally.firefly by `glow idl describe -o . tally.firefly`.

import { readFileSync } from "node:fs";
import { Declared, serve } from "./attachment.mjs";

const MOST = 1_000_000;
const counts = new Map();
const followers = new Set();

function add(word, times = 1) {
  const count = (counts.get(word) ?? 0) + times;
  if (count > MOST) throw new Declared("tally.TooMany", word, MOST);
  counts.set(word, count);
  for (const tell of followers) tell([word, count]);
  return [word, count];
}

/** Every new count, until the caller gives up; who reads too slowly gets only the newest 1,000. */
async function* follow({ signal }) {
  const news = [];
  let wake = () => {};
  const tell = (word) => {
    news.push(word);
    if (news.length > 1000) news.shift();
    wake();
  };
  followers.add(tell);
  signal.addEventListener("abort", () => {
    followers.delete(tell);
    wake();
  });
  while (!signal.aborted) {
    while (news.length) yield news.shift();
    if (!signal.aborted) await new Promise((go) => (wake = go));
  }
}

function* recite(times, size) {
  for (let index = 0; index < times; index++) yield String(index).padEnd(size, ".");
}

const schema = readFileSync(new URL("tally.json", import.meta.url), "utf8");
const sorted = () => [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
await serve("tally.Tally", schema, { add, note: (word) => void add(word), words: sorted, follow, recite });
