// expect: Thrown | OutOfMemory
function handler(input) {
  throw new Error('a'.repeat(10 << 20));
}
