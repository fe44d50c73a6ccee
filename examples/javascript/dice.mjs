// A process in JavaScript: glow create program --label dice -- node dice.mjs
//
// dice.schema.json beside this file was made from dice.firefly by `glow idl generate --to schema dice.firefly`.

import { readFileSync } from "node:fs";
import { InvalidArgument, serve } from "./attachment.mjs";

const MAX_DICE = 1000;
const MAX_SIDES = 2 ** 20;

/** Numbers from 0 to 1 that follow from a seed: a Weyl sequence, stirred by two multiplications. */
function* chance(seed) {
  for (let state = seed >>> 0; ; state = (state + 0x9e3779b9) >>> 0) {
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    yield ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }
}

serve(readFileSync(new URL("dice.schema.json", import.meta.url)), "dice.Dice", (dice) => {
  let numbers = chance(Date.now());

  function checkDie(sides) {
    if (sides < 2 || sides > MAX_SIDES) throw dice.error("NoSuchDie", sides);
  }

  const one = (sides) => 1 + Math.floor(numbers.next().value * sides);

  return {
    roll(count, sides) {
      checkDie(sides);
      if (count > MAX_DICE) throw new InvalidArgument(`${MAX_DICE} dice are thrown at most`, "", "use rolls");
      return Array.from({ length: count }, () => one(sides));
    },

    *rolls(count, sides) {
      checkDie(sides);
      for (let thrown = 0; thrown < count; thrown++) yield one(sides);
    },

    seed(number) {
      numbers = chance(number);
    },
  };
});
