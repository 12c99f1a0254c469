// expect: returns [1] | Thrown
function handler(input) {
  class Odd extends Array { static get [Symbol.species]() { throw new Error('no'); } }
  return Odd.from([1]).map(it => it);
}
