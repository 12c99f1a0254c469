// expect: Timeout | OutOfMemory
function handler(input) {
  return new Array(1e6).fill(0).map(() => Math.random()).sort((a, b) => a - b);
}
