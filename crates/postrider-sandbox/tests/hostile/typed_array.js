// expect: OutOfMemory | Thrown
function handler(input) {
  return new Float64Array(2 ** 28).length;
}
