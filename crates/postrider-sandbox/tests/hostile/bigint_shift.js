// expect: Thrown | OutOfMemory
function handler(input) {
  return String(1n << 10000000000n);
}
